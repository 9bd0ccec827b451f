/* SPDX-License-Identifier: ISC */
/*
 * dial: from a host name to a connected, non-blocking, close-on-exec socket with TCP_NODELAY and
 * SO_KEEPALIVE, or from a path to one of this machine.
 */
#ifndef FP_NET_DIAL_H
#define FP_NET_DIAL_H

#include <stdint.h>

#include "base/err.h"

struct dial_options {
    const char *host; /* name (in A-labels) or address; borrowed */
    unsigned port;
    int family;    /* AF_UNSPEC, AF_INET, AF_INET6; with source, that of source or AF_UNSPEC */
    unsigned turn; /* the race begins with this one of the addresses, counted round; 0: the first */
    const char *source; /* our own address; NULL: the system chooses */
    int64_t deadline;   /* clock_ms() moment for everything */
};

/* Races the addresses of the name in the system's order (RFC 6724: mostly IPv6 first), families
 * taking turns, 250 ms apart (RFC 8305), from turn on. *fd is then the caller's, else -1. Looking
 * the name up may block. Errors: ERR_HOST (name unknown: EAI_NONAME, EAI_NODATA), ERR_AGAIN (name
 * server trouble, refused, unreachable, source is not an address of ours now), ERR_CONFIG (source
 * is not an address), ERR_TIMEOUT, ERR_STOPPED. */
int dial_tcp(const struct dial_options *options, int *fd, struct err *err);

/* The same to a socket of this machine. ERR_AGAIN (nobody listens there, or too many wait),
 * ERR_CONFIG (a path that no socket can have), ERR_SYSTEM. */
int dial_unix(const char *path, int *fd, struct err *err);

#endif
