/*
 * top: fingerprints of messages on the server, by `TOP n 0` through the pipe.
 *
 * TOP is advice: nothing is delivered from it, and nothing is deleted because of it alone.
 */
#ifndef FP_SESSION_TOP_H
#define FP_SESSION_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "state/journal.h"

struct top {
    struct pop3 *pop3;
    const uint32_t *numbers; /* borrowed */
    size_t count;
    /* Called in order, once for each: fingerprint->known is false if the server refused, or sent a
     * header of more than TOP_HEADER_MAX octets. */
    void (*fingerprint)(void *ctx, uint32_t number, const struct fingerprint *fingerprint);
    void *ctx;
};

#define TOP_HEADER_MAX (4u * 1024 * 1024)

/* True unless the server's CAPA says that there is no TOP. */
bool top_is_possible(struct pop3 *pop3);

/* Asks for all of them. -1: the connection is lost (as pop3_take). */
int top_run(const struct top *top, struct err *err);

#endif
