/* SPDX-License-Identifier: ISC */
/*
 * lock: one run at a time has a mailbox.
 *
 * It is an fcntl lock, which dies with its process, on a file of its own, never on one that is
 * replaced. What stands in the file is when its holder last made progress, for those that cannot
 * have it.
 */
#ifndef FP_STATE_LOCK_H
#define FP_STATE_LOCK_H

#include <stdbool.h>

#include "base/err.h"

struct lock {
    int fd; /* -1: none is held */
    char *path;
};

/* Takes the path over, which is malloced; makes the file if it is missing. ERR_BUSY: another run
 * has it and makes progress; ERR_LOCKED: that one has made none for an hour; ERR_CREATE. lock_drop
 * in any case. */
int lock_take(struct lock *lock, char *path, struct err *err);

/* Its holder gets on. */
void lock_show_progress(const struct lock *lock);

/* True if its file is not there any more: somebody may remove that of a run that hangs, and then
 * the next run makes another. False if none is held. */
bool lock_is_lost(const struct lock *lock);

/* Lets go of it, if it is held, and frees the path. */
void lock_drop(struct lock *lock);

#endif
