/* SPDX-License-Identifier: ISC */
/*
 * buf: bytes that grow, up to a maximum that is fixed from the start.
 *
 * A buffer owns its memory; buf_free wipes nothing (see secret_buf_init). Adding past the maximum
 * fails and changes nothing, so that no peer decides how much memory we use.
 */
#ifndef FP_BASE_BUF_H
#define FP_BASE_BUF_H

#include <stddef.h>

#include "base/str.h"

struct buf {
    char *data; /* NULL while empty; not NUL-terminated */
    size_t len;
    size_t cap;
    size_t max;
};

/* Empty, and never longer than max octets; allocates nothing yet. */
void buf_init(struct buf *buf, size_t max);
/* Gives the memory back; the buffer is empty and may be used again. */
void buf_free(struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the memory */

/* 0, or -1 if it would pass the maximum (nothing added). */
int buf_add(struct buf *buf, const void *bytes, size_t len);
int buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for at least len more bytes at data + len: a pointer to it, or NULL past the maximum. The
 * caller writes there and adds to len. */
char *buf_reserve(struct buf *buf, size_t len);

/* A view of what is in it, good until it is added to or freed. */
struct str buf_str(const struct buf *buf);

/* What is in it as a text with a NUL behind it, malloced; the buffer is freed. */
char *buf_end(struct buf *buf);

#endif
