/* SPDX-License-Identifier: ISC */
#include "base/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef FP_LINUX
#include <sys/prctl.h>
#endif

#include "base/file.h"
#include "base/xalloc.h"

#define LINKS_MAX 40 /* links that belong to root are followed, this many in a row */
/* Folders on the way are not read, and a sandbox may forbid that. */
#ifdef O_PATH
#define TO_PASS O_PATH
#else
#define TO_PASS O_RDONLY
#endif
#define FOLDER_FLAGS (TO_PASS | O_DIRECTORY | O_NOFOLLOW)

/* ---- whose is it? ---- */

/* On the way down a path. */
struct walk {
    int folder; /* where we are; -1: nothing more can be looked at */
    char *rest; /* what is left of the path */
    int links;
    uid_t uid; /* as far as we have come */
    gid_t gid;
};

static void step_into(struct walk *walk, int folder)
{
    if (walk->folder >= 0)
        close(walk->folder);
    walk->folder = folder;
}

static void stop(struct walk *walk)
{
    step_into(walk, -1);
}

static void claim(struct walk *walk, const struct stat *status)
{
    if (status->st_uid == 0)
        return;
    walk->uid = status->st_uid;
    walk->gid = status->st_gid;
}

/* A link that root has made in a folder of root's is followed: its target comes first in what is
 * left. */
static void follow(struct walk *walk, const char *name)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(walk->folder, name, target, sizeof target - 1);
    if (len <= 0 || ++walk->links > LINKS_MAX) {
        stop(walk);
        return;
    }
    target[len] = '\0';
    if (target[0] == '/')
        step_into(walk, file_open("/", FOLDER_FLAGS, 0));
    char *rest = xasprintf("%s/%s", target, walk->rest);
    free(walk->rest);
    walk->rest = rest;
}

static void look_at(struct walk *walk, const char *name)
{
    struct stat status;
    if (fstatat(walk->folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        stop(walk);
    } else if (S_ISLNK(status.st_mode) && status.st_uid == 0 && walk->uid == 0) {
        follow(walk, name);
    } else if (!S_ISDIR(status.st_mode)) {
        if (walk->uid == 0)
            claim(walk, &status);
        stop(walk);
    } else {
        int folder = openat(walk->folder, name, FOLDER_FLAGS | O_CLOEXEC);
        if (folder >= 0 && fstat(folder, &status) == 0)
            claim(walk, &status);
        step_into(walk, folder);
    }
}

/* Takes the next name off the path; "" at its end. Malloced. */
static char *next_name(struct walk *walk)
{
    const char *from = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(from, "/");
    char *name = xmemdup0(from, len);
    memmove(walk->rest, from + len, strlen(from + len) + 1);
    return name;
}

static void walk_down(struct walk *walk)
{
    while (walk->folder >= 0) {
        char *name = next_name(walk);
        if (name[0] == '\0')
            stop(walk);
        else
            look_at(walk, name);
        free(name);
    }
}

static void find_groups(uid_t uid, gid_t gid, struct identity_groups *theirs)
{
    const struct passwd *user = getpwuid(uid);
    if (user == NULL) {
        /* A folder that was given away by uid alone still has root's group: not for them. */
        theirs->gid = gid != 0 ? gid : (gid_t)uid;
        theirs->ids[0] = theirs->gid;
        theirs->count = 1;
        return;
    }
    theirs->gid = user->pw_gid;
    theirs->count = IDENTITY_GROUPS;
    if (getgrouplist(user->pw_name, user->pw_gid, (void *)theirs->ids, &theirs->count) < 0)
        theirs->count = IDENTITY_GROUPS;
}

/* What to come back to; of more groups than there is room for, to none. */
static void remember_ours(struct identity *identity)
{
    int count = getgroups(IDENTITY_GROUPS, identity->ours.ids);
    identity->ours.count = count < 0 ? 0 : count;
    identity->ours.gid = getegid();
#ifdef FP_LINUX
    prctl(PR_GET_PDEATHSIG, &identity->death_signal);
#endif
}

void identity_of(const char *path, struct identity *identity)
{
    *identity = (struct identity){.other = false};
    if (geteuid() != 0)
        return;
    struct walk walk = {.folder = file_open("/", FOLDER_FLAGS, 0), .rest = xstrdup(path)};
    walk_down(&walk);
    free(walk.rest);
    if (walk.uid == 0)
        return;
    identity->other = true;
    identity->uid = walk.uid;
    find_groups(walk.uid, walk.gid, &identity->theirs);
    remember_ours(identity);
}

/* ---- there and back ---- */

/* 0 is among the real and saved ids, so only a broken system can refuse. */
static void come_back(const struct identity *identity)
{
    const struct identity_groups *ours = &identity->ours;
    if (seteuid(0) < 0 || setegid(ours->gid) < 0 || setgroups((size_t)ours->count, ours->ids) < 0)
        abort();
#ifdef FP_LINUX
    prctl(PR_SET_PDEATHSIG, identity->death_signal);
#endif
}

int identity_enter(const struct identity *identity, const char *path, struct err *err)
{
    if (!identity->other)
        return 0;
    const struct identity_groups *theirs = &identity->theirs;
    bool begun = setgroups((size_t)theirs->count, theirs->ids) == 0;
    if (begun && setegid(theirs->gid) == 0 && seteuid(identity->uid) == 0)
        return 0;
    int number = errno;
    if (begun)
        come_back(identity);
    return err_set(err, ERR_CREATE,
                   "%s belongs to uid %lu, and root cannot act for it here (%s); run fetchpop as "
                   "that user",
                   path, (unsigned long)identity->uid, strerror(number));
}

void identity_reenter(const struct identity *identity)
{
    if (identity_enter(identity, "", NULL) < 0)
        abort();
}

void identity_leave(const struct identity *identity)
{
    int number = errno;
    if (identity->other)
        come_back(identity);
    errno = number;
}
