/* SPDX-License-Identifier: ISC */
/*
 * plan: what is to be done with each message of a listing. What is known, the rules and the time
 * in; one action each out.
 */
#ifndef FP_SESSION_PLAN_H
#define FP_SESSION_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "session/account.h"
#include "session/run.h"
#include "state/journal.h"

enum plan_action {
    PLAN_LEAVE,  /* stays as it is */
    PLAN_FETCH,  /* RETR and deliver */
    PLAN_RETRY,  /* the same, but after all others: it failed before */
    PLAN_ALONE,  /* the same, on a connection of its own: an earlier one broke over it */
    PLAN_DELETE, /* delivered by an earlier run: DELE once size and header are seen to match */
    PLAN_DUE,    /* old enough to be deleted, as seen today: stays, and the day is noted */
    PLAN_REFUSE, /* longer than max_size: not asked for, counted as a failure */
    PLAN_STUB    /* TOP, and deliver that */
};

struct plan_rules {
    const struct account *account; /* borrowed */
    struct session_switches switches;
    int64_t now;        /* wall clock, seconds */
    bool clock_doubted; /* nothing is decided by age */
};

struct plan_message {
    uint64_t size;              /* by LIST; 0: unknown */
    enum journal_state known;   /* JOURNAL_FREE: new */
    enum journal_policy policy; /* DONE: it was delivered under this one */
    int64_t first_seen;         /* wall clock, seconds */
    int64_t due;                /* DONE: the first day (since 1970) of PLAN_DUE; 0: none yet */
    bool unsure;                /* it may turn out to be delivered: it counts once it came */
};

/* What the journal knows of the message with this entry's id (JOURNAL_NONE: nothing). */
struct plan_message plan_look_up(const struct plan_rules *rules, const struct journal *journal,
                                 uint32_t id, uint64_t size);

/* What this run gave PLAN_FETCH, PLAN_RETRY or PLAN_ALONE so far, for max_messages and max_bytes.
 * Zeroed at first. */
struct plan_spent {
    uint32_t messages;
    uint64_t octets; /* by LIST */
    bool full;       /* one was too long for the rest of max_bytes: what is behind it waits too */
    uint32_t ahead;  /* this many more are given that, beyond both limits, to be judged by rules */
    uint32_t copies; /* this many that nothing can be told of yet may be unsure */
};

/* One more is to be fetched, of this size by LIST. */
void plan_spend(struct plan_spent *spent, uint64_t size);

/* Is there room below max_messages and max_bytes for one more, of this size? */
bool plan_has_room(const struct account *account, uint64_t size, struct plan_spent *spent);

/* Decides about one message, and adds to `spent` what is to be fetched. max_bytes always lets the
 * first one through. */
enum plan_action plan_decide(const struct plan_rules *rules, const struct plan_message *message,
                             struct plan_spent *spent);

/* True if what was found old enough on that day (since 1970; 0: never) may be deleted if it is
 * found so again by now. */
bool plan_was_due(const struct plan_rules *rules, int64_t due);

/* True if a message delivered in this run may be deleted at once. */
bool plan_deletes_new(const struct plan_rules *rules);

/* True if max_messages or max_bytes may leave messages to the next run. */
bool plan_is_limited(const struct plan_rules *rules);

/* True if a message delivered in this run stays on the server. If not, and this run may not delete
 * it (-k), a later one does. */
bool plan_keeps_new(const struct plan_rules *rules);

#endif
