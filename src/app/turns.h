/* SPDX-License-Identifier: ISC */
/*
 * turns: which account is to be polled when. It deals in times only and knows nothing of processes.
 *
 * Each account has a turn, and each turn the moment at which it is due: at once when it is added.
 * Polled once (`every` is 0), a turn is gone after that, and its account with it. Polled again and
 * again, it comes back after the account's own interval, else after `every`, give or take a tenth,
 * so that many accounts are not polled at the same moments.
 */
#ifndef FP_APP_TURNS_H
#define FP_APP_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunks.h"
#include "session/account.h"

struct turn {
    struct turn *next, **link; /* link: what points to it */
    size_t number;             /* in the order in which they were added */
    size_t place;              /* among those that wait, from 1; 0: it does not */
    struct turn *parked;       /* the next one whose server has no room */
    struct account *account;
    int64_t due, begun; /* clock_ms() moments; begun: of the last poll, while it runs */
    int64_t not_before; /* the next poll, as the last one learned; 0: at any time */
    int64_t lost_told;  /* the pool's: when the loss of a worker was told last; 0: never */
    bool running;
    bool slept; /* the machine was asleep during its poll */
    int typed;  /* passwords typed for it and refused; again: another one was typed */
    bool again;
    bool hurried; /* to be polled now, ignoring pauses and intervals */
    bool leaving; /* not in the configuration file any more; gone when its poll ends */
};

struct turns {
    int64_t every; /* seconds; 0: each account is polled once */
    struct turn *first;
    struct turn **end; /* where the next one is linked in */
    size_t count, running, leaving, numbers;
    struct turn **waiting; /* a heap, by `due` */
    size_t waiting_count, waiting_room;
    struct lot *lots; /* those that are due, but their server has no room */
    uint64_t changes; /* grows whenever something may have become due or free */
    /* Of turns and who waits, and of accounts. Workers do not get them, so that a fork costs the
     * same however many there are. */
    struct chunks memory, accounts;
    size_t freed; /* octets of accounts that were moved there, roughly, since the last xtrim */
};

/* No turn yet; `every` in seconds. */
void turns_init(struct turns *turns, int64_t every);

/* Before any is added: the accounts are polled in this very process, and its commands, which are
 * forked, need them. */
void turns_share(struct turns *turns);

/* Frees all accounts, too. */
void turns_free(struct turns *turns);

/* Takes the account over, and moves it; it is due at once. */
void turns_add(struct turns *turns, struct account *account);

/* Of the turns that are due and not running, and whose server has room: the one that has waited
 * longest, the first added of those that waited equally long. NULL: none. A server that has none
 * gets room when a turn of its own ends, and is not asked about before; so a poll of each account
 * costs the same however many there are. */
struct turn *turns_due(struct turns *turns, int64_t now,
                       bool (*has_room)(const void *ctx, const struct account *account),
                       const void *ctx);

/* The moment at which the next turn becomes due, or CLOCK_NEVER: so, too, while one is due already,
 * since then it is room that is missing. */
int64_t turns_next(const struct turns *turns, int64_t now);

/* A worker has its copy of the account: if this was the only poll, the secrets go. */
void turns_begin(struct turns *turns, struct turn *turn, int64_t now);

/* The poll is over, or could not be begun. The turn may be gone after this. */
void turns_end(struct turns *turns, struct turn *turn, int64_t now);

/* All are due now, and hurried; one that runs is polled once more after that. */
void turns_hurry(struct turns *turns, int64_t now);

/* The machine was asleep for `ms` milliseconds, which our clock did not count: all moments become
 * that much earlier. What became due meanwhile is due TURNS_WAKE_MS from now: a network needs a
 * moment. */
#define TURNS_WAKE_MS 10000
void turns_slept(struct turns *turns, int64_t ms, int64_t now);

/* The account of the same mailbox, or NULL; borrowed. */
const struct account *turns_find(const struct turns *turns, const struct account *like);

/* Replaces all accounts by these, and takes them over, as turns_add does. One of the same mailbox
 * keeps its turn, a new one is due at once, and one that is not among them is removed, after its
 * poll if it runs. */
void turns_replace(struct turns *turns, struct account **accounts, size_t count);

#endif
