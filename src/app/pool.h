/* SPDX-License-Identifier: ISC */
/*
 * pool: many accounts, each in a forked worker of its own, so that one that crashes, hangs or leaks
 * affects no other.
 *
 * A worker is a process group of its own (Ctrl-C reaches the parent alone), and its events come
 * over a pipe. The first INT or TERM to the parent is passed on as TERM, and no further account is
 * begun; the second one kills, and the journal makes that safe.
 */
#ifndef FP_APP_POOL_H
#define FP_APP_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "app/report.h"
#include "app/turns.h"
#include "app/worker.h"
#include "session/account.h"
#include "session/session.h"

/* May be changed between two steps; workers that run already are not touched by it. */
struct pool_job {
    const char *state_dir;
    enum worker_task task;
    const struct worker_look *look; /* of WORKER_LOOK */
    enum session_mode mode;         /* of WORKER_POLL, as the next */
    struct session_switches switches;
    unsigned jobs, max_per_server;
    bool no_fork;
    bool hurried; /* somebody is there, or has named the accounts: no pause keeps them away */
};

/* Polls each account once; results go to the report, and with them the exit status. */
void pool_run(const struct pool_job *job, struct turns *turns, struct report *report);

/* The same step by step, for a caller that has other things to do in between. All three are
 * borrowed until pool_free. */
struct pool *pool_new(const struct pool_job *job, struct turns *turns, struct report *report);

/* Once nothing runs. */
void pool_free(struct pool *pool);

/* Passes on INT and TERM, begins what is due, and waits for something to happen: an event of a
 * worker, a turn that becomes due, a signal, or the moment `until` (CLOCK_NEVER: none). */
void pool_step(struct pool *pool, int64_t until);

/* How many workers there are. */
size_t pool_running(const struct pool *pool);

/* When a worker is given up and its group killed, in milliseconds from its start. */
int64_t pool_limit_ms(const struct account *account);

#endif
