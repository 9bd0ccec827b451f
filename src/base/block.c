/* SPDX-License-Identifier: ISC */
#include "base/block.h"

#include <stdint.h>
#include <string.h>

#define ALIGN _Alignof(uint64_t)

void *block_add(struct block *block, const void *bytes, size_t size)
{
    size_t at = block->used;
    block->used += (size + ALIGN - 1) / ALIGN * ALIGN;
    return block->memory != NULL ? memcpy(block->memory + at, bytes, size) : NULL;
}

void block_move_text(struct block *block, char **text)
{
    if (*text == NULL)
        return;
    char *copy = block_add(block, *text, strlen(*text) + 1);
    if (copy != NULL)
        *text = copy;
}
