/* SPDX-License-Identifier: ISC */
/*
 * srv: the SRV records in an answer of the DNS (RFC 2782). Pure.
 */
#ifndef FP_NET_SRV_H
#define FP_NET_SRV_H

#include <stdbool.h>
#include <stddef.h>

#define SRV_CLASS 1 /* IN, and the type: RFC 1035, 3.2 and RFC 2782 */
#define SRV_TYPE 33
#define SRV_MAX 16 /* of one answer: the best */
#define SRV_TARGET_MAX 256

struct srv {
    unsigned priority, weight, port;
    char target[SRV_TARGET_MAX]; /* a host name without the dot at its end */
};

struct srv_list {
    struct srv records[SRV_MAX]; /* best first: least priority, then most weight */
    size_t count;
    bool refused; /* a record said "." for its target: there is no such service */
};

/* Reads a whole DNS message. Records that make no sense (a target that is not a host name, port 0)
 * are passed over. 0, or -1 if the message is broken; the list then holds what came before. */
int srv_parse(const unsigned char *bytes, size_t len, struct srv_list *list);

#endif
