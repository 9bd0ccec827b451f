/* SPDX-License-Identifier: ISC */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef FP_LINUX
#include <sys/xattr.h>
#endif

#include "base/xalloc.h"

#define READ_CHUNK 65536

/* posix_acl_xattr.h of Linux: a version, then entries of tag, permissions and id, little endian. */
#define ACL_HEADER 4
#define ACL_ENTRY 8
#define ACL_TAG_GROUP 0x04 /* the file's own group */
#define ACL_READ 0x04
#define ACL_MAX 4096

int file_write(int fd, const void *bytes, size_t len, const char *path, struct err *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, ERR_IO, n < 0 ? errno : EIO, "cannot write %s", path);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static ssize_t read_some(int fd, void *bytes, size_t len)
{
    ssize_t n;
    do
        n = read(fd, bytes, len);
    while (n < 0 && errno == EINTR);
    return n;
}

int file_read(int fd, struct buf *buf, const char *path, struct err *err)
{
    for (;;) {
        size_t room = buf->max - buf->len;
        size_t want = room < READ_CHUNK ? room : READ_CHUNK;
        char beyond = 0;
        char *to = want > 0 ? buf_reserve(buf, want) : &beyond;
        ssize_t n = read_some(fd, to, want > 0 ? want : 1);
        if (n < 0)
            return err_errno(err, ERR_IO, errno, "cannot read %s", path);
        if (n == 0)
            return 0;
        if (want == 0)
            return err_set(
                err, ERR_IO,
                "%s is longer than the %zu bytes it may have; make it shorter, or move it away",
                path, buf->max);
        buf->len += (size_t)n;
    }
}

int file_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int file_access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

/* macOS has no pipe2(2). */
int file_pipe(int ends[2])
{
    if (pipe(ends) < 0) {
        ends[0] = ends[1] = -1;
        return -1;
    }
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* With an ACL the group's bits of the mode are its mask, and say nothing of the group itself. */
static bool group_reads(int fd, const struct stat *status)
{
#ifdef FP_LINUX
    unsigned char acl[ACL_MAX];
    ssize_t len = fgetxattr(fd, "system.posix_acl_access", acl, sizeof acl);
    for (ssize_t at = ACL_HEADER; at + ACL_ENTRY <= len; at += ACL_ENTRY)
        if (acl[at] == ACL_TAG_GROUP && acl[at + 1] == 0 && (acl[at + 2] & ACL_READ) == 0)
            return false;
#else
    (void)fd;
#endif
    return (status->st_mode & S_IRGRP) != 0;
}

bool file_is_shared(int fd, const struct stat *status)
{
    bool lent = status->st_uid == 0 && (geteuid() != 0 || (status->st_mode & S_IWUSR) == 0);
    if ((status->st_mode & S_IROTH) != 0)
        return true;
    return status->st_gid != 0 && !lent && group_reads(fd, status);
}

/* As fsync(2). On macOS that leaves the bytes in the disk's own cache; only where a file system
 * does not know F_FULLFSYNC is fsync all there is. */
static int flush(int fd)
{
#ifdef F_FULLFSYNC
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
    if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY)
        return -1;
#endif
    return fsync(fd);
}

int file_sync(int fd, const char *path, struct err *err)
{
    if (flush(fd) < 0)
        return err_errno(err, ERR_IO, errno, "cannot flush %s to disk", path);
    return 0;
}

int file_datasync(int fd, const char *path, struct err *err)
{
#if defined _POSIX_SYNCHRONIZED_IO && _POSIX_SYNCHRONIZED_IO > 0 && !defined F_FULLFSYNC
    if (fdatasync(fd) < 0)
        return err_errno(err, ERR_IO, errno, "cannot flush %s to disk", path);
    return 0;
#else
    return file_sync(fd, path, err);
#endif
}

int file_sync_folder(const char *path, bool *unsupported, struct err *err)
{
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot open folder %s", path);
    int failed = flush(fd) < 0 ? errno : 0;
    close(fd);
    if (failed == EINVAL || failed == ENOSYS || failed == ENOTSUP) {
        if (unsupported != NULL)
            *unsupported = true;
        return 0;
    }
    if (failed != 0)
        return err_errno(err, ERR_IO, failed, "cannot flush folder %s to disk", path);
    return 0;
}

static int sync_parent(const char *path, struct err *err)
{
    char *parent = file_parent(path);
    int result = file_sync_folder(parent, NULL, err);
    free(parent);
    return result;
}

/* 1: a folder is there; 0: nothing is; -1: something else is, or stat fails. */
static int look_for_folder(const char *path, struct err *err)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return 1;
        return err_set(err, ERR_CREATE, "%s is not a folder; give another path", path);
    }
    return errno == ENOENT ? 0 : err_errno(err, ERR_CREATE, errno, "cannot look at %s", path);
}

/* One level whose parent is there. 0700 has no bits that a umask is meant to take away, so no chmod
 * follows. */
static int make_level(const char *path, bool durable, struct err *err)
{
    if (mkdir(path, 0700) < 0) {
        int number = errno;
        if (number != EEXIST || look_for_folder(path, NULL) != 1)
            return err_errno(err, ERR_CREATE, number, "cannot make folder %s", path);
    }
    return durable ? sync_parent(path, err) : 0;
}

/* The parent of a folder that was there may be another user's, closed to us: then only its owner
 * can have made the entry. Or a sandbox has closed it, and it was settled before. */
