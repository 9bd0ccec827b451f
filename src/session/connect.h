/*
 * connect: from an account to a session that is logged in.
 */
#ifndef FP_SESSION_CONNECT_H
#define FP_SESSION_CONNECT_H

#include "base/err.h"
#include "base/log.h"
#include "pop3/pop3.h"
#include "session/account.h"

/* Dials, secures as the account says (never less), reads the greeting, asks CAPA and logs in.
 * The pop3 is the caller's to free. log is borrowed for its life. */
int connect_open(struct pop3 **pop3, const struct account *account, struct log *log,
                 struct err *err);

#endif
