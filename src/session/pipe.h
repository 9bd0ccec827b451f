/* SPDX-License-Identifier: ISC */
/*
 * pipe: many commands through one window, answers handled as they come.
 *
 * The window is topped up with each answer and never left to drain; with a window of 1 this is the
 * lock-step of a server without PIPELINING.
 */
#ifndef FP_SESSION_PIPE_H
#define FP_SESSION_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"

struct pipeline {
    struct pop3 *pop3;
    void *ctx;
    /* The next command to send: 1; none now: 0 (asked again after each answer); -1 ends it all. */
    int (*next)(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err);
    /* Where lines and bodies of the answer about to be read go; NULL: nowhere. */
    const struct pop3_taker *taker;
    /* One whole answer. taken is 0, or -1 with the taker's error (the connection is fine). -1 ends
     * the pipe with err. */
    int (*answer)(void *ctx, const struct pop3_answer *answer, int taken, struct err *err);
};

/* Runs until there is nothing to send and nothing outstanding. -1: the connection is lost, or
 * answer or next said so; *broken (may be NULL) is then the answer that broke off: number 0 if it
 * was none, reply.kind REPLY_JUNK if no valid status line of it was read. */
int pipe_run(const struct pipeline *pipe, struct pop3_answer *broken, struct err *err);

#endif
