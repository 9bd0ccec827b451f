/* SPDX-License-Identifier: ISC */
/*
 * secrets: where the password of an account comes from.
 *
 * Of the configuration file: password, password_command, password_file, token_command. If it has
 * none of them: $CREDENTIALS_DIRECTORY/TITLE, ~/.netrc, a question on the terminal; those three are
 * the parent's task. Commands and files are the worker's, under its own deadline.
 */
#ifndef FP_APP_SECRETS_H
#define FP_APP_SECRETS_H

#include "base/err.h"
#include "base/log.h"
#include "session/account.h"

/* The parent's task: fills account->password from credentials, netrc or the terminal, if nothing is
 * given. With auth = auto it may stay empty: a Kerberos ticket or a client certificate may do, and
 * only the server tells. ERR_CONFIG: there is none, or a source is broken; ERR_STOPPED; ERR_LOGIN:
 * nothing was typed. */
int secrets_find(struct account *account, const struct log *log, struct err *err);

/* True if nothing has to be found: the account names a source, or a method that needs neither
 * password nor token. */
bool secrets_are_given(const struct account *account);

/* As secrets_find, for an account of a configuration file that is read again: nobody is asked, but
 * what was typed for `before` (the same mailbox; NULL: there was none) is used again. */
int secrets_find_again(struct account *account, const struct account *before, const struct log *log,
                       struct err *err);

/* Asks for the password on the terminal, or for another one if the one typed was wrong. 1: the
 * account has it now; 0: there is no terminal; -1: the errors of tty_ask. */
int secrets_ask(struct account *account, struct err *err);

/* The worker's task: fills account->password from the command or file. ERR_LOGIN, ERR_CONFIG,
 * ERR_LOCAL, ERR_STOPPED. */
int secrets_fetch(struct account *account, const struct log *log, struct err *err);

/* The same for another token, after the server refused the one before: token_command is run with
 * FETCHPOP_TOKEN_REFUSED=1 in its environment. */
int secrets_renew(struct account *account, const struct log *log, struct err *err);

/* The worker's task: fills account->tls_key_password, if tls_key_password_command is given. */
int secrets_fetch_key(struct account *account, const struct log *log, struct err *err);

/* From here on no core dumps, and other processes of the user cannot read our memory; best
 * effort. */
void secrets_guard(void);

#endif
