/* SPDX-License-Identifier: ISC */
/*
 * child: one command, /bin/sh -c, in a process group of its own, with a deadline.
 *
 * Started by base/spawn. When the deadline passes, its whole group gets TERM and, if any of it is
 * left two seconds later, KILL. The command itself is always waited for. If it ends by itself and
 * leaves something running in the background, that is left alone, even where it holds the pipes
 * open.
 */
#ifndef FP_BASE_CHILD_H
#define FP_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/sink.h"

struct child_job {
    const char *command;     /* for /bin/sh -c */
    int input;               /* its standard input, or -1 for /dev/null; stays the caller's */
    struct buf *output;      /* where standard output goes, up to its maximum; NULL: /dev/null. It
                              * may be a secret: with a maximum of up to 2 SECRET_MAX bytes the
                              * buffer is allocated once, so that wiping it leaves no copy */
    const struct sink *sink; /* or this gets it as it comes; once it fails, nothing more is read */
    const char *const *env;  /* as in struct spawn */
    int64_t deadline;        /* clock_ms() moment */
    bool stoppable;          /* INT or TERM to us ends it like a deadline ... */
    int spared;              /* ... but for the first so many */
    const struct log *log;   /* gets its standard error as warnings, see spawn_stderr */
    void (*idle)(void *ctx); /* called at least every second while it runs; NULL: none */
    void *idle_ctx;
};

enum child_end { CHILD_EXITED, CHILD_SIGNALLED, CHILD_TIMEOUT, CHILD_STOPPED };

struct child_result {
    enum child_end end;
    int code;      /* exit status, or the signal; of a TIMEOUT or STOPPED one, either */
    bool overflow; /* it printed more than output may hold */
};

/* 0 and *result once the command ran, however it ended; -1: it could not start (ERR_SYSTEM), or the
 * sink failed, whose error it is, once the command has ended. */
int child_run(const struct child_job *job, struct child_result *result, struct err *err);

#endif
