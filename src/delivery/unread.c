/* SPDX-License-Identifier: ISC */
#include "delivery/unread.h"

#include <sys/stat.h>
#include <unistd.h>

/* To 1970: an access time that is older than the last change is brought up to date by any read,
 * also with relatime. */
static bool set_back(int fd)
{
    const struct timespec times[2] = {{.tv_sec = 0}, {.tv_nsec = UTIME_OMIT}};
    return futimens(fd, times) == 0;
}

static bool was_read(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 || status.st_atime != 0;
}

bool unread_mark(int fd)
{
    char byte;
    return set_back(fd) && pread(fd, &byte, 1, 0) == 1 && was_read(fd) && set_back(fd);
}

bool unread_is(int fd)
{
    return !was_read(fd) && lseek(fd, 0, SEEK_CUR) == 0;
}
