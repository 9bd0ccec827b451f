/* SPDX-License-Identifier: ISC */
/*
 * held: --status and --retry, which list the messages that could not be delivered, and release
 * them. Neither touches the network.
 */
#ifndef FP_SESSION_HELD_H
#define FP_SESSION_HELD_H

#include "base/err.h"
#include "session/account.h"
#include "session/condition.h"

/* Gets what is found: how the account is doing, then a line for each message that is held or
 * failing, and for what keeps the account from being polled. */
struct held_listener {
    void (*condition)(void *ctx, const struct condition *condition);
    void (*line)(void *ctx, const char *text); /* NULL: lines are not wanted */
    void *ctx;
};

/* Looks at the account's journal and its note, once each; changes nothing. */
int held_list(const struct account *account, const char *state_dir,
              const struct held_listener *listener, struct err *err);

/* Releases one message that is held, or kept here, or all of them with uidl NULL. *released: how
 * many. What is wrong with the journal goes to the log. */
int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 struct log *log, unsigned *released, struct err *err);

#endif
