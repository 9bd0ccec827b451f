/* SPDX-License-Identifier: ISC */
#include "delivery/mboxlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"
#include "base/words.h"
#include "base/xalloc.h"

#define WAIT_FIRST_MS 20
#define WAIT_MAX_MS 500
#define TEXT_MAX 256

enum attempt { FAILED = -1, LOCKED, MISSING, BUSY };

/* ---- what a dotlock of ours says ---- */

/* Another value after each boot; "-" where the system has none: then a process id that is in use
 * again after a reboot counts as alive, and the rule for foreign locks ends it. */
static void boot_id(char out[64])
{
    memcpy(out, "-", 2);
#ifdef FP_LINUX
    int fd = file_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 63);
    if (fd >= 0)
        close(fd);
    size_t len = n > 0 ? str_trim(str_of(out, (size_t)n)).len : 0;
    if (len == 0)
        out[len++] = '-';
    out[len] = '\0';
#endif
}

/* "fetchpop BOOT HOST": what all processes of this boot and host write behind their id. */
static void our_words(char out[TEXT_MAX])
{
    char boot[64], host[65] = "", word[WORDS_ESCAPED_MAX(sizeof host)];
    boot_id(boot);
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    words_escape(str_from(host), word, sizeof word);
    snprintf(out, TEXT_MAX, "fetchpop %s %.120s", boot, word);
}

/* True if a killed process of ours left it. One with our own id is not ours: we hold none now. */
static bool is_dead(struct str text)
{
    char ours[TEXT_MAX];
    uint64_t pid;
    our_words(ours);
    struct str words = str_from(ours), rest = text;
    if (str_number(str_word(&rest), INT32_MAX, &pid) < 0 || pid == 0 ||
        !str_equal(str_word(&rest), str_word(&words)))
        return false;
    bool same_boot = str_equal(str_word(&rest), str_word(&words));
    if (!str_equal(str_trim(rest), str_trim(words)))
        return false;
    return !same_boot || (pid_t)pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

/* ---- the dotlock ---- */

/* A new file that says whose lock it is; its time is that of the file system, now. -1 with errno
 * and err, and there is none. */
static int write_lock(const char *path, bool durable, struct stat *made, struct err *err)
{
    char text[TEXT_MAX + 32], words[TEXT_MAX];
    int fd = file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (fd < 0) {
        int number = errno;
        err_errno(err, ERR_CREATE, number, "cannot make %s", path);
        errno = number;
        return -1;
    }
    our_words(words);
    int len = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), words);
    int result = file_write(fd, text, (size_t)len, path, err);
    /* After a power cut an empty lock would count as another program's, and be waited for. */
    if (result == 0 && durable)
        result = file_sync(fd, path, err);
    if (result == 0 && fstat(fd, made) < 0)
        result = err_errno(err, ERR_IO, errno, "cannot look at %s", path);
    close(fd);
    if (result < 0) {
        unlink(path);
        errno = EIO;
    }
    return result;
}

