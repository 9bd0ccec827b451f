/* SPDX-License-Identifier: ISC */
/*
 * held: --status and --retry, which list the messages that could not be delivered, and release
 * them. Neither touches the network.
 */
#ifndef FP_SESSION_HELD_H
#define FP_SESSION_HELD_H

#include "base/err.h"
#include "session/account.h"

/* One line for each held or failing message of the account, and for what keeps it from being
 * polled, through `line`; changes nothing. */
int held_list(const struct account *account, const char *state_dir,
              void (*line)(void *ctx, const char *text), void *ctx, struct err *err);

/* Releases one message that is held, or kept here, or all of them with uidl NULL. *released: how
 * many. What is wrong with the journal goes to the log. */
int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 struct log *log, unsigned *released, struct err *err);

#endif
