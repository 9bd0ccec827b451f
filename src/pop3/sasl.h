/* SPDX-License-Identifier: ISC */
/*
 * sasl: SASL through libsasl2 (RFC 4422). One struct sasl per attempt: one mechanism, one exchange.
 */
#ifndef FP_POP3_SASL_H
#define FP_POP3_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"

#define SASL_BINDING_MAX 64

struct sasl;

struct sasl_login {
    const char *server; /* as configured */
    unsigned port;      /* for OAUTHBEARER; 0: not said */
    const char *user;
    const char *identity;        /* authorisation identity; NULL: none is sent */
    const struct secret *secret; /* password or token; borrowed for the attempt */
    bool secure;                 /* TLS is on: plaintext mechanisms are fine */
    bool allow_plaintext;        /* the configuration names this mechanism */
    bool client_certificate;     /* EXTERNAL is possible */
    const char *binding_type;    /* channel binding, NULL if none */
    const unsigned char *binding;
    size_t binding_len;      /* SASL_BINDING_MAX at most */
    bool server_offers_plus; /* the server listed the -PLUS twin of this mechanism */
    const struct log *log;
};

/* Begins one mechanism ("PLAIN", "SCRAM-SHA-256", ...), asked for by exactly this name: one with
 * -PLUS wants a channel binding. No security layer is ever made: TLS is the layer. Returns 1 with
 * the initial response in *initial (it may be empty, and lives until the next sasl_step), 0 if
 * there is none. Failing here means that nothing was sent yet: the caller may try the next one.
 * ERR_LOGIN. */
int sasl_start(struct sasl **sasl, const struct sasl_login *login, const char *mechanism,
               struct str *initial, struct err *err);

/* One challenge (decoded) gives one response (not yet encoded; lives until the next sasl_ call). A
 * challenge after the end is ERR_LOGIN. The one exception: an OAuth mechanism is done after its
 * first message, and a challenge then is a refusal (RFC 7628 section 3.2.3): it is answered, its
 * text is kept for sasl_refusal, and sasl_is_done is false from then on. */
int sasl_step(struct sasl *sasl, struct str challenge, struct str *response, struct err *err);

/* The mechanism is satisfied: only then is a +OK of the server a success. */
bool sasl_is_done(const struct sasl *sasl);

/* The JSON with which the server refused a token, empty if none came; lives until sasl_end. */
struct str sasl_refusal(const struct sasl *sasl);

void sasl_end(struct sasl *sasl); /* NULL is fine; wipes */

/* True if this build of libsasl2 has a client plugin of that name. Loads plugins at first use, and
 * Kerberos when a mechanism with GS in front is asked for. No attempt may be under way. */
bool sasl_has(const char *mechanism);

#endif
