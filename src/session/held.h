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

/* Releases one message that is held, or kept here, or all of them with uidl NULL. What is wrong
 * with the journal goes to the log. */
struct held_released {
    unsigned count;
    unsigned unnamed; /* files beside that which the journal should name, and does not: a run enters
                       * and delivers them */
};
int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 struct log *log, struct held_released *released, struct err *err);

#endif
