/* SPDX-License-Identifier: ISC */
/*
 * trust: whether to trust the certificate that a server shows.
 *
 * The part of tls that reads tls_trust, tls_pin, tls_ca_file and the like, checks the certificate
 * and words the refusal. Only tls.c uses it. OpenSSL's types are named without its headers.
 */
#ifndef FP_NET_TRUST_H
#define FP_NET_TRUST_H

#include <stdbool.h>

#include "base/err.h"
#include "net/tls_options.h"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

struct trust;

/* Reads pins, authorities and revocation lists (wrong ones: ERR_CONFIG) and makes every session of
 * the context verify through it. options and the context are borrowed for its life. */
int trust_new(struct trust **made, const struct tls_options *options, const char *host,
              struct ssl_ctx_st *context, struct err *err);
void trust_free(struct trust *trust); /* NULL is fine; after the context's last session */

/* Makes one session ask for the host's name and check it. */
int trust_set_host(struct trust *trust, struct ssl_st *session, struct err *err);

/* A certificate was seen and found good. */
bool trust_is_given(const struct trust *trust);

/* Why it was refused, in at most three lines; NULL if it was not. */
const struct err *trust_refusal(const struct trust *trust);

/* The server's certificate, good or not; NULL before it came. Borrowed. */
struct x509_st *trust_peer(const struct trust *trust);

/* The pin of its public key. 0, or -1 before it came. */
int trust_pin(const struct trust *trust, char out[TLS_PIN_TEXT]);

/* The certificate for humans: names, issuer, dates. Returns out. */
char *trust_describe(const struct trust *trust, char *out, size_t cap);

/* From it to the authority that is trusted, each certificate by its subject. Returns out. */
char *trust_spell_chain(const struct trust *trust, char *out, size_t cap);

/* ERR_CONFIG, with the key of the configuration file, the path and the system's words, if the file
 * cannot be read: OpenSSL itself only says "system lib". */
int trust_check_file(const char *key, const char *path, struct err *err);

/* OpenSSL's words for its latest error. A static text, good until the next one. */
const char *trust_openssl_words(void);

#endif
