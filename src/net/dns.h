/* SPDX-License-Identifier: ISC */
/*
 * dns: asks for SRV records. The only file that knows libresolv's resolver.
 */
#ifndef FP_NET_DNS_H
#define FP_NET_DNS_H

#include "base/err.h"
#include "net/srv.h"

/* Asks for the SRV records of a name such as "_pop3s._tcp.example.com". Blocks as long as the
 * resolver's own settings say. 0, also when there are none (the list is then empty); ERR_AGAIN if
 * the name servers give no answer, or a broken one. */
int dns_srv(const char *name, struct srv_list *list, struct err *err);

#endif
