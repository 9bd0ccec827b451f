/*
 * pool: many accounts, each in a forked worker of its own, so that one that crashes, hangs or leaks
 * hurts itself alone.
 *
 * A worker is a process group of its own (Ctrl-C reaches the parent alone), and its events come
 * over a pipe. The first INT or TERM to the parent is passed on as TERM, and no further account is
 * begun; the second one kills, and the journal makes that safe.
 */
#ifndef FP_APP_POOL_H
#define FP_APP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/report.h"
#include "app/worker.h"
#include "session/account.h"
#include "session/session.h"

struct pool_job {
    struct account **accounts; /* those to be polled; each is freed, and set to NULL, when done */
    size_t count;
    const char *state_dir;
    enum worker_task task;
    enum session_mode mode; /* of WORKER_POLL */
    unsigned jobs, max_per_server;
    bool no_fork;
};

/* Polls them all; results go to the report, and with them the exit status. */
void pool_run(const struct pool_job *job, struct report *report);

/* When a worker is given up and its group killed, in milliseconds from its start. */
int64_t pool_limit_ms(const struct account *account);

#endif
