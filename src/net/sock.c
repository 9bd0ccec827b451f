/* SPDX-License-Identifier: ISC */
#include "net/sock.h"

#include <errno.h>
#include <sys/socket.h>

/* macOS: PIPE is ignored as a whole, see stop_install. */
#if !defined MSG_NOSIGNAL || defined FP_PORTABLE
#undef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

ssize_t sock_recv(int fd, void *bytes, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, bytes, len, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sock_send(int fd, const void *bytes, size_t len)
{
    ssize_t n;
    do
        n = send(fd, bytes, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

bool sock_is_busy(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}
