/* SPDX-License-Identifier: ISC */
#include "base/chunks.h"

#include <sys/mman.h>

#include "base/xalloc.h"

/* As large as all pieces that there are, so that a few chunks hold them, and those of a daemon do
 * not grow with each new configuration. */
struct chunk {
    struct chunk *before;
    size_t size, used; /* octets, this head included */
    size_t count;      /* pieces in it */
    size_t octets;     /* of them */
};

#define CHUNK_LEAST ((size_t)128 * 1024)
#define ALIGN _Alignof(max_align_t)

static size_t rounded(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static void withhold(void *memory, size_t size)
{
#if defined MADV_DONTFORK && !defined FP_PORTABLE
    (void)madvise(memory, size, MADV_DONTFORK);
#else
    (void)memory;
    (void)size;
#endif
}

static void add_chunk(struct chunks *chunks, size_t least)
{
    size_t size = CHUNK_LEAST + least;
    for (const struct chunk *chunk = chunks->newest; chunk != NULL; chunk = chunk->before)
        size += chunk->octets;
    struct chunk *chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED)
        xdie_memory();
    if (chunks->withheld)
        withhold(chunk, size);
    *chunk = (struct chunk){.before = chunks->newest, .size = size, .used = rounded(sizeof *chunk)};
    chunks->newest = chunk;
}

void *chunks_take(struct chunks *chunks, size_t size)
{
    size = rounded(size);
    if (chunks->newest == NULL || chunks->newest->size - chunks->newest->used < size)
        add_chunk(chunks, size);
    struct chunk *chunk = chunks->newest;
    char *piece = (char *)chunk + chunk->used;
    chunk->used += size;
    chunk->octets += size;
    chunk->count++;
    return piece;
}

static bool is_in(const struct chunk *chunk, const char *piece)
{
    return piece > (const char *)chunk && piece < (const char *)chunk + chunk->size;
}

void chunks_give_back(struct chunks *chunks, const void *piece, size_t size)
{
    struct chunk **at = &chunks->newest;
    while (!is_in(*at, piece))
        at = &(*at)->before;
    struct chunk *chunk = *at;
    chunk->octets -= rounded(size);
    if (--chunk->count > 0)
        return;
    *at = chunk->before;
    munmap(chunk, chunk->size);
}

void chunks_drop(struct chunks *chunks)
{
    while (chunks->newest != NULL) {
        struct chunk *chunk = chunks->newest;
        chunks->newest = chunk->before;
        munmap(chunk, chunk->size);
    }
}
