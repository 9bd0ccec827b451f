/* SPDX-License-Identifier: ISC */
/*
 * method: which ways of logging in are worth a try, best first. Pure.
 *
 * The rules. A name in the configuration file is a wish: it is tried if the server does not rule it
 * out, even if it sends the password in the clear. "auto" never does that without TLS. Over TLS the
 * order is SCRAM (the server never sees the password), then PLAIN, LOGIN and USER; where a pin says
 * who the server is, PLAIN is first, which saves two round trips; and only then DIGEST-MD5 and
 * CRAM-MD5: both are out of date, make servers keep the password in the clear, and protect nothing
 * that TLS does not. Without TLS these two come after SCRAM, and APOP is taken only if there is
 * nothing else. A token goes with OAUTHBEARER or XOAUTH2 alone; without a password there are GSSAPI
 * and EXTERNAL. NTLM, -PLUS and APOP over TLS have to be named. Where an authorisation identity is
 * asked for, what cannot carry it is left out.
 */
#ifndef FP_POP3_METHOD_H
#define FP_POP3_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#include "pop3/reply.h"

#define METHODS_MAX 24
#define METHOD_NAME 21 /* RFC 4422 section 3.1: 20 characters, and a NUL */

enum method_way { METHOD_SASL, METHOD_USER, METHOD_APOP };

struct method {
    enum method_way way;
    bool named; /* in the configuration file: plaintext without TLS is what the user wants */
    char name[METHOD_NAME]; /* upper case; USER and APOP too */
};

struct method_question {
    const struct reply_capa *capa;
    const char *const *wishes;          /* names in any case, or "auto"; NULL-terminated */
    bool secure;                        /* TLS is on */
    bool stamp;                         /* the greeting had a stamp for APOP */
    bool secret;                        /* there is a password or token */
    bool token;                         /* it is a token */
    bool pinned;                        /* the server's key is the one that we were told */
    bool certificate;                   /* we have a client certificate */
    bool identity;                      /* an authorisation identity is to be sent */
    bool (*has)(const char *mechanism); /* can we do it ourselves: sasl_has */
};

/* Fills the list and returns its length; 0: nothing in common. */
size_t method_choose(const struct method_question *question, struct method list[METHODS_MAX]);

/* What a method proves itself with. */
enum method_proof {
    METHOD_PASSWORD,
    METHOD_TOKEN,       /* OAuth */
    METHOD_TICKET,      /* Kerberos: libkrb5 finds it */
    METHOD_CERTIFICATE, /* of the TLS connection */
    METHOD_ANY          /* "auto": what is at hand and what the server offers decide */
};

/* For a name that `auth` may hold, in any case: "auto", "user", "apop" or a mechanism that libsasl2
 * or we can have. Others are not known, and count as METHOD_PASSWORD. */
bool method_is_known(struct str name);
enum method_proof method_proof(struct str name);

/* The name as the protocol has it, in upper case; empty if it is longer than any. */
void method_name(struct str text, char out[METHOD_NAME]);

/* Debian's package with libsasl2's plugin for it; NULL if that is none. */
const char *method_package(const char *name);

#endif
