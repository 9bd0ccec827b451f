/* SPDX-License-Identifier: ISC */
/*
 * random: unpredictable bytes, from the kernel.
 */
#ifndef FP_BASE_RANDOM_H
#define FP_BASE_RANDOM_H

#include <stddef.h>

/* Fills len bytes (256 at most). 0, or -1 where the kernel gives none; the bytes are then as they
 * were, and the caller goes on with something predictable, or without. */
int random_bytes(void *bytes, size_t len);

#endif
