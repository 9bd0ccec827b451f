/* SPDX-License-Identifier: ISC */
/*
 * headers: the headers of many messages, by `TOP n 0` through the pipe.
 *
 * TOP is advice: nothing is delivered from it, and nothing is deleted because of it alone.
 */
#ifndef FP_SESSION_HEADERS_H
#define FP_SESSION_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/habits.h"

#define HEADERS_MAX (4u * 1024 * 1024)       /* octets of a header */
#define HEADERS_BODY_MAX (64u * 1024 * 1024) /* octets of a body that comes with it */

struct headers {
    struct pop3 *pop3;
    const uint32_t *numbers; /* borrowed */
    size_t count;
    int64_t until; /* clock_ms(): then no more is asked for, and no answer called; 0: no limit */
    /* What the answer brings, as it comes; true once the header has ended: the rest is skipped. */
    bool (*feed)(void *ctx, const char *bytes, size_t len);
    /* Called in order, once for each: `came` is false if the server refused, or nothing came: no
     * message is without a header, but a store that is away can look so. */
    void (*answer)(void *ctx, uint32_t number, bool came);
    void *ctx;
};

/* True unless the server's CAPA says that there is no TOP. */
bool headers_possible(struct pop3 *pop3);

/* The same, unless a connection has ended over it before. */
bool headers_may_ask(struct pop3 *pop3, const struct habits *habits);

/* Asks for all of them. -1: the connection is lost (as pop3_take); ERR_MESSAGE: over a TOP that
 * does not end. */
int headers_run(const struct headers *asked, struct err *err);

#endif
