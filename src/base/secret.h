/* SPDX-License-Identifier: ISC */
/*
 * secret: a password or token. Bytes with a length (NUL is legal), wiped when freed, never printed.
 */
#ifndef FP_BASE_SECRET_H
#define FP_BASE_SECRET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define SECRET_MAX 65536

struct secret {
    char *data; /* NULL: none; else len bytes and a NUL behind them */
    size_t len;
};

/* Takes a copy. 0, or -1 past SECRET_MAX. What was there before is wiped. */
int secret_set(struct secret *secret, struct str bytes);
void secret_wipe(struct secret *secret); /* and frees; may be called on an empty one */
struct str secret_str(const struct secret *secret);

/* In a forked process: keeps only these secrets (one whose data is NULL is passed over). All others
 * are gone at once, however many there are, and may not be touched any more. */
void secret_keep(struct secret *const own[], size_t count);

/* Wipes bytes in a way the compiler keeps. */
void secret_wipe_bytes(void *bytes, size_t len);

/* A buffer for text that may hold secrets. It has all its memory from the start, since growing
 * would leave copies behind; secret_buf_free wipes it, and is fine for any buffer. */
void secret_buf_init(struct buf *buf, size_t max);
void secret_buf_free(struct buf *buf);

#endif
