/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void secret_wipe_bytes(void *bytes, size_t len)
{
    if (len == 0)
        return;
    memset(bytes, 0, len);
    /* Tells the compiler that the zeros are read, so that it cannot leave them out. */
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

int secret_set(struct secret *secret, struct str bytes)
{
    if (bytes.len > SECRET_MAX)
        return -1;
    /* The copy comes first: the bytes may be those of the old secret. */
    char *copy = xmemdup0(bytes.ptr, bytes.len);
    secret_wipe(secret);
    secret->data = copy;
    secret->len = bytes.len;
    return 0;
}

void secret_wipe(struct secret *secret)
{
    if (secret->data != NULL) {
        secret_wipe_bytes(secret->data, secret->len);
        free(secret->data);
    }
    secret->data = NULL;
    secret->len = 0;
}

void secret_buf_init(struct buf *buf, size_t max)
{
    buf_init(buf, max);
    buf_reserve(buf, max);
}

void secret_buf_free(struct buf *buf)
{
    secret_wipe_bytes(buf->data, buf->cap);
    buf_free(buf);
}

struct str secret_str(const struct secret *secret)
{
    return str_of(secret->data, secret->len);
}
