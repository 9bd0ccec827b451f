/* SPDX-License-Identifier: ISC */
/*
 * auth: chooses how to log in, and logs in (pop3/login.h).
 *
 * The strongest mechanism that server, TLS and the secret at hand allow; one that fails here before
 * a byte was sent gives way to the next; a refusal by the server never leads to another one with
 * the same secret. No plaintext password without TLS unless the configuration names that mechanism.
 */
#ifndef FP_POP3_AUTH_H
#define FP_POP3_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "pop3/login.h"
#include "pop3/pop3.h"

/* What a login used, for one by a list of capabilities that may be out of date. */
struct auth_used {
    char method[METHOD_NAME]; /* of which something was sent; "" if nothing was */
    bool listed, plus;        /* what the list said of it, and of its -PLUS twin */
    bool refused; /* by an -ERR that is about the login, not about the mailbox or the time */
    bool proved;  /* the secret, or a proof of it, was sent */
};

struct auth_options {
    struct login_who who;
    const char *const *methods; /* "auto" alone, or names best first, lower or upper case,
                                   NULL-terminated: user, apop, any SASL name */
    bool pinned;                /* TLS was checked by a pin, if it is on */
    bool *token_refused;        /* set to true if the server saw the token and refused; or NULL */
    struct auth_used *used;     /* is filled in; or NULL */
};

/* Logs in. The log of pop3 blanks the secret already. ERR_PASSWORD_REFUSED: the server says that
 * the password or token is wrong; ERR_LOGIN_REFUSED: refused, and not clearly for that; ERR_LOGIN:
 * no method in common (the text says what the server offers); ERR_CONFIG: there is no secret, and
 * the server offers no login without one; ERR_AGAIN for [IN-USE] and [SYS/TEMP], ERR_DELAY for
 * [LOGIN-DELAY], ERR_REFUSED for [SYS/PERM]; others as pop3_. */
int auth_login(struct pop3 *pop3, const struct auth_options *options, struct err *err);

/* True if the server's capabilities now say something else of the method used, or none was used. */
bool auth_has_changed(const struct pop3 *pop3, const struct auth_used *used);

#endif
