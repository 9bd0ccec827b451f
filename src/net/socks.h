/* SPDX-License-Identifier: ISC */
/*
 * socks: what is said to a SOCKS5 proxy, and what it answers (RFC 1928, RFC 1929). Pure.
 *
 * The caller sends what is in out, empties it, and brings exactly the bytes that are asked for:
 * what comes behind the proxy's last answer is the server's and must stay on the line. Names are
 * resolved by the proxy.
 */
#ifndef FP_NET_SOCKS_H
#define FP_NET_SOCKS_H

#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

#define SOCKS_TEXT_MAX 255 /* of a host, a user and a password, each */

/* Whom to reach, and who we are; borrowed. */
struct socks_target {
    const char *host; /* name or address */
    unsigned port;
    const char *user; /* NULL: without a login */
    const struct secret *password;
};

enum socks_step { SOCKS_METHOD, SOCKS_LOGIN, SOCKS_VERDICT, SOCKS_ADDRESS, SOCKS_DONE };

struct socks {
    const struct socks_target *target;
    enum socks_step step;
    size_t have, need; /* of the answer that is coming in */
    unsigned char in[4 + 1 + SOCKS_TEXT_MAX + 2];
    size_t out_len; /* to be sent now; the caller sets it to 0 */
    unsigned char out[3 + 2 * SOCKS_TEXT_MAX];
};

/* Begins, with the first bytes in out. Texts longer than SOCKS_TEXT_MAX or empty, and a port out of
 * range: ERR_CONFIG. */
int socks_begin(struct socks *socks, const struct socks_target *target, struct err *err);

/* How many bytes to bring next, at most; 0: the proxy has connected to the target. */
size_t socks_wants(const struct socks *socks);

/* Takes len <= socks_wants bytes. ERR_LOGIN: the proxy does not know us; ERR_REFUSED: its rules
 * forbid it; ERR_AGAIN: it could not connect; ERR_PROTOCOL: this is not SOCKS5. No error text holds
 * a byte of user or password. */
int socks_take(struct socks *socks, const unsigned char *bytes, size_t len, struct err *err);

/* Wipes: out may have held the password. */
void socks_end(struct socks *socks);

#endif
