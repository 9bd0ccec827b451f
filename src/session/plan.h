/*
 * plan: what is to be done with each message of a listing. Pure: what is known, the rules and the
 * time in; one action each out.
 */
#ifndef FP_SESSION_PLAN_H
#define FP_SESSION_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "state/journal.h"

enum plan_action {
    PLAN_LEAVE,  /* stays as it is */
    PLAN_FETCH,  /* RETR and deliver */
    PLAN_RETRY,  /* the same, but after all others: it failed before */
    PLAN_ALONE,  /* the same, on a connection where nothing else is at stake: one broke over it */
    PLAN_DELETE, /* delivered by an earlier run: DELE once size and header are seen to match */
    PLAN_REFUSE  /* longer than max_size: not asked for, counted as a failure */
};

struct plan_rules {
    enum { PLAN_KEEP, PLAN_NOKEEP, PLAN_KEEP_FOR } keep;
    int64_t keep_seconds;  /* PLAN_KEEP_FOR: delete when first seen that long ago */
    bool fetch_seen;       /* -a: fetch what earlier runs have delivered, too */
    bool never_delete;     /* -k: this run deletes nothing */
    bool flush;            /* -F: delete what earlier runs have delivered and kept */
    uint64_t max_size;     /* octets; 0: none */
    uint32_t max_messages; /* fetched in one run; 0: none */
    uint16_t max_tries;    /* failures before a message is held */
    int64_t now;           /* wall clock, seconds */
};

struct plan_message {
    uint64_t size;            /* by LIST; 0: unknown */
    enum journal_state known; /* JOURNAL_FREE: new */
    bool keep;                /* DONE: the policy it was delivered under */
    int64_t first_seen;       /* wall clock, seconds */
};

/* Decides about one message. *fetched counts what was given PLAN_FETCH, PLAN_RETRY or PLAN_ALONE so
 * far, for max_messages; start with 0. */
enum plan_action plan_decide(const struct plan_rules *rules, const struct plan_message *message,
                             uint32_t *fetched);

/* May a message delivered in this run be deleted at once? */
bool plan_deletes_new(const struct plan_rules *rules);

#endif
