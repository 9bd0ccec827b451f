/* SPDX-License-Identifier: ISC */
/*
 * sock: recv(2) and send(2) on a non-blocking socket, EINTR tried again, without SIGPIPE.
 */
#ifndef FP_NET_SOCK_H
#define FP_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* As recv(2). */
ssize_t sock_recv(int fd, void *bytes, size_t len);

/* As send(2). */
ssize_t sock_send(int fd, const void *bytes, size_t len);

/* True for an errno that says: nothing to read, or no room to write, right now. */
bool sock_is_busy(int number);

#endif
