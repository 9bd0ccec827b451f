/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <string.h>

#include "base/chunks.h"

/* Secrets lie together in memory that nothing else shares, so that a forked process is rid of a
 * hundred thousand of them without a write to any page that it has in common with its parent. */
static struct chunks chunks;

/* A copy with a NUL behind it. */
static char *copy_in(struct str bytes)
{
    char *copy = chunks_take(&chunks, bytes.len + 1);
    memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

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
    char *copy = copy_in(bytes);
    secret_wipe(secret);
    secret->data = copy;
    secret->len = bytes.len;
    return 0;
}

void secret_wipe(struct secret *secret)
{
    if (secret->data != NULL) {
        secret_wipe_bytes(secret->data, secret->len);
        chunks_give_back(&chunks, secret->data, secret->len + 1);
    }
    secret->data = NULL;
    secret->len = 0;
}

void secret_keep(struct secret *const own[], size_t count)
{
    struct chunks all = chunks;
    chunks = (struct chunks){0};
    for (size_t i = 0; i < count; i++)
        if (own[i]->data != NULL)
            own[i]->data = copy_in(secret_str(own[i]));
    chunks_drop(&all);
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
