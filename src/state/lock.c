/* SPDX-License-Identifier: ISC */
#include "state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/str.h"

#define TIME_DIGITS 20
#define PATIENCE 3600 /* seconds without progress until another run is told of */

/* Without room this run only looks like one that makes no progress. */
int lock_show_progress(struct lock *lock)
{
    char text[LOCK_TEXT];
    int len = snprintf(text, sizeof text, "%020lld %010ld %08lx\n", (long long)clock_wall(),
                       (long)getpid(), (unsigned long)lock->random);
    for (off_t at = 0; at < len;) {
        ssize_t n = pwrite(lock->fd, text + at, (size_t)(len - at), at);
        if (n < 0 && errno != EINTR)
            return errno == ENOSPC || errno == EDQUOT ? 0 : -1;
        at += n > 0 ? n : 0;
    }
    memcpy(lock->text, text, sizeof text);
    return 0;
}

/* Another client of a network file system may not see yet what is written, but that the file is
 * new; and its clock may be ahead of ours. */
static bool is_getting_on(const struct lock *lock)
{
    char text[LOCK_TEXT];
    uint64_t when;
    struct stat status;
    int64_t now = clock_wall();
    ssize_t len = pread(lock->fd, text, sizeof text, 0);
    struct str rest = str_of(text, len > 0 ? (size_t)len : 0), line = str_until(&rest, '\n');
    if (len == 0 && fstat(lock->fd, &status) == 0)
        return now - (int64_t)status.st_mtime < PATIENCE;
    return str_number(str_word(&line), INT64_MAX, &when) == 0 && (int64_t)when < now + PATIENCE &&
           now - (int64_t)when < PATIENCE;
}

/* Who it is, behind the time, which a full disk may have left half written. */
static bool has_our_text(const struct lock *lock)
{
    char text[LOCK_TEXT];
    size_t len = strlen(lock->text);
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(lock->fd, text + at, len - at, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return len == 0 || memcmp(text + TIME_DIGITS, lock->text + TIME_DIGITS, len - TIME_DIGITS) == 0;
}

bool lock_is_lost(const struct lock *lock)
{
    struct stat open, named;
    if (lock->fd < 0 || fstat(lock->fd, &open) < 0)
        return false;
    if (stat(lock->path, &named) < 0)
        return errno == ENOENT;
    return open.st_dev != named.st_dev || open.st_ino != named.st_ino || !has_our_text(lock);
}

int lock_take(struct lock *lock, char *path, struct err *err)
{
    *lock = (struct lock){.fd = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600), .path = path};
    (void)random_bytes(&lock->random, sizeof lock->random);
    if (lock->fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot make %s", path);
    if (file_check_owner(lock->fd, path, err) < 0)
        return -1;
    if (file_lock(lock->fd, path, err) == 0) {
        (void)lock_show_progress(lock);
        return 0;
    }
    if (err->kind != ERR_LOCKED)
        return -1;
    if (is_getting_on(lock))
        return err_set(err, ERR_BUSY, "another run is fetching from this mailbox; nothing done");
    return err_set(err, ERR_LOCKED,
                   "another run has this mailbox, and has got nowhere for an hour; nothing done");
}

void lock_drop(struct lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd); /* and with it the lock */
    free(lock->path);
    *lock = (struct lock){.fd = -1};
}
