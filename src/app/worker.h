/* SPDX-License-Identifier: ISC */
/*
 * worker: one account, polled, or asked for its server's pin; and what it tells its parent.
 */
#ifndef FP_APP_WORKER_H
#define FP_APP_WORKER_H

#include <stdint.h>

#include "app/metrics.h"
#include "base/err.h"
#include "base/log.h"
#include "session/account.h"
#include "session/look.h"
#include "session/session.h"

enum event_kind {
    EVENT_LINE,     /* text, for a person; number is its enum log_level */
    EVENT_ANSWER,   /* text, for standard output */
    EVENT_PROGRESS, /* figures so far */
    EVENT_RECORD, /* text, the next piece of a message's record (app/json.h); number: 1 if it is the
                     * last one */
    EVENT_RESULT  /* figures at the end; number is the enum err_kind, text its words */
};

/* Of one size, so that a pipe needs no framing; both ends are the same program. */
struct event {
    uint32_t kind;
    uint32_t number;
    struct session_figures figures;
    bool measured; /* EVENT_RESULT: there is this */
    struct metrics_account measures;
    char text[ERR_TEXT_MAX]; /* NUL-terminated; cut if longer */
};

enum worker_task { WORKER_POLL, WORKER_PIN, WORKER_LOOK, WORKER_DOCTOR };

/* Of WORKER_LOOK: see session/look.h. */
struct worker_look {
    enum look_what what;
    const char *uidl;
    bool whole, yes; /* yes: nobody is asked */
};

struct worker_job {
    enum worker_task task;
    const struct worker_look *look;
    struct account *account; /* gets its password here */
    const char *state_dir;
    enum session_mode mode;
    struct session_switches switches;
    bool attended; /* somebody is watching */
    bool paced;    /* the caller keeps the intervals */
    bool hurried;  /* pauses after failures do not count in this poll */
    bool alone;    /* a process of its own, which may enter the account's sandbox for good */
    bool measured; /* its condition is wanted, too */
    bool records;  /* of each message that is delivered, a record is wanted */
    enum log_level level;
    void (*emit)(void *ctx, const struct event *event);
    void *ctx;
};

/* Fetches the secret, polls, and emits lines, progress and at last exactly one EVENT_RESULT. Or
 * shows the pin of the server's key, for which no secret is fetched but that of our own key. From
 * here on a file that grows beyond its limit is an error (EFBIG), not a signal. */
void worker_run(const struct worker_job *job);

#endif
