/* SPDX-License-Identifier: ISC */
/*
 * rctext: the text of one configuration file, or of many small ones, one behind the other.
 *
 * libconfuse kills the process on a folder, so the file is opened, checked and read here. See
 * rcscan for what is done with the text before the parser sees it.
 */
#ifndef FP_APP_RCTEXT_H
#define FP_APP_RCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define RCTEXT_MAX (32 * 1024 * 1024) /* octets of one file, or of what a command prints */
#define RCTEXT_PIECE (1024 * 1024)    /* octets of small files in one text */

/* This many line ends may follow the text, so that in the end the parser's buffers hold them
 * instead of a password; the margins before the text and behind those are the parser's, too. */
#define RCTEXT_PADDING (20 * 1024)
#define RCTEXT_MARGIN (5 * 1024)

/* One file of the text. */
struct rctext_part {
    char *name;       /* for errors */
    unsigned first;   /* the line of the text that is its first one; the text's first is 1 */
    bool others_read; /* somebody else may read the file */
    bool is_input;    /* standard input, or what a command printed */
    dev_t device;
    ino_t inode;
};

struct rctext {
    char *data; /* its memory never moves, so that no copy of a password is left behind */
    size_t size, max;
    unsigned fault; /* the line that rcscan has refused; 0: none */
    unsigned lines; /* known to rcscan and rctext_append */
    struct rctext_part *parts;
    size_t part_count;
    unsigned *sections; /* the line of each brace that opens a section, in order (rcscan) */
    size_t section_count;
};

/* Opens path ("-": standard input), checks kind, owner, mode and size, and reads it. ERR_CONFIG
 * "FILE: what; what to do". On failure there is nothing to free. */
int rctext_read(struct rctext *text, const char *path, struct err *err);

/* The same for bytes that are in memory already (copied); includes are relative to `name`. */
int rctext_from(struct rctext *text, const char *name, const char *bytes, size_t size,
                struct err *err);

/* A text without a part, for RCTEXT_PIECE octets of small files. */
void rctext_begin(struct rctext *all);

/* Puts one text, which rcscan has seen, behind the others, and frees it. False, and nothing has
 * changed, if there is no room. */
bool rctext_append(struct rctext *all, struct rctext *one);

/* The part that this line is in. */
const struct rctext_part *rctext_part(const struct rctext *text, unsigned line);

/* The line of this number (1: the first) without its end; the last one if there are fewer. It lives
 * as long as the text. */
struct str rctext_line(const struct rctext *text, unsigned number);

/* True if `NAME =` stands somewhere in the line. */
bool rctext_sets(struct str line, const char *name);

/* True if the word follows a `key =` on the line and no `=` follows it: then it may be part of a
 * value without quotes. */
bool rctext_in_value(struct str line, const char *word);

/* Wipes and frees. */
void rctext_free(struct rctext *text);

#endif
