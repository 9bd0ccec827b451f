/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/xalloc.h"

/* Secrets lie together in memory that nothing else shares, so that a forked process is rid of a
 * hundred thousand of them by giving back a few chunks, without a write to any page that it has in
 * common with its parent. A chunk is as large as all secrets that there are, so that a few chunks
 * hold them, and those of a daemon do not grow with each new configuration. */
struct chunk {
    struct chunk *before;
    size_t size, used; /* octets, this head included */
    size_t count;      /* secrets in it */
    size_t octets;     /* of them */
};

#define CHUNK_LEAST ((size_t)128 * 1024)

_Static_assert(CHUNK_LEAST > sizeof(struct chunk) + SECRET_MAX, "a chunk holds any secret");

static struct chunk *newest;

static void add_chunk(void)
{
    size_t size = CHUNK_LEAST;
    for (const struct chunk *chunk = newest; chunk != NULL; chunk = chunk->before)
        size += chunk->octets;
    struct chunk *chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED)
        xdie("out of memory");
    *chunk = (struct chunk){.before = newest, .size = size, .used = sizeof *chunk};
    newest = chunk;
}

/* A copy with a NUL behind it. */
static char *copy_in(struct str bytes)
{
    if (newest == NULL || newest->size - newest->used < bytes.len + 1)
        add_chunk();
    char *copy = (char *)newest + newest->used;
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    newest->used += bytes.len + 1;
    newest->octets += bytes.len + 1;
    newest->count++;
    return copy;
}

static bool is_in(const struct chunk *chunk, const char *copy)
{
    return copy > (const char *)chunk && copy < (const char *)chunk + chunk->size;
}

/* The last one to leave a chunk gives it back; all others in it are wiped already. */
static void take_out(const char *copy, size_t len)
{
    struct chunk **at = &newest;
    while (!is_in(*at, copy))
        at = &(*at)->before;
    struct chunk *chunk = *at;
    chunk->octets -= len + 1;
    if (--chunk->count > 0)
        return;
    *at = chunk->before;
    munmap(chunk, chunk->size);
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
        take_out(secret->data, secret->len);
    }
    secret->data = NULL;
    secret->len = 0;
}

void secret_keep(struct secret *const own[], size_t count)
{
    struct chunk *all = newest;
    newest = NULL;
    for (size_t i = 0; i < count; i++)
        if (own[i]->data != NULL)
            own[i]->data = copy_in(secret_str(own[i]));
    while (all != NULL) {
        struct chunk *chunk = all;
        all = chunk->before;
        munmap(chunk, chunk->size);
    }
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
