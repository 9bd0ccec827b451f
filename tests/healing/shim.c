/* SPDX-License-Identifier: ISC */
// A preload that makes the program's machine a worse one. Linux, glibc or musl; built by heal.py.
//
// SHIM          a file with two numbers of 64 bits: seconds that the wall clock is ahead, and seconds
//               that the machine has slept (CLOCK_BOOTTIME); it may change while the program runs
// SHIM_FAIL     "link=13 fork=11 fchmod=1": these calls fail with that errno
//               "syncfolder=95": fsync(2) fails so on folders
// SHIM_FSTYPE   what statfs(2) tells of every file system, in hexadecimal
// SHIM_SYNCS    a file that gets a line for each fsync, fdatasync and syncfs: its name and what it was for
// SHIM_LOST     set: the answer to each rename into a folder new/ is lost: it is done, and says ENOENT
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&(name)))real(#name))

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

// 0: the wall clock, 1: the sleep
static int64_t shift(int which)
{
    static const volatile int64_t *shared;
    const char *path = getenv("SHIM");
    if (shared == NULL && path != NULL) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0)
            close(fd);
        if (map == MAP_FAILED)
            return 0;
        shared = map;
    }
    return shared == NULL ? 0 : shared[which];
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int status = REAL(clock_gettime)(id, now);
    if (status == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift(0);
    if (status == 0 && id == CLOCK_BOOTTIME)
        now->tv_sec += shift(1);
    return status;
}

time_t time(time_t *where)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where != NULL)
        *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec spec;
    clock_gettime(CLOCK_REALTIME, &spec);
    now->tv_sec = spec.tv_sec;
    now->tv_usec = spec.tv_nsec / 1000;
    return 0;
}

static bool fails(const char *name)
{
    const char *list = getenv("SHIM_FAIL");
    const char *found = list == NULL ? NULL : strstr(list, name);
    if (found == NULL)
        return false;
    errno = (int)strtol(found + strlen(name), NULL, 10);
    return true;
}

int link(const char *from, const char *to)
{
    return fails("link=") ? -1 : REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    return fails("link=") ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

int fchmod(int fd, mode_t mode)
{
    return fails("fchmod=") ? -1 : REAL(fchmod)(fd, mode);
}

pid_t fork(void)
{
    return fails("fork=") ? -1 : REAL(fork)();
}

static void path_of(int fd, char *path, size_t size)
{
    char link_name[64];
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link_name, path, size - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static int answer_lost(int status, int folder, const char *to)
{
    char path[4096] = "";
    if (getenv("SHIM_LOST") == NULL || status != 0)
        return status;
    path_of(folder, path, sizeof path);
    size_t length = strlen(path);
    bool is_new = strstr(to, "/new/") != NULL || strncmp(to, "new/", 4) == 0 ||
                  (length > 4 && strcmp(path + length - 4, "/new") == 0 && *to != '/');
    if (!is_new)
        return status;
    errno = ENOENT;
    return -1;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return answer_lost(REAL(renameat)(from_folder, from, to_folder, to), to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags)
{
    return answer_lost(REAL(renameat2)(from_folder, from, to_folder, to, flags), to_folder, to);
}

int rename(const char *from, const char *to)
{
    return answer_lost(REAL(rename)(from, to), AT_FDCWD, to);
}

static void tell_type(int status, void *into, size_t size)
{
    const char *type = getenv("SHIM_FSTYPE");
    long value = type == NULL ? 0 : strtol(type, NULL, 16);
    if (status == 0 && type != NULL)
        memcpy(into, &value, size);
}

int statfs(const char *path, struct statfs *into)
{
    int status = REAL(statfs)(path, into);
    tell_type(status, &into->f_type, sizeof into->f_type);
    return status;
}

int fstatfs(int fd, struct statfs *into)
{
    int status = REAL(fstatfs)(fd, into);
    tell_type(status, &into->f_type, sizeof into->f_type);
    return status;
}

#ifdef __GLIBC__
int statfs64(const char *path, struct statfs64 *into)
{
    int status = REAL(statfs64)(path, into);
    tell_type(status, &into->f_type, sizeof into->f_type);
    return status;
}

int fstatfs64(int fd, struct statfs64 *into)
{
    int status = REAL(fstatfs64)(fd, into);
    tell_type(status, &into->f_type, sizeof into->f_type);
    return status;
}
#endif

static void note_sync(const char *name, int fd)
{
    const char *log = getenv("SHIM_SYNCS");
    char path[4096], line[4200];
    if (log == NULL)
        return;
    path_of(fd, path, sizeof path);
    int length = snprintf(line, sizeof line, "%s %s\n", name, path);
    int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (out < 0)
        return;
    if (write(out, line, (size_t)length) < 0)
        abort();
    close(out);
}

int fsync(int fd)
{
    struct stat status;
    note_sync("fsync", fd);
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) && fails("syncfolder="))
        return -1;
    return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    note_sync("fsync", fd);
    return REAL(fdatasync)(fd);
}

int syncfs(int fd)
{
    note_sync("syncfs", fd);
    return REAL(syncfs)(fd);
}
