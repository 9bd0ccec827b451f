/* SPDX-License-Identifier: ISC */
/*
 * identity: on behalf of which user a destination is written to.
 *
 * Run by root, mail for a user's home must not be handled with root's rights there: what is made
 * would be root's, and a symbolic link of that user's could lead anywhere. So for as long as a
 * destination is touched, the effective user, group and groups are those of the user to whom it
 * belongs, and the kernel does the checking. Real and saved ids stay root's: the user can neither
 * signal nor trace this process.
 */
#ifndef FP_BASE_IDENTITY_H
#define FP_BASE_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define IDENTITY_GROUPS 64 /* more than these are left out: fewer rights, never more */

struct identity_groups {
    gid_t gid;
    int count;
    gid_t ids[IDENTITY_GROUPS];
};

struct identity {
    bool other; /* false: we stay who we are */
    uid_t uid;
    struct identity_groups theirs, ours;
    int death_signal; /* Linux forgets it when ids change (spawn_die_with) */
};

/* To whom an absolute path belongs: to the last user but root who owns a part of it that is there.
 * Only folders count, and links: at the first link that is not root's the search is over, and so it
 * is at a link in a folder that is not. A file counts if all above it is root's (/var/mail/alice).
 * `other` is false if we are not root, or nobody but root owns any of it. The group and groups are
 * those of the user database, else the group of that part. */
void identity_of(const char *path, struct identity *identity);

/* From here to identity_leave, files are opened, made and removed as that user. Does not nest. -1
 * (ERR_CREATE) if the system does not let us; then nothing has changed. `path` is for the text. */
int identity_enter(const struct identity *identity, const char *path, struct err *err);

/* The same where it has been done before, so that it cannot fail; if it does, the process ends. */
void identity_reenter(const struct identity *identity);

/* Ourselves again; errno stays. */
void identity_leave(const struct identity *identity);

#endif