static int settle_existing(const char *path, struct err *err)
{
    char *parent = file_parent(path);
    int fd = file_open(parent, O_RDONLY | O_DIRECTORY, 0);
    bool closed = fd < 0 && errno == EACCES;
    if (fd >= 0)
        close(fd);
    int result = closed ? 0 : file_sync_folder(parent, NULL, err);
    free(parent);
    return result;
}

/* Goes up to the first folder that is there and makes the missing ones on the way back. */
int file_make_folder(const char *path, bool durable, struct err *err)
{
    int there = look_for_folder(path, err);
    if (there != 0)
        return there < 0 ? -1 : durable ? settle_existing(path, err) : 0;
    char *parent = file_parent(path);
    int result = file_make_folder(parent, durable, err);
    free(parent);
    return result == 0 ? make_level(path, durable, err) : -1;
}

static int make_and_unlink(const char *folder, struct err *err)
{
    char *path = xasprintf("%s/%ld.unnamed", folder, (long)getpid());
    unlink(path); /* of another process of this number */
    int fd = file_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0)
        err_errno(err, ERR_CREATE, errno, "cannot make %s", path);
    else
        unlink(path);
    free(path);
    return fd;
}

int file_unnamed(const char *folder, struct err *err)
{
#ifdef O_TMPFILE
    int fd = file_open(folder, O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0)
        return fd;
#endif
    return make_and_unlink(folder, err);
}

static int write_new(const char *path, const void *bytes, size_t len, mode_t mode, bool durable,
                     struct err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, ERR_CREATE, errno, "cannot remove %s", path);
    int fd = file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot make %s", path);
    int result = 0;
    if (mode != 0600 && fchmod(fd, mode) < 0) /* FAT has no modes, and refuses */
        result = err_errno(err, ERR_CREATE, errno, "cannot set the mode of %s", path);
    if (result == 0)
        result = file_write(fd, bytes, len, path, err);
    if (result == 0 && durable)
        result = file_sync(fd, path, err);
    /* Some network file systems tell of a full disk only here. */
    if (close(fd) < 0 && errno != EINTR && result == 0)
        result = err_errno(err, ERR_IO, errno, "cannot write %s", path);
    return result;
}

static int replace(const char *path, const char *fresh, struct str bytes, mode_t mode, bool durable,
                   struct err *err)
{
    int result = write_new(fresh, bytes.ptr, bytes.len, mode, durable, err);
    if (result == 0 && rename(fresh, path) < 0)
        result = err_errno(err, ERR_IO, errno, "cannot rename %s", fresh);
    if (result != 0)
        unlink(fresh);
    else if (durable)
        result = sync_parent(path, err);
    return result;
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, bool durable,
                 struct err *err)
{
    char *fresh = xasprintf("%s.new", path);
    int result = replace(path, fresh, str_of(bytes, len), mode, durable, err);
    free(fresh);
    return result;
}

int file_replace_unlocked(const char *path, const void *bytes, size_t len, mode_t mode,
                          struct err *err)
{
    char *fresh = xasprintf("%s.%ld.new", path, (long)getpid());
    int result = replace(path, fresh, str_of(bytes, len), mode, false, err);
    free(fresh);
    return result;
}

int file_lock(int fd, const char *path, struct err *err)
{
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    int result;
    do
        result = fcntl(fd, F_SETLK, &lock);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EACCES || errno == EAGAIN)
        return err_set(err, ERR_LOCKED,
                       "%s is locked by another process; try again when that has ended", path);
    return err_errno(err, ERR_IO, errno, "cannot lock %s", path);
}

int file_check_owner(int fd, const char *path, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", path);
    if (status.st_uid != geteuid())
        return err_set(err, ERR_CREATE,
                       "%s belongs to another user; remove it or give another state_dir", path);
    return 0;
}

uint64_t file_room(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0 || info.f_blocks == 0 || info.f_frsize == 0)
        return UINT64_MAX;
    uint64_t blocks = info.f_bavail;
    return blocks > UINT64_MAX / info.f_frsize ? UINT64_MAX : blocks * info.f_frsize;
}

bool file_would_fill(const char *path, uint64_t octets, unsigned percent)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0 || info.f_blocks == 0 || info.f_frsize == 0)
        return false;
    uint64_t blocks = octets / info.f_frsize + 1, spare = (uint64_t)info.f_blocks / 100 * percent;
    return info.f_bavail < blocks || info.f_bavail - blocks < spare;
}

/* NULL if it is not known. */
static const char *home_folder(void)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] != '\0')
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? user->pw_dir : NULL;
}

static char *join(const char *folder, const char *rest)
{
    size_t len = strlen(folder);
    const char *slash = len > 0 && folder[len - 1] != '/' ? "/" : "";
    return xasprintf("%s%s%s", folder, slash, rest);
}

char *file_expand(const char *path, const char *base)
{
    if (path[0] == '~') {
        const char *home = path[1] == '\0' || path[1] == '/' ? home_folder() : NULL;
        if (home == NULL)
            return xstrdup(path);
        return path[1] == '\0' ? xstrdup(home) : join(home, path + 2);
    }
    if (path[0] == '/' || base == NULL)
        return xstrdup(path);
    return join(base, path);
}

char *file_parent(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (len == 0)
        return xstrdup(".");
    while (len > 1 && path[len - 1] == '/')
        len--;
    return xmemdup0(path, len);
}
