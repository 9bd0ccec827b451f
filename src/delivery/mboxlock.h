/* SPDX-License-Identifier: ISC */
/*
 * mboxlock: the locks of an mbox that every mail program honours, both at once.
 *
 * An fcntl(2) write lock on the file, and the dotlock MBOX.lock beside it. Neither is waited for
 * while the other is held, so whatever order procmail or mutt prefer, there is no deadlock.
 *
 * A dotlock of ours holds "PID fetchpop BOOT HOST" and appears with its contents (link(2)), so one
 * that a killed run left is known: same host and another boot, or a process that is gone; it is
 * removed at once. Any other one is stale once it is MBOXLOCK_STALE seconds older than a file made
 * just now in the same folder (so no two clocks are compared). Stale ones are removed under the
 * fcntl lock only, so no two of us do it at the same time.
 *
 * Run by root, all of it is done as the user to whom the mbox belongs (base/identity).
 *
 * Where we may not write to the folder (/var/mail), or the name is too long, only the fcntl lock is
 * used.
 */
#ifndef FP_DELIVERY_MBOXLOCK_H
#define FP_DELIVERY_MBOXLOCK_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/identity.h"
#include "delivery/settings.h"

#define MBOXLOCK_STALE 600

struct mboxlock {
    int fd;     /* the mbox, for reading and writing. No other descriptor of it may be closed
                 * meanwhile: that would drop the fcntl lock */
    char *path; /* as configured */
    char *real; /* links followed: the name by which it is remembered */
    char *dot;
    struct identity owner;
    bool dotted; /* there is a dotlock, and it is this inode: */
    dev_t dot_dev;
    ino_t dot_ino;
};

/* Waits up to settings->lock_timeout (less once INT or TERM came), calling settings->idle. `make`:
 * a missing mbox is made (0600; its folder is yet to be fsynced), else the result is 1 and nothing
 * is locked. 0 once locked. -1: ERR_LOCKED, ERR_CREATE, ERR_IO, ERR_LOCAL. *noted (may be NULL)
 * keeps the note about a dotlock that cannot be made from being logged twice. */
int mboxlock_take(struct mboxlock *lock, const struct deliver_settings *settings, const char *path,
                  bool make, bool *noted, struct err *err);
/* Releases both locks, and frees the names. */
void mboxlock_drop(struct mboxlock *lock);

/* What `real` would be if there were an mbox: malloced, or NULL if that cannot be told. */
char *mboxlock_real_name(const char *path);

/* Removes what a killed run of this mailbox left beside the mbox: without waiting, and nothing that
 * is anybody else's or still held. */
void mboxlock_tidy(const struct deliver_settings *settings, const char *path);

/* 0 if that is what a regular file has, else ERR_CREATE: there can be no mbox at path. */
int mboxlock_check_type(const char *path, const struct stat *status, struct err *err);

/* True if the path still leads to the file that is locked. */
bool mboxlock_is_current(const struct mboxlock *lock);

/* fsync of the folder that the mbox is in, if we may read it. */
int mboxlock_sync_folder(const struct mboxlock *lock, struct err *err);

#endif
