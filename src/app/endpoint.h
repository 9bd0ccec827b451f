/* SPDX-License-Identifier: ISC */
/*
 * endpoint: host names and proxies as a person writes them. Pure.
 *
 * Errors are ERR_CONFIG with words that go behind the name of a key ("server is a host name ...").
 * None of them shows a part of a proxy's user or password.
 */
#ifndef FP_APP_ENDPOINT_H
#define FP_APP_ENDPOINT_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct endpoint_proxy {
    char *host, *user; /* user NULL: none is named */
    unsigned port;
    struct secret password;
};

/* A name or an address; [::1] is taken as ::1. In A-labels, malloced; NULL with an error. */
char *endpoint_host(struct str text, struct err *err);

/* An address of this machine, IPv4 or IPv6. 0, or -1 with an error. */
int endpoint_address(const char *text, struct err *err);

/* "socks5://[user:password@]host:port". What *proxy holds then is the caller's. 0, or -1 with an
 * error and *proxy empty. */
int endpoint_proxy(const char *text, struct endpoint_proxy *proxy, struct err *err);

/* An LMTP server: "unix:/path" or "host:port" ([::1]:24), in the form that delivery/lmtp.c reads;
 * malloced. NULL with an error. */
char *endpoint_lmtp(const char *text, struct err *err);

#endif
