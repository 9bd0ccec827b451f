/* SPDX-License-Identifier: ISC */
/*
 * hooks: commands of the configuration file around a run, and behind a poll that brought mail.
 *
 * None of them decides about a message. What goes wrong with one is logged as a warning; only
 * `before` may keep a run from beginning. Each ends after HOOKS_SECONDS, or at INT or TERM.
 */
#ifndef FP_APP_HOOKS_H
#define FP_APP_HOOKS_H

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "session/run.h"

#define HOOKS_SECONDS 300

/* Before the first poll. -1 (ERR_AGAIN) if it says 75: not now. command NULL: 0. */
int hooks_before(const char *command, const struct log *log, struct err *err);

/* Behind the last one; it gets the exit status of the run. command NULL: nothing. */
void hooks_after(const char *command, int status, const struct log *log);

/* The messages of one poll, for after_new. Starts zeroed. */
struct hooks_new {
    const struct account *account;
    FILE *list; /* NULL: there is no after_new, or it cannot be written */
};

/* Makes the list, where the temporary folder can still be written to. */
void hooks_new_begin(struct hooks_new *news);
/* Adds a message's record (app/json.h), which gets its line end. */
void hooks_new_add(struct hooks_new *news, struct str record);

/* Runs after_new if the account has one and anything was delivered; frees what it holds. */
void hooks_new_end(struct hooks_new *news, uint32_t delivered, const struct log *log);

#endif
