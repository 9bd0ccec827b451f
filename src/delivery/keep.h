/* SPDX-License-Identifier: ISC */
/*
 * keep: messages that were received whole and are not delivered yet, each in a file of ours.
 *
 * They lie in STATE_DIR/spool, and in STATE_DIR/held what its destination refuses, for people to
 * look at: folders 0700, files for us alone. A file is the message as it came, with LF line ends,
 * whatever its destination is, since that may be another one tomorrow; but what a run that was
 * killed had from pipe_through is kept as that made it. A name is in one of the two, and which does
 * not matter: both are looked in. Names say whose they are (spool.h).
 *
 * While an entry of the journal says that it is kept, and it is not about to be delivered, a file
 * is marked by its mode (SPOOL_KEPT): so an older copy of the journal, which does not name it, does
 * not make it litter.
 */
#ifndef FP_DELIVERY_KEEP_H
#define FP_DELIVERY_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sink.h"
#include "delivery/settings.h"

/* From here on these names are of files with messages that have been through pipe_through: they
 * are not as they came, and do not pass through it again. */
void keep_name_passed(struct spool_names *names);
bool keep_is_passed(const char *name);

/* Where the file is (malloced), and its length: 0; or 1, there is none; or -1 with ERR_IO, that
 * cannot be seen now. *path is NULL unless 0. */
int keep_path(const char *state_dir, const char *name, char **path, uint64_t *octets,
              struct err *err);

/* Copies to a sink. fd is read from its beginning, by position; as `quoted` it is a spool file of
 * mboxform.h, and what that added is left out. ERR_IO. */
struct keep_source {
    int fd;
    const char *path; /* for error texts */
    bool quoted;
};
int keep_read(const struct keep_source *source, struct sink sink, struct err *err);

/* A new file with this content, durable with its name (settings->durable) once it returns.
 * ERR_CREATE, ERR_IO, ERR_LOCAL (disk full): then there is none. */
int keep_copy(const struct deliver_settings *settings, const struct keep_source *source,
              struct deliver_file *file, struct err *err);

/* Moves it to held/, or back to spool/, if it is not there; durably. */
int keep_hold(const struct deliver_settings *settings, const char *name, struct err *err);
int keep_free(const struct deliver_settings *settings, const char *name, struct err *err);

/* Marks it; takes the mark off, which is on the disk once this returns (settings->durable), also if
 * another run had taken it off. Nothing happens if it is not there. */
void keep_mark(const struct deliver_settings *settings, const char *name);
void keep_unmark(const struct deliver_settings *settings, const char *name);

/* It gets another name, in the folder in which it is; durably. Nothing happens if it has that
 * already. */
int keep_rename(const struct deliver_settings *settings, const char *name, const char *other,
                struct err *err);

/* It was delivered: removes it. */
void keep_remove(const struct deliver_settings *settings, const char *name);

/* Octets of all files in both folders, those of other mailboxes included. */
uint64_t keep_octets(const char *state_dir);

/* Looks through both folders for the mailbox's own files (settings->mailbox NULL: for those of all
 * mailboxes) that settings->keeps does not name, and calls found with each that is marked as kept;
 * `all`: also with each that may be a whole message as it came: not empty, nor a spool file of
 * mboxform.h. ERR_IO. */
struct keep_finder {
    void (*found)(void *ctx, const char *name, uint64_t octets);
    void *ctx;
    bool all;
};
int keep_find_unnamed(const struct deliver_settings *settings, const struct keep_finder *finder,
                      struct err *err);

/* Removes the mailbox's own files from both folders but those that settings->keeps, and what is
 * marked as kept: returns how many of those there are, or -1 and ERR_IO. */
int keep_sweep(const struct deliver_settings *settings, struct err *err);

#endif
