/* SPDX-License-Identifier: ISC */
/*
 * roster: the accounts that are to be polled, from the configuration file and the command line.
 */
#ifndef FP_APP_ROSTER_H
#define FP_APP_ROSTER_H

#include <stddef.h>

#include "app/keys.h"
#include "app/options.h"
#include "app/report.h"
#include "app/turns.h"
#include "base/err.h"
#include "session/account.h"

struct roster {
    struct account **accounts; /* those named, else those enabled; owned */
    size_t count;
    struct keys_top top; /* with jobs and state_dir as this run has them */
};

/* Reads the configuration file; secrets are not looked for yet. What its accounts_command says goes
 * to the report. On failure (as config_read; ERR_USAGE: a name that is not an account) there is
 * nothing to free. */
int roster_read(struct roster *roster, const struct options *options, struct report *report,
                struct err *err);

/* Wipes the secrets, too. */
void roster_free(struct roster *roster);

/* Finds the secrets that are the parent's task (see app/secrets.h). Accounts without one are
 * reported as failed, and are not in the roster after this; the others go on. With `before` (the
 * accounts so far) nobody is asked on the terminal; what was typed for one of those is used for the
 * same mailbox here. */
void roster_find_secrets(struct roster *roster, const struct turns *before, struct report *report);

#endif
