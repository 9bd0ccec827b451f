/* SPDX-License-Identifier: ISC */
/*
 * connect: from an account to a session that is logged in.
 */
#ifndef FP_SESSION_CONNECT_H
#define FP_SESSION_CONNECT_H

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "net/tls_options.h"
#include "pop3/pop3.h"
#include "session/account.h"
#include "session/run.h"
#include "state/note.h"

/* Connects to run->account's server (through a proxy or a command if the account says so), secures
 * the connection as the account says (never less), reads the greeting, asks CAPA and logs in. A
 * token that the server refuses is renewed once (run->renew). CAPA is left out where the note
 * remembers it (session/recall.h); note may be NULL. After the deadline (clock_ms()) no message is
 * begun; session_timeout and a minute later the connection ends, wherever it is. *login_delay is
 * what the server announced (seconds, -1: not said), also if it failed. The pop3 is the caller's to
 * free; run->log is borrowed for its life. */
int connect_open(struct pop3 **out, const struct session_run *run, struct note *note,
                 int64_t deadline, int64_t *login_delay, struct err *err);

/* Frees it (NULL is fine), and tells -v what went over it. */
void connect_close(struct pop3 *pop3);

/* Connects as far as TLS, without logging in, and writes the pin of the server's key into text,
 * trusted or not, and whether the certificate was trusted; with tls_trust = tofu, what is noted.
 * ERR_CONFIG: tls = none. */
int connect_show_pin(const struct session_run *run, char *text, size_t cap, struct err *err);

/* Connects, has the certificate checked, reads the greeting, and hangs up: 0 if there is a POP3
 * server whose certificate fits. pin: of its key, trusted or not; "" if it has shown none. */
int connect_reach(const struct account *account, struct log *log, char pin[TLS_PIN_TEXT],
                  struct err *err);

#endif
