/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define FIRST_CAP 256

void buf_init(struct buf *buf, size_t max)
{
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->max = max;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

/* Memory for `need` bytes in all; the callers have compared it with the maximum. */
static void grow(struct buf *buf, size_t need)
{
    if (need <= buf->cap && buf->data != NULL)
        return;
    size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->max && need <= buf->max)
        cap = buf->max;
    buf->data = xreallocarray(buf->data, cap, 1);
    buf->cap = cap;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    if (len > buf->max - buf->len)
        return NULL;
    grow(buf, buf->len + len);
    return buf->data + buf->len;
}

int buf_add(struct buf *buf, const void *bytes, size_t len)
{
    char *room = buf_reserve(buf, len);
    if (room == NULL)
        return -1;
    if (len > 0)
        memcpy(room, bytes, len);
    buf->len += len;
    return 0;
}

int buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len > buf->max - buf->len)
        return -1;
    /* One byte more than the maximum may be asked for: vsnprintf wants to write its NUL. */
    grow(buf, buf->len + (size_t)len + 1);
    va_start(args, fmt);
    len = vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    if (len < 0)
        return -1;
    buf->len += (size_t)len;
    return 0;
}

struct str buf_str(const struct buf *buf)
{
    return str_of(buf->data, buf->len);
}

char *buf_end(struct buf *buf)
{
    char *text = xmemdup0(buf_str(buf).ptr, buf->len);
    buf_free(buf);
    return text;
}
