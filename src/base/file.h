/* SPDX-License-Identifier: ISC */
/*
 * file: complete writes and reads, and durable folders.
 *
 * Every descriptor is opened close-on-exec. EINTR and short writes are dealt with here and nowhere
 * else. Errors carry the path and what to do.
 */
#ifndef FP_BASE_FILE_H
#define FP_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Writes all bytes; short writes go on, EINTR is tried again. `path` is for the error text. */
int file_write(int fd, const void *bytes, size_t len, const char *path, struct err *err);

/* Appends a whole file to buf. ERR_IO, also for one longer than the buffer's maximum. */
int file_read(int fd, struct buf *buf, const char *path, struct err *err);

/* open(2) with O_CLOEXEC, EINTR tried again; -1 and errno as open. */
int file_open(const char *path, int flags, mode_t mode);

/* As access(2), but for the effective ids (see base/identity). */
int file_access(const char *path, int mode);

/* pipe(2), both ends close-on-exec. 0, or -1 with errno and both ends -1. */
int file_pipe(int ends[2]);

/* True if others can read this open file. Users whom its ACL names, and root's group, do not count:
 * they were let in on purpose. Nor does the group of a file that root gives us to read (a mounted
 * secret, which we cannot chmod). */
bool file_is_shared(int fd, const struct stat *status);

/* fsync (F_FULLFSYNC where there is one); a failure is final and is never tried again, EINTR
 * included: the interrupted call may have taken a disk error with it that no later one reports. */
int file_sync(int fd, const char *path, struct err *err);
int file_datasync(int fd, const char *path, struct err *err);

/* fsync of a folder by path. EINVAL, ENOSYS and ENOTSUP (file systems that cannot) are accepted;
 * *unsupported, if not NULL, is then set to true so that the caller can say it once. */
int file_sync_folder(const char *path, bool *unsupported, struct err *err);

/* Makes path and whatever is missing above it with mode 0700, and fsyncs each parent up to the
 * first folder that was there; each before the next is made. The parent of that first one is
 * fsynced too if we may read it: it may have been made by a run that was killed before its fsync.
 * Existing folders are left as they are; a path that exists and is not a folder is ERR_CREATE.
 * `durable` false leaves the fsyncs out. */
int file_make_folder(const char *path, bool durable, struct err *err);

/* A new file in the folder, to be written and read, that has no name any more (of a process that
 * was killed, it may have one) and is gone once it is closed. ERR_CREATE. */
int file_unnamed(const char *folder, struct err *err);

/* Replaces path by these bytes: write `path.new` beside it, fsync, rename, fsync the folder. A
 * path.new that a killed run left is thrown away, so the caller must hold a lock that covers the
 * path. A mode other than 0600 is exact, whatever the umask. On failure the old file is still
 * there, whole (unless only the last fsync failed: then it is either). */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, bool durable,
                 struct err *err);

/* The same for a file that other runs may write at the same time, and that may be lost in a power
 * cut: through a name of this process, `path.PID.new`, and without fsync. */
int file_replace_unlocked(const char *path, const void *bytes, size_t len, mode_t mode,
                          struct err *err);

/* An exclusive fcntl(2) lock on the whole file, not waited for: 0, or -1 with ERR_LOCKED if another
 * process has it (or ERR_IO). It dies with the process, or when any descriptor of this file is
 * closed. */
int file_lock(int fd, const char *path, struct err *err);

/* 0 if the file is ours; else ERR_CREATE: nothing in the state folder may belong to another
 * user. */
int file_check_owner(int fd, const char *path, struct err *err);

/* Free space for us on the file system of path, in octets; UINT64_MAX if unknown. */
uint64_t file_room(const char *path);

/* True if this many octets more would leave less than this many percent of the file system of path
 * free. */
bool file_would_fill(const char *path, uint64_t octets, unsigned percent);

/* `~/x` and `~` with the home folder put in ($HOME, else the user database). A relative path is put
 * behind `base` (a folder; NULL: it stays relative). Absolute paths and `~user` are left alone.
 * Malloced. */
char *file_expand(const char *path, const char *base);

/* The part before the last slash, slashes at the end not counted ("." if none); malloced. */
char *file_parent(const char *path);

#endif