/* Why the dotlock that is there is stale, or NULL. */
static const char *why_stale(const struct mboxlock *lock, const struct stat *there, time_t now)
{
    char text[TEXT_MAX];
    int fd = file_open(lock->dot, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (n > 0 && is_dead(str_of(text, (size_t)n)))
        return "a killed run has left it";
    return now - there->st_mtime > MBOXLOCK_STALE ? "it is older than 10 minutes" : NULL;
}

/* Removes the dotlock if it is stale; BUSY if it is not. Between the look and the unlink it may
 * become another one only by a program that removes locks without holding the fcntl lock. */
static enum attempt clear_stale(const struct mboxlock *lock, time_t now,
                                const struct deliver_settings *settings, struct err *err)
{
    struct stat there, again;
    if (lstat(lock->dot, &there) < 0)
        return LOCKED; /* gone just now */
    const char *why = why_stale(lock, &there, now);
    if (why == NULL) {
        err_set(err, ERR_LOCKED,
                "%s exists: another program has locked the mbox; if none has, it is removed at %d "
                "minutes of age",
                lock->dot, MBOXLOCK_STALE / 60);
        return BUSY;
    }
    bool same = lstat(lock->dot, &again) == 0 && again.st_ino == there.st_ino &&
                again.st_dev == there.st_dev;
    if (same && unlink(lock->dot) == 0) {
        log_line(settings->log, FP_LOG_NOTE, "removed the lock %s: %s", lock->dot, why);
    } else if (same && errno != ENOENT) {
        err_set(err, ERR_LOCKED, "cannot remove the stale lock %s: %s; remove it by hand",
                lock->dot, strerror(errno));
        return BUSY;
    }
    return LOCKED;
}

/* link(2) says it all, except over NFS, where the answer to one that worked may get lost. */
static int link_candidate(const char *candidate, const char *dot)
{
    struct stat status;
    if (link(candidate, dot) == 0)
        return 0;
    int number = errno;
    if (lstat(candidate, &status) == 0 && status.st_nlink == 2)
        return 0;
    errno = number;
    return -1;
}

/* Where there are no hard links, which systems say in many ways (EPERM, EACCES, ENOSYS, EOPNOTSUPP,
 * EMLINK), the lock is written in place: if we are killed meanwhile, an empty one stays, until it
 * is old enough to be stale. */
static enum attempt try_link(struct mboxlock *lock, const char *candidate, struct stat *made_file,
                             const struct deliver_settings *settings, struct err *err)
{
    for (int round = 0; round < 2; round++) {
        int made = link_candidate(candidate, lock->dot);
        if (made < 0 && errno != EEXIST)
            made = write_lock(lock->dot, false, made_file, err);
        if (made == 0) {
            lock->dotted = true;
            lock->dot_dev = made_file->st_dev;
            lock->dot_ino = made_file->st_ino;
            return LOCKED;
        }
        if (errno != EEXIST)
            return err_errno(err, ERR_CREATE, errno, "cannot make the lock %s", lock->dot);
        enum attempt cleared = clear_stale(lock, made_file->st_mtime, settings, err);
        if (cleared != LOCKED)
            return cleared;
    }
    err_set(err, ERR_LOCKED, "%s: another program has the mbox locked; the next run tries again",
            lock->dot);
    return BUSY;
}

static enum attempt try_dotlock(struct mboxlock *lock, const struct deliver_settings *settings,
                                bool *noted, struct err *err)
{
    struct stat made_file;
    char *candidate = xasprintf("%s.%s", lock->dot, settings->mailbox);
    unlink(candidate); /* a killed run may have left it; only this mailbox uses the name */
    int made = write_lock(candidate, settings->durable, &made_file, err);
    enum attempt result = FAILED;
    if (made == 0) {
        result = try_link(lock, candidate, &made_file, settings, err);
        unlink(candidate);
    } else if (errno == EACCES || errno == EPERM || errno == EROFS || errno == ENAMETOOLONG) {
        if (noted == NULL || !*noted)
            log_line(settings->log, FP_LOG_NOTE,
                     "%s cannot be made (%s): the mbox is locked with fcntl alone", lock->dot,
                     strerror(errno));
        if (noted != NULL)
            *noted = true;
        result = LOCKED;
    }
    free(candidate);
    return result;
}

/* ---- the mbox itself ---- */

int mboxlock_sync_folder(const struct mboxlock *lock, struct err *err)
{
#ifdef FP_CONTROL_NO_DIRSYNC
    (void)lock, (void)err;
    return 0;
#else
    char *parent = file_parent(lock->real);
    identity_reenter(&lock->owner);
    int result = file_access(parent, R_OK) == 0 ? file_sync_folder(parent, NULL, err) : 0;
    identity_leave(&lock->owner);
    free(parent);
    return result;
#endif
}

int mboxlock_check_type(const char *path, const struct stat *status, struct err *err)
{
    if (S_ISREG(status->st_mode))
        return 0;
    return err_set(err, ERR_CREATE, "%s is %s, so it cannot be an mbox; give another path for mbox",
                   path, S_ISDIR(status->st_mode) ? "a folder" : "not a regular file");
}

static enum attempt replaced(const struct mboxlock *lock, struct err *err)
{
    err_set(err, ERR_LOCKED, "another program replaces %s again and again; find and end it",
            lock->path);
    return BUSY;
}

/* Opens the mbox; looks first, since merely opening some devices does something. */
static enum attempt open_mbox(struct mboxlock *lock, bool make, struct err *err)
{
    struct stat status;
    bool there = stat(lock->path, &status) == 0;
    if (!make && (there ? !S_ISREG(status.st_mode) : errno == ENOENT || errno == ENOTDIR))
        return MISSING; /* or something else by now */
    if (there && mboxlock_check_type(lock->path, &status, err) < 0)
        return FAILED;
    int flags = O_RDWR | O_NONBLOCK | O_NOCTTY | (make ? O_CREAT : 0);
    /* What was not a link at first must not have become one. */
    if (lstat(lock->path, &status) == 0 ? !S_ISLNK(status.st_mode) : errno == ENOENT)
        flags |= O_NOFOLLOW;
    lock->fd = file_open(lock->path, flags, 0600);
    if (lock->fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot open the mbox %s", lock->path);
    lock->real = realpath(lock->path, NULL);
    if (lock->real == NULL)
        return replaced(lock, err);
    if (fstat(lock->fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", lock->path);
    return mboxlock_check_type(lock->path, &status, err) < 0 ? FAILED : LOCKED;
}

static bool is_current(const struct mboxlock *lock)
{
    struct stat open, named;
    return fstat(lock->fd, &open) == 0 && stat(lock->path, &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

bool mboxlock_is_current(const struct mboxlock *lock)
{
    identity_reenter(&lock->owner);
    bool current = is_current(lock);
    identity_leave(&lock->owner);
    return current;
}

static enum attempt attempt(struct mboxlock *lock, const struct deliver_settings *settings,
                            bool make, bool *noted, struct err *err)
{
    enum attempt result = open_mbox(lock, make, err);
    if (result != LOCKED)
        return result;
    struct err why = {0};
    if (file_lock(lock->fd, lock->path, &why) < 0) {
        if (err != NULL)
            *err = why;
        return why.kind == ERR_LOCKED ? BUSY : FAILED;
    }
    result = try_dotlock(lock, settings, noted, err);
    return result == LOCKED && !is_current(lock) ? replaced(lock, err) : result;
}

/* Lets go of everything but the names. */
static void let_go(struct mboxlock *lock)
{
    struct stat status;
    if (lock->dotted && lstat(lock->dot, &status) == 0 && status.st_dev == lock->dot_dev &&
        status.st_ino == lock->dot_ino)
        unlink(lock->dot);
    lock->dotted = false;
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
    free(lock->real);
    lock->real = NULL;
}

static void forget(struct mboxlock *lock)
{
    let_go(lock);
    free(lock->path);
    free(lock->dot);
    lock->path = lock->dot = NULL;
}

void mboxlock_drop(struct mboxlock *lock)
{
    identity_reenter(&lock->owner);
    forget(lock);
    identity_leave(&lock->owner);
}

static char *real_name(const char *path)
{
    struct stat status;
    char *name = NULL;
    if (lstat(path, &status) == 0 || errno != ENOENT) /* a link into nothing, or another thing */
        return NULL;
    char *parent = file_parent(path), *folder = realpath(parent, NULL);
    if (folder != NULL)
        name = xasprintf("%s%s", strcmp(folder, "/") == 0 ? "" : folder, strrchr(path, '/'));
    free(folder);
    free(parent);
    return name;
}

char *mboxlock_real_name(const char *path)
{
    struct identity owner;
    identity_of(path, &owner);
    if (identity_enter(&owner, path, NULL) < 0)
        return NULL;
    char *name = real_name(path);
    identity_leave(&owner);
    return name;
}

/* Is there a dotlock, or the beginning of one of this mailbox? */
static bool has_left(const struct deliver_settings *settings, const char *path)
{
    struct identity owner;
    struct stat status;
    identity_of(path, &owner);
    if (identity_enter(&owner, path, NULL) < 0)
        return false;
    char *dot = xasprintf("%s.lock", path);
    char *candidate = xasprintf("%s.%s", dot, settings->mailbox);
    bool left = lstat(dot, &status) == 0 || lstat(candidate, &status) == 0;
    free(candidate);
    free(dot);
    identity_leave(&owner);
    return left;
}

void mboxlock_tidy(const struct deliver_settings *settings, const char *path)
{
    struct deliver_settings at_once = *settings;
    struct mboxlock lock;
    struct err ignored; /* who holds it now will let it go, and the next run looks again */
    at_once.lock_timeout = 0;
    if (has_left(settings, path) &&
        mboxlock_take(&lock, &at_once, path, false, NULL, &ignored) == 0)
        mboxlock_drop(&lock);
}

static enum attempt try_until_locked(struct mboxlock *lock, const struct deliver_settings *settings,
                                     bool make, bool *noted, struct err *err)
{
    int64_t deadline = clock_in(settings->lock_timeout);
    int wait = WAIT_FIRST_MS;
    for (;;) {
        enum attempt result = attempt(lock, settings, make, noted, err);
        if (result != BUSY || clock_left(stop_cap(deadline, STOP_GRACE_MS)) == 0)
            return result;
        let_go(lock);
        if (settings->idle != NULL)
            settings->idle(settings->idle_ctx);
        stop_wait(NULL, 0, clock_in(wait), STOP_GRACE_MS);
        wait = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
    }
}

int mboxlock_take(struct mboxlock *lock, const struct deliver_settings *settings, const char *path,
                  bool make, bool *noted, struct err *err)
{
    struct identity owner;
    identity_of(path, &owner);
    *lock = (struct mboxlock){.fd = -1, .owner = owner};
    if (identity_enter(&owner, path, err) < 0)
        return -1;
    lock->path = xstrdup(path);
    lock->dot = xasprintf("%s.lock", path);
    enum attempt result = try_until_locked(lock, settings, make, noted, err);
    if (result != LOCKED)
        forget(lock);
    identity_leave(&owner);
    return result == LOCKED ? 0 : result == MISSING ? 1 : -1;
}
