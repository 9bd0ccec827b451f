/* SPDX-License-Identifier: ISC */
/*
 * translate: from another program's words to fetchpop's, row by row, and what the four readers have
 * in common. Pure.
 */
#ifndef FP_IMPORT_TRANSLATE_H
#define FP_IMPORT_TRANSLATE_H

#include "base/str.h"
#include "import/sheet.h"

/* What becomes of words of the other program. */
struct translate_row {
    const char *names; /* with blanks between them */
    const char *key;   /* ours for the same value, unless that is empty or off; NULL: see why */
    const char *unit;  /* put behind the value */
    /* key NULL: the reason for which they are left out, unless they are off; NULL: they are seen to
     * elsewhere, or mean nothing that is missed */
    const char *why;
};

/* Applies the rows to each entry, in the file's order, and takes the comments over; what is in no
 * row is noted as unknown. */
void translate_rows(const struct translate_row *rows, size_t count, const struct sheet *from,
                    struct sheet *to);

/* The secret of the entry `name`, as it may be written here: copied if `secret_ok`, else named by
 * its file and line; server and user are there already. Nothing if it is not there, or empty. */
struct translate_place {
    const char *file;
    const char *folder; /* where that is, from / on; NULL: it is no file */
    bool secret_ok;
    const char *user; /* the login name of whoever runs this; NULL: it has none */
};
void translate_secret(const struct sheet *from, const char *name,
                      const struct translate_place *place, struct sheet *to);

/* A port that is the name of a service as its number. */
void translate_port(struct sheet *to);

/* Replaces each `mark` in a text, with quotes right around it, by `by`; malloced. */
char *translate_fill(const char *text, const char *mark, const char *by);

/* The same for several marks; the list ends with one that is NULL. */
struct translate_mark {
    const char *mark, *by;
};
char *translate_fill_all(const char *text, const struct translate_mark *marks);

/* Appends one word of a command line, quoted for the shell where that is needed; ~/ in front stays
 * the home folder. */
void translate_quote(const char *word, struct buf *out);

/* The same as a text of its own; malloced. */
char *translate_quoted(const char *word);

/* The first word of the first line that is neither empty nor a comment, and what follows it in
 * `rest`, up to the end of the text. */
struct str translate_first(struct str text, struct str *rest);

#endif
