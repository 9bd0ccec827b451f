/*
 * session: one account, one poll.
 *
 * Recover, connect, secure, log in, list, plan, then batches of fetch and commit, and at the end
 * delete, quit, report. Reads like the manual; holds no bytes of mail.
 */
#ifndef FP_SESSION_SESSION_H
#define FP_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "session/account.h"

/* What is told while it runs and at its end. Plain numbers: it crosses a pipe as it is. */
struct session_figures {
    uint32_t listed;         /* messages on the server */
    uint32_t planned;        /* to be fetched in this run */
    uint32_t fetched;        /* delivered, and journalled as done */
    uint32_t seen;           /* known from earlier runs */
    uint32_t deleted;        /* gone from the server: QUIT was answered with +OK */
    uint32_t failed;         /* could not be had or delivered in this run */
    uint32_t held;           /* given up after max_tries, now or before, and left on the server */
    uint32_t fresh;          /* with --check: new ones on the server */
    uint64_t octets;         /* delivered */
    uint64_t octets_planned; /* by LIST, of what was to be fetched */
    uint64_t octets_coming;  /* while it runs: received, and not delivered yet */
    int64_t next_try;        /* wall clock: not polled before that; 0: whenever you like */
    bool skipped;            /* not polled, since it is too early */
    bool quiet;              /* its error is not to be told: nobody looks on, and it is no news */
};

enum session_mode { SESSION_POLL, SESSION_CHECK, SESSION_DRY_RUN };

struct session_run {
    const struct account *account;
    const char *state_dir; /* absolute; made if missing */
    enum session_mode mode;
    bool attended; /* somebody looks on: all trouble is told */
    bool paced;    /* a daemon keeps the interval, and polls at once when it is asked to */
    bool hurried;  /* somebody asked for this poll: pauses do not count, refused secrets do */
    struct log *log;
    /* Called now and then while it works (at most ten times a second or so); NULL: never. */
    void (*progress)(void *ctx, const struct session_figures *figures);
    /* With SESSION_DRY_RUN: what would become of a message; NULL: nobody wants to know. */
    void (*answer)(void *ctx, const char *line);
    void *ctx;
    struct session_figures figures; /* the result */
};

/* Polls once. 0: ran well, mail or not. -1: err is the worst thing that happened; figures hold what
 * was done all the same. Messages that failed alone were logged; err then has kind ERR_MESSAGE (or
 * ERR_AGAIN if all of them may work later). */
int session_poll(struct session_run *run, struct err *err);

/* --status: one line for each held or failing message of the account, and for what keeps it from
 * being polled, through `line`; touches no network and changes nothing. */
int session_status(const struct account *account, const char *state_dir,
                   void (*line)(void *ctx, const char *text), void *ctx, struct err *err);

/* --retry: releases one held message, or all of them with uidl NULL. *released: how many. */
int session_retry(const struct account *account, const char *state_dir, const char *uidl,
                  unsigned *released, struct err *err);

#endif
