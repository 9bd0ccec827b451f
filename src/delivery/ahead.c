/* SPDX-License-Identifier: ISC */
#include "delivery/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"

void ahead_begun(struct ahead *ahead)
{
    ahead->files++;
}

bool ahead_is_due(struct ahead *ahead, size_t len)
{
    ahead->octets += len;
    return ahead->octets >= AHEAD_OCTETS;
}

/* Keeps nothing open beside it: not the connection, nor what somebody reads to its end. Whoever
 * owns the folder may have put a FIFO there. */
static _Noreturn void flush(int folder, const char *name, bool all)
{
    if (dup2(folder, 0) < 0)
        _exit(1);
    spawn_close_from(1);
    int fd = openat(0, all ? "." : name, (all ? O_RDONLY : O_WRONLY) | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || dup2(fd, 0) < 0)
        _exit(1);
    close(fd);
#ifdef HAVE_SYNCFS
    _exit(all ? syncfs(0) : fsync(0));
#else
    _exit(fsync(0));
#endif
}

static bool is_busy(struct ahead *ahead)
{
    if (ahead->child > 0 && waitpid(ahead->child, NULL, WNOHANG) != 0)
        ahead->child = 0;
    return ahead->child > 0;
}

void ahead_start(struct ahead *ahead, int folder, const char *name, bool all)
{
    ahead->octets = 0;
    if (is_busy(ahead))
        return;
    ahead->files = 0;
    ahead->child = fork();
    if (ahead->child == 0)
        flush(folder, name, all);
}

void ahead_end(struct ahead *ahead)
{
    if (ahead->child > 0)
        kill(ahead->child, SIGKILL);
    while (ahead->child > 0 && waitpid(ahead->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    ahead->child = 0;
}
