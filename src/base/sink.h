/* SPDX-License-Identifier: ISC */
/*
 * sink: where the body of a message goes. pop3 writes into one without knowing that files exist;
 * delivery gives one out without knowing that a network exists.
 */
#ifndef FP_BASE_SINK_H
#define FP_BASE_SINK_H

#include <stddef.h>

#include "base/err.h"

struct sink {
    /* Takes all len bytes or fails. They are in stored form: dots unstuffed, CRLF made LF. */
    int (*write)(void *ctx, const char *bytes, size_t len, struct err *err);
    void *ctx;
};

#endif
