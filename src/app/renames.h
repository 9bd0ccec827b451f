/* SPDX-License-Identifier: ISC */
/*
 * renames: accounts whose server or user has another name than when their journal was begun.
 */
#ifndef FP_APP_RENAMES_H
#define FP_APP_RENAMES_H

#include <stdbool.h>

#include "app/config.h"
#include "app/report.h"
#include "base/err.h"

/* Sets in each account the name that its journal goes by (configuration file and title) and, if it
 * has no journal but had one under another name, which one that is. The accounts of a config_file
 * "-" have no such name, so they are not found again. Of a shard nothing is looked for: who does
 * not know all accounts cannot tell which journal has lost its own.
 *
 * Mail that is kept for a mailbox that no account of the file has any more is told: as a warning if
 * an account has no journal yet, which may be that one, or `asked`; else as a note. */
void renames_look(const struct config *config, const char *state_dir, const char *config_file,
                  bool asked, struct report *report);

/* On a terminal: is it still the same mailbox? Any answer but "yes" begins a new journal. */
void renames_ask(struct account *account);

/* --rename: the journal of "user@server" is this account's from now on. ERR_MESSAGE: there is none;
 * else see statedir_rename. */
int renames_move(const char *from, const struct account *account, const char *state_dir,
                 struct log *log, struct err *err);

#endif
