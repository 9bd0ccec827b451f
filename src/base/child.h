/*
 * child: one command, /bin/sh -c, in a process group of its own, with a deadline.
 *
 * Every descriptor but 0, 1 and 2 is closed in it; signals are as at birth. When the deadline
 * passes, its whole group gets TERM and, if any of it is left two seconds later, KILL. The command
 * itself is always waited for. If it ends by itself and leaves something in the background, that
 * one is left alone, even where it holds the pipes open.
 */
#ifndef FP_BASE_CHILD_H
#define FP_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

struct child_job {
    const char *command;     /* for /bin/sh -c */
    int input;               /* its standard input, or -1 for /dev/null; stays the caller's */
    struct buf *output;      /* where standard output goes (cap: its maximum), NULL: /dev/null;
                                * up to 2 SECRET_MAX it never moves: wipe data, free it */
    const char *const *env;  /* NULL, or "NAME=value" that add to or replace ours; then NULL */
    int64_t deadline;        /* clock_ms() moment */
    bool stoppable;          /* INT or TERM to us ends it too */
    const struct log *log;   /* where its standard error goes: up to 20 warnings, log_quoted */
    void (*idle)(void *ctx); /* called at least every second while it runs; NULL: none */
    void *idle_ctx;
};

enum child_end { CHILD_EXITED, CHILD_SIGNALLED, CHILD_TIMEOUT, CHILD_STOPPED };

struct child_result {
    enum child_end end;
    int code;      /* exit status, or the signal; of a TIMEOUT or STOPPED one, either */
    bool overflow; /* it printed more than output may hold */
};

/* 0 and *result once the command ran, however it ended; -1 (ERR_SYSTEM) if it could not start. */
int child_run(const struct child_job *job, struct child_result *result, struct err *err);

#endif
