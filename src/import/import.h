/* SPDX-License-Identifier: ISC */
/*
 * import: the configuration files of other fetchers, as fetchpop's. One file here for each of them,
 * and a row in import.c. Pure.
 */
#ifndef FP_IMPORT_IMPORT_H
#define FP_IMPORT_IMPORT_H

#include <stdbool.h>

#include "base/err.h"
#include "import/sheet.h"
#include "import/translate.h"

/* One program. */
struct import_program {
    const char *name;
    /* Where it has its configuration, the first that is there; ~ is the home folder. The last is
     * NULL. */
    const char *files[3];
    const char *seen; /* where it has its list of what was fetched, as a person would be told */
    const char *seen_file; /* the same as a path: %s is the server, %p the port, %u the user; NULL:
                            * only its configuration knows */
    /* Reads the text, and adds to `to` a sheet for each account. `top` gets notes that belong to
     * none. */
    void (*read)(struct str text, const struct translate_place *place, struct sheets *to,
                 struct sheet *top);
    /* Does this look like its file, and not like fetchpop's? */
    bool (*looks)(struct str text);
};

extern const struct import_program import_fetchmail, import_mpop, import_getmail, import_fdm;

/* The program of this name; the one whose file this text is, by its looks; NULL: none. */
const struct import_program *import_find(const char *name);
const struct import_program *import_recognise(struct str text);

/* All of them, with NULL at the end; static. */
const struct import_program *const *import_programs(void);

/* Names of all, as "fetchmail, mpop, getmail or fdm"; static. */
const char *import_names(void);

/* One import, of one file or of several. */
struct import {
    const struct import_program *program;
    struct sheets sheets;
    struct sheets top; /* one sheet: what belongs to no account */
};

/* Begins with no file; ends it. */
void import_begin(struct import *import, const struct import_program *program);
void import_end(struct import *import);

/* Takes over what one file says. ERR_CONFIG: there is no account in it. */
int import_add(struct import *import, struct str text, const struct translate_place *place,
               struct err *err);

/* If all accounts are left out the first of them, whose left_out says why; else NULL. */
const struct sheet *import_left_out(const struct import *import);

/* Appends fetchpop's configuration for all of it. */
void import_spell(const struct import *import, struct buf *out);

#endif
