/* SPDX-License-Identifier: ISC */
/*
 * lines: the text of a journal, wherever it is: in the file as it was opened (mapped), in the file
 * since then (read when it is wanted, a window at a time; what was written last is still in
 * memory), or gathered and not written yet.
 *
 * A line is named by the offset of any byte of it. The file only grows; what was gathered goes to
 * its end in one write, and if that fails nothing is written any more. A torn last line says
 * nothing, and is cut off before the first append.
 */
#ifndef FP_STATE_LINES_H
#define FP_STATE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define LINES_MAX (64 * 1024) /* octets of a line */

struct lines;

enum lines_mode {
    LINES_WRITE, /* made if missing; the caller holds a lock that keeps others from writing */
    LINES_READ   /* nothing is made or changed; a missing one is empty; others may write */
};

/* ERR_CREATE: it cannot be opened or made, or belongs to another user. */
int lines_open(struct lines **out, const char *path, enum lines_mode mode, bool durable,
               struct err *err);
void lines_close(struct lines *lines); /* NULL is fine; what was not synced is dropped */

/* For error texts. */
const char *lines_path(const struct lines *lines);

/* Reads the file, or what lies in its place by now; drops what was gathered. */
int lines_load(struct lines *lines, struct err *err);

/* The file's whole lines, as they were when it was loaded or mapped last; and how many octets it
 * had when it was loaded, a torn end included. */
struct str lines_text(const struct lines *lines);
uint64_t lines_size(const struct lines *lines);

/* Cuts a torn end off the file. */
int lines_cut(struct lines *lines, struct err *err);

/* Moves the file to `aside` and begins a new one; with LINES_READ it is only taken for empty. */
int lines_set_aside(struct lines *lines, const char *aside, struct err *err);

/* Renames a new file into its place, which is read by lines_load; until then it can be added to.
 * fd (ours then) is open on it. Its new name is on the disk, unless that failed: lines_settle. Ends
 * all views. */
int lines_replace(struct lines *lines, const char *path, int fd, struct err *err);

/* Maps again, so that what was written since is in the text. Ends all views. */
void lines_remap(struct lines *lines);

/* Gives the memory of the mapped text back; a caller that reads all of it does this after every
 * LINES_STRETCH lines. Views stay valid; their pages are read from the file again. */
#define LINES_STRETCH 16384
void lines_release(const struct lines *lines);

/* The word that begins at an offset, up to a blank or the end of its line, and never longer than
 * max (somebody may write over a file that is mapped); the whole line around it without its end,
 * empty if that is not there. Views into the text live until lines_remap or lines_load, others
 * until the next call. */
struct str lines_word(struct lines *lines, uint64_t at, size_t max);
struct str lines_line(struct lines *lines, uint64_t at);

/* Gathers whole lines, LINES_MAX octets at most; *at: where the first of them begins. Views of what
 * was gathered before outlive this one call. -1: nothing can be gathered any more. */
int lines_add(struct lines *lines, struct str text, uint64_t *at);
bool lines_is_dirty(const struct lines *lines);

/* All that was said is in the file: nothing is gathered, nothing failed. */
bool lines_are_whole(const struct lines *lines);

/* Writes what was gathered. must_last: it must outlive a power cut, so that it is flushed with all
 * that was written before, and the names with it. An error is final. */
int lines_sync(struct lines *lines, bool must_last, struct err *err);

/* Makes durable what an earlier process wrote. */
int lines_flush(struct lines *lines, struct err *err);

/* The names under which the file lies, its own and its folder's, have to be on the disk before what
 * is in it counts. A line of the file itself may say that they are, so that no later run has to
 * flush them again. It names the file by device and inode: it is void for one that was written anew
 * or copied. */
#define LINES_IDENTITY 44
void lines_identity(const struct lines *lines, char out[LINES_IDENTITY]);

/* A line says that they are. */
void lines_trust_names(struct lines *lines);

/* Flushes them, unless that was done. */
int lines_settle(struct lines *lines, struct err *err);

#endif
