/* SPDX-License-Identifier: ISC */
/*
 * digest: SHA-256 and MD5 (through OpenSSL), the CRC-32 that guards each line of a journal, a hash
 * for tables that are filled by a server, and base64.
 */
#ifndef FP_BASE_DIGEST_H
#define FP_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define DIGEST_SIZE 32
#define DIGEST_HEX (2 * DIGEST_SIZE + 1)

struct digest; /* a running SHA-256; never fails (no memory, or an OpenSSL without it: xdie) */

/* Begins; the caller's until digest_end or digest_free. */
struct digest *digest_new(void);
/* Takes len more bytes. */
void digest_add(struct digest *digest, const void *bytes, size_t len);
void digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE]); /* and frees */
void digest_free(struct digest *digest); /* without a result; NULL is fine */

/* The digest of these bytes alone. */
void digest_bytes(struct str bytes, unsigned char out[DIGEST_SIZE]);

/* MD5 (RFC 1321) of two pieces, one behind the other, for APOP alone. 0, or -1: this OpenSSL has
 * none. What it kept of them is wiped. */
#define DIGEST_MD5_SIZE 16
int digest_md5(struct str first, struct str second, unsigned char out[DIGEST_MD5_SIZE]);

/* CRC-32 (IEEE 802.3, reflected), as in gzip. Start with crc = 0. */
uint32_t digest_crc32(uint32_t crc, const void *bytes, size_t len);

/* SipHash-1-3, for tables in memory: without the key nobody can choose texts that collide. */
struct digest_key {
    uint64_t word[2];
};
void digest_make_key(struct digest_key *key); /* a different one each time */
uint64_t digest_keyed(const struct digest_key *key, struct str bytes);

/* base64 (RFC 4648, with padding, no line breaks). digest_base64: out holds 4 * ((n + 2) / 3) + 1,
 * returns its length. digest_unbase64: strict; length written to out (cap bytes) or -1. */
size_t digest_base64(struct str in, char *out);
char digest_base64_digit(unsigned value); /* of the lowest six bits */
int digest_base64_value(char digit);      /* -1: it is none */
long digest_unbase64(struct str in, void *out, size_t cap);

#endif
