/* SPDX-License-Identifier: ISC */
/*
 * auth: chooses how to log in, and logs in (RFC 1939 USER, PASS, APOP; RFC 5034 AUTH).
 *
 * The strongest mechanism that server, TLS and the secret at hand allow; one that fails here before
 * a byte was sent gives way to the next; a refusal by the server never leads to another one with
 * the same secret. No plaintext password without TLS unless the configuration names that mechanism.
 */
#ifndef FP_POP3_AUTH_H
#define FP_POP3_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "pop3/pop3.h"

/* What a login used, for one by a list of capabilities that may be out of date. */
struct auth_used {
    char method[21];   /* of which something was sent; "" if nothing was */
    bool listed, plus; /* what the list said of it, and of its -PLUS twin */
    bool refused;      /* by an -ERR that is about the login, not about the mailbox or the time */
    bool proved;       /* the secret, or a proof of it, was sent */
};

struct auth_options {
    const char *server;
    const char *user;
    const char *const *methods; /* "auto" alone, or names best first, lower or upper case,
                                   NULL-terminated: user, apop, any SASL name */
    const char *identity; /* authorisation identity (RFC 4422 section 3.4.1): only a mechanism that
                             carries it is used; NULL: none is sent */
    const struct secret *secret;
    bool is_token; /* from token_command: OAUTHBEARER or XOAUTH2 */
    bool client_certificate;
    bool pinned;            /* TLS was checked by a pin, if it is on */
    unsigned port;          /* told to the server by OAUTHBEARER; 0: left out */
    bool *token_refused;    /* set to true if the server saw the token and refused; or NULL */
    struct auth_used *used; /* is filled in; or NULL */
};

#define AUTH_CHALLENGES_MAX 16 /* in one exchange; beyond, the login fails */
#define AUTH_LINE_MAX 255      /* an AUTH line with initial response, CRLF included (RFC 5034) */

/* Logs in. The log of pop3 blanks the secret already. ERR_PASSWORD_REFUSED: the server says that
 * the password or token is wrong; ERR_LOGIN_REFUSED: refused, and not clearly for that; ERR_LOGIN:
 * no method in common (the text says what the server offers); ERR_CONFIG: there is no secret, and
 * the server offers no login without one; ERR_AGAIN for [IN-USE] and [SYS/TEMP], ERR_DELAY for
 * [LOGIN-DELAY], ERR_REFUSED for [SYS/PERM]; others as pop3_. */
int auth_login(struct pop3 *pop3, const struct auth_options *options, struct err *err);

/* True if the server's capabilities now say something else of the method used, or none was used. */
bool auth_has_changed(const struct pop3 *pop3, const struct auth_used *used);

#endif
