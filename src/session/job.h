/*
 * job: what one poll keeps over its connections. Owned by session.c.
 */
#ifndef FP_SESSION_JOB_H
#define FP_SESSION_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "delivery/deliver.h"
#include "session/plan.h"
#include "session/session.h"
#include "state/journal.h"

/* What one poll keeps over its connections. Owned by session.c. */
struct fetch_job {
    struct session_run *run;
    struct journal *journal;
    struct deliver *deliver;
    struct plan_rules rules;
    int64_t deadline; /* clock_ms(): no new message is begun after it */
    bool cut_short;   /* it passed, or INT or TERM came, with messages left */
    uint32_t later;   /* messages that may work later: not counted as tries */
    uint32_t refused; /* messages that failed: counted */
    uint32_t blamed;  /* framing faults that a message was blamed for */
    bool alone;       /* this connection is for messages that an earlier one broke over */
    bool careful; /* the two sides went out of step and no message could be blamed: one at a time */
    struct err local; /* trouble on our side of the wire; kind ERR_NONE: none */
};

#endif
