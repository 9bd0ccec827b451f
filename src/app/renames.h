/* SPDX-License-Identifier: ISC */
/*
 * renames: accounts whose server or user has another name than when their journal was begun.
 */
#ifndef FP_APP_RENAMES_H
#define FP_APP_RENAMES_H

#include "app/config.h"
#include "base/err.h"

/* Sets in each account the name that its journal goes by (configuration file and title) and, if it
 * has no journal but had one under another name, which one that is. The accounts of a config_file
 * "-" have no such name, so they are not found again. Of a shard nothing is looked for: who does
 * not know all accounts cannot tell which journal has lost its own. */
void renames_look(const struct config *config, const char *state_dir, const char *config_file);

/* On a terminal: is it still the same mailbox? Any answer but "yes" begins a new journal. */
void renames_ask(struct account *account);

/* --rename: the journal of "user@server" is this account's from now on. ERR_MESSAGE: there is none;
 * else see statedir_rename. */
int renames_move(const char *from, const struct account *account, const char *state_dir,
                 struct log *log, struct err *err);

#endif
