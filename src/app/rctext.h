/*
 * rctext: the text of one configuration file.
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

#define RCTEXT_MAX (1024 * 1024) /* octets of one file */

/* This many line ends follow the text, so that in the end the parser's buffers hold them instead of
 * a password. */
#define RCTEXT_PADDING (20 * 1024)

struct rctext {
    char *name; /* for errors */
    char *data; /* size octets of text and the padding */
    size_t size;
    bool others_read; /* somebody else may read the file */
    bool is_input;    /* standard input */
    dev_t device;
    ino_t inode;
    unsigned fault;     /* the line that rcscan has refused; 0: none */
    unsigned *sections; /* the line of each brace that opens a section, in order (rcscan) */
    size_t section_count;
};

/* Opens path ("-": standard input), checks kind, owner, mode and size, and reads it. ERR_CONFIG
 * "FILE: what; what to do". On failure there is nothing to free. */
int rctext_read(struct rctext *text, const char *path, struct err *err);

/* The same for bytes that are in memory already (copied). */
int rctext_from(struct rctext *text, const char *name, const char *bytes, size_t size,
                struct err *err);

/* The line of this number (1: the first) without its end; the last one if there are fewer. It lives
 * as long as the text. */
struct str rctext_line(const struct rctext *text, unsigned number);

/* True if the word follows a `key =` on the line and no `=` follows it: then it may be part of a
 * value without quotes. */
bool rctext_in_value(struct str line, const char *word);

/* Wipes and frees. */
void rctext_free(struct rctext *text);

#endif
