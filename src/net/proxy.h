/* SPDX-License-Identifier: ISC */
/*
 * proxy: through a SOCKS5 proxy to the server, on a socket that dial_tcp made.
 */
#ifndef FP_NET_PROXY_H
#define FP_NET_PROXY_H

#include <stdint.h>

#include "base/err.h"
#include "net/socks.h"

/* Talks with the proxy until it has connected to the target; not a byte of the server's is read. fd
 * is non-blocking and stays the caller's; deadline is a clock_ms() moment. Errors as socks_take,
 * and ERR_TIMEOUT, ERR_CLOSED, ERR_STOPPED. */
int proxy_open(int fd, const struct socks_target *target, int64_t deadline, struct err *err);

#endif
