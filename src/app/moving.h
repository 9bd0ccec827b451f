/* SPDX-License-Identifier: ISC */
/*
 * moving: moving in from another fetcher, and from another machine.
 */
#ifndef FP_APP_MOVING_H
#define FP_APP_MOVING_H

#include "app/options.h"
#include "app/report.h"
#include "app/roster.h"
#include "base/err.h"
#include "import/import.h"

/* --import: prints the configuration files of another program (none named: where that one has it)
 * as one of fetchpop's. ERR_USAGE, ERR_CONFIG: also if what was printed is not complete yet; what
 * is missing is said. */
int moving_import(const struct options *options, struct err *err);

/* The program of --import; NULL, ERR_USAGE: there is none of this name. */
const struct import_program *moving_program(const char *name, struct err *err);

#define MOVING_NAME "what is printed" /* what its text is called in errors, by line */

/* Where the program has its configuration: the first that can be read, else the usual one. */
const char *moving_file(const struct import_program *program);

/* Reads those files into an import that was begun; secret_ok: passwords may be copied from them.
 * ERR_CONFIG also if none of the accounts can be taken over. */
int moving_read(struct import *import, const struct options *options, bool secret_ok,
                struct err *err);

/* Takes a program's list into one account's journal; *taken: how many of it are known now.
 * ERR_CONFIG: there is nothing of this account in it. */
struct moving_to {
    const struct account *account;
    const char *state_dir;
    struct log *log;
};
int moving_adopt(const struct moving_to *to, const char *program, const char *path, uint32_t *taken,
                 struct err *err);

/* --import-seen: takes the list into the journals of the roster's accounts: of those whose server
 * and user it names, or, if it names none, of the one there is. Reports what was done. */
void moving_import_seen(const struct options *options, const struct roster *roster,
                        struct report *report);

/* --export-state, --import-state: the journal of the roster's account, to standard output or from
 * standard input. */
void moving_export_state(const struct roster *roster, struct report *report);
void moving_import_state(const struct roster *roster, struct report *report);

#endif
