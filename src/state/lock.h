/* SPDX-License-Identifier: ISC */
/*
 * lock: one run at a time has a mailbox.
 *
 * It is an fcntl lock, which dies with its process, on a file of its own, never on one that is
 * replaced. What stands in the file is when its holder last made progress, for those that cannot
 * have it, and who that is: a server of NFS gives the lock of a machine that sleeps to another.
 */
#ifndef FP_STATE_LOCK_H
#define FP_STATE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOCK_TEXT 64

struct lock {
    int fd; /* -1: none is held */
    char *path;
    uint32_t random;      /* process ids come again, on another machine */
    char text[LOCK_TEXT]; /* what stands in the file; "": nothing could be written */
};

/* Takes the path over, which is malloced; makes the file if it is missing. ERR_BUSY: another run
 * has it and makes progress; ERR_LOCKED: that one has made none for an hour; ERR_CREATE. lock_drop
 * in any case. */
int lock_take(struct lock *lock, char *path, struct err *err);

/* Its holder gets on. -1: it can do nothing with the file any more. */
int lock_show_progress(struct lock *lock);

/* True if its file is not there any more: somebody may remove that of a run that hangs, and then
 * the next run makes another; or if somebody else has written into it. False if none is held. */
bool lock_is_lost(const struct lock *lock);

/* Lets go of it, if it is held, and frees the path. */
void lock_drop(struct lock *lock);

#endif
