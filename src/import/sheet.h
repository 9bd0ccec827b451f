/* SPDX-License-Identifier: ISC */
/*
 * sheet: what one account of a configuration file says, as words: read from another program's file
 * under that program's names, and translated into fetchpop's. Pure.
 */
#ifndef FP_IMPORT_SHEET_H
#define FP_IMPORT_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SHEET_NOTE "#" /* the name of an entry that becomes a comment */

struct sheet_entry {
    char *name, *value; /* value "": it was given none */
    unsigned line;      /* of the file it came from; 0: of none */
};

struct sheet {
    char *title;
    char *left_out; /* why it cannot become an account; NULL: it can */
    char *seen;     /* where the program has its list of what was fetched; NULL: it does not say */
    struct sheet_entry *entries;
    size_t count;
};

struct sheets {
    struct sheet *at;
    size_t count;
};

/* A new sheet at the end, with all that `base` says (NULL: nothing). It lives until the next one is
 * made: the array moves. */
struct sheet *sheets_add(struct sheets *sheets, const char *title, const struct sheet *base);

/* Wipes, since there may be secrets, and frees. */
void sheets_free(struct sheets *sheets);

/* Of several entries of one name the last one counts, and the first keeps its place. */
void sheet_set(struct sheet *sheet, const char *name, const char *value, unsigned line);

/* As sheet_set, the value as printf makes it. */
void sheet_setf(struct sheet *sheet, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A comment. */
void sheet_note(struct sheet *sheet, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The entry of this name, or NULL; and its value, or NULL. */
const struct sheet_entry *sheet_find(const struct sheet *sheet, const char *name);
const char *sheet_value(const struct sheet *sheet, const char *name);

/* True if it is there, and its value is yes, on, true or 1, or none: the bare word. */
bool sheet_is_on(const struct sheet *sheet, const char *name);

/* True if this value turns something off: no, off, false, 0. */
bool sheet_means_off(const char *value);

#define SHEET_TITLE_SIZE 65 /* with the NUL; see fetchpoprc(5) */

/* A text as the title of an account, which also names files: without what none may have. Where it
 * is too long it is cut behind a whole character, and ends in a digest, so that no two have the
 * same one. */
void sheet_title(const char *text, char title[SHEET_TITLE_SIZE]);

/* The title under which this account is spelled, which is none of the earlier sheets'. */
void sheets_title(const struct sheets *sheets, size_t which, char title[SHEET_TITLE_SIZE]);

/* Appends the account as the configuration file has it, under its sheets_title. One that is left
 * out, or is the mailbox of an earlier one, becomes a comment. */
void sheets_spell(const struct sheets *sheets, size_t which, struct buf *out);

/* Appends a comment of one line, whatever is in the text. */
void sheet_spell_note(const char *indent, const char *text, struct buf *out);

/* A text as a value of the configuration file, in quotes if it needs them. */
void sheet_spell_value(const char *value, struct buf *out);

#endif
