/* SPDX-License-Identifier: ISC */
/*
 * ahead: mail starts on its way to the disk while its batch still comes in.
 *
 * A process of its own flushes it, so that the flush that counts (spool_secure) finds little left,
 * and the wire seldom waits for it. Nothing depends on that process: it says nothing, and whatever
 * stops it costs time alone. It opens anew what it flushes, because the kernel tells each open
 * description once of an error of write-back: ours hears of it still.
 */
#ifndef FP_DELIVERY_AHEAD_H
#define FP_DELIVERY_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AHEAD_OCTETS ((uint64_t)8 * 1024 * 1024) /* are worth a flush */

/* For one destination. Starts as zeros. */
struct ahead {
    pid_t child;     /* that flushes; 0: none */
    unsigned files;  /* begun since one was started, */
    uint64_t octets; /* and written */
};

/* A file was made. */
void ahead_begun(struct ahead *ahead);

/* `len` octets were written: is it time? */
bool ahead_is_due(struct ahead *ahead, size_t len);

/* Starts a flush of folder/name, or, if `all`, of the folder's file system; none if one is still
 * under way. */
void ahead_start(struct ahead *ahead, int folder, const char *name, bool all);

/* Ends the last one. */
void ahead_end(struct ahead *ahead);

#endif
