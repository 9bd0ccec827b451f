/* SPDX-License-Identifier: ISC */
/*
 * block: a struct and all the text that it points to, in one piece of memory.
 *
 * It is filled twice. Without memory it only counts, and nothing is changed; then, in as much
 * memory as that, everything is copied and pointed to.
 */
#ifndef FP_BASE_BLOCK_H
#define FP_BASE_BLOCK_H

#include <stddef.h>

struct block {
    char *memory; /* NULL: it counts */
    size_t used;  /* octets */
};

/* The copy, aligned for pointers and numbers; NULL while it counts. */
void *block_add(struct block *block, const void *bytes, size_t size);

/* Makes *text point to a copy of it; NULL stays NULL. */
void block_move_text(struct block *block, char **text);

#endif
