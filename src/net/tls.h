/* SPDX-License-Identifier: ISC */
/*
 * tls: one struct tls is one TLS client session (OpenSSL) over a non-blocking socket. It never
 * waits itself, it says what it waits for.
 *
 * Verification and the check of the host name are always on (RFC 9525). TLS 1.2 at least. SNI is
 * always sent for a name (never for an address).
 */
#ifndef FP_NET_TLS_H
#define FP_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/tls_options.h"

enum tls_want { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_END, TLS_FAILED };

struct tls;

/* OpenSSL loads what every session needs, so that processes that are forked from here on
 * have it: a fifth of the CPU of a poll with nothing new (OpenSSL 3.0). What fails here is told
 * by tls_new. */
void tls_prepare(void);

/* Makes a client session on fd (borrowed, non-blocking). Wrong files are ERR_CONFIG. */
int tls_new(struct tls **made, int fd, const struct tls_options *options, struct err *err);
void tls_free(struct tls *tls); /* NULL is fine; sends nothing */

/* One step of the handshake. TLS_FAILED sets err: ERR_TRUST with which check failed, for which
 * name, subject, issuer, dates and pin in three lines at most; ERR_CLOSED when the peer hung up. */
enum tls_want tls_handshake(struct tls *tls, struct err *err);

/* To be called when poll said that the socket is readable: once the socket was found empty, reading
 * does not try it again before that, which saves a system call for each answer. */
void tls_ready(struct tls *tls);

/* As read(2) and write(2): TLS_DONE and *done > 0; TLS_WANT_*: nothing yet; TLS_END (reading only):
 * close_notify; TLS_FAILED: ERR_CLOSED for an end without close_notify ("cut off"), ERR_TRUST if
 * the server refuses our certificate (TLS 1.3 says so only here), else ERR_CLOSED with OpenSSL's
 * reason. */
enum tls_want tls_read(struct tls *tls, void *to, size_t cap, size_t *done, struct err *err);
enum tls_want tls_write(struct tls *tls, const void *from, size_t len, size_t *done,
                        struct err *err);

/* Sends close_notify without waiting; best effort. */
void tls_close_notify(struct tls *tls);

/* For humans: "TLSv1.3 TLS_AES_256_GCM_SHA384". Lives as long as the tls. */
const char *tls_describe(const struct tls *tls);

/* Channel binding for SASL (RFC 9266 tls-exporter on TLS 1.3; RFC 5929 tls-unique on 1.2 with
 * extended master secret, else tls-server-end-point). *type is a static name. 0, or -1 if there
 * is none. */
int tls_binding(struct tls *tls, const char **type, unsigned char *out, size_t cap, size_t *len);

/* The pin of the peer's public key: base64 of SHA-256 of its SPKI, trusted or not. 0, or -1 if it
 * has shown none. */
int tls_peer_pin(const struct tls *tls, char out[TLS_PIN_TEXT]);

/* The peer's certificate for humans: whose it is, who issued it, its dates; trusted or not. Returns
 * out. */
#define TLS_PEER_TEXT 700
const char *tls_peer_text(const struct tls *tls, char out[TLS_PEER_TEXT]);

/* The certificates from the peer's own to the authority that is trusted, for humans. Returns
 * out. */
const char *tls_chain_text(const struct tls *tls, char out[TLS_PEER_TEXT]);

/* True if it was checked as the options say and found good; even if the handshake failed later. */
bool tls_is_trusted(const struct tls *tls);

/* Days until the peer's certificate expires (negative: it has), INT_MAX if unknown. */
int tls_peer_days_left(const struct tls *tls);

#endif
