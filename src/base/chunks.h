/* SPDX-License-Identifier: ISC */
/*
 * chunks: memory in mappings of its own, of which a forked process can be rid in a few calls, or
 * which it does not get at all, however much of it there is.
 *
 * A chunk is given back to the system when the last piece in it is; the room of a piece is not used
 * again before that. So this is for what comes and goes together.
 */
#ifndef FP_BASE_CHUNKS_H
#define FP_BASE_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

struct chunks {
    struct chunk *newest;
    /* Forked processes do not get them, where the system can do so (Linux), and pay nothing for
     * them. Nor may they touch them elsewhere: on some systems they would find them, on others
     * not. */
    bool withheld;
};

/* A piece of memory, zeroed, aligned for anything. There always is one, as in base/xalloc.h. */
void *chunks_take(struct chunks *chunks, size_t size);

/* Gives back a piece, with the size that it was asked for with. */
void chunks_give_back(struct chunks *chunks, const void *piece, size_t size);

/* Gives back everything. */
void chunks_drop(struct chunks *chunks);

#endif
