/* SPDX-License-Identifier: ISC */
/*
 * login: one login with one method (RFC 1939 USER and PASS, APOP; RFC 5034 AUTH). Which one that
 * is, and what comes after it, is the caller's to say (pop3/auth.h).
 */
#ifndef FP_POP3_LOGIN_H
#define FP_POP3_LOGIN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "pop3/method.h"
#include "pop3/pop3.h"

/* Who logs in where, and with what; borrowed. */
struct login_who {
    const char *server;
    unsigned port; /* told to the server by OAUTHBEARER; 0: left out */
    const char *user;
    const char *identity; /* authorisation identity (RFC 4422 section 3.4.1): only a mechanism that
                             carries it is used; NULL: none is sent */
    const struct secret *secret;
    bool is_token; /* from token_command: OAUTHBEARER or XOAUTH2 */
    bool client_certificate;
};

/* What became of it. */
struct login_outcome {
    bool sent;    /* something was: no other method after this one */
    bool proved;  /* so was the secret, or a proof of it: a server that hangs up may mean "wrong" */
    bool refused; /* by an -ERR that is about the login, not about the mailbox or the time */
    bool token_refused; /* and the server saw the token */
};

#define LOGIN_CHALLENGES_MAX 16 /* in one exchange; beyond, the login fails */
#define LOGIN_LINE_MAX 255      /* an AUTH line with initial response, CRLF included (RFC 5034) */

/* Logs in. The log of pop3 blanks the secret already. Errors as auth_login; ERR_CONFIG also for
 * what this method cannot carry. */
int login_try(struct pop3 *pop3, const struct method *method, const struct login_who *who,
              struct login_outcome *outcome, struct err *err);

#endif
