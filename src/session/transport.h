/* SPDX-License-Identifier: ISC */
/*
 * transport: a connection to the account's server, by TCP, through a proxy or by a command.
 */
#ifndef FP_SESSION_TRANSPORT_H
#define FP_SESSION_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "net/conn.h"
#include "session/account.h"

/* Connects as the account says, without TLS. -v is told the address and how long it took. turn is
 * net/dial's: another one where what was reached was of no use. deadline
 * is a clock_ms() moment; *conn is the caller's to free; log is borrowed for its life. */
int transport_open(struct conn **conn, const struct account *account, unsigned turn,
                   int64_t deadline, const struct log *log, struct err *err);

/* For --doctor: where it leads, and which address of this machine it goes out from. */
void transport_spell_ends(const struct account *account, const struct conn *conn, char *out,
                          size_t cap);

/* Whom to trust, as the account says; views of its texts. */
struct tls_options transport_tls_options(const struct account *account, const struct log *log);

/* Tells -v of version, cipher and certificate; nothing if there is no TLS yet. */
void transport_tell_tls(struct conn *conn, const struct log *log);

/* Nothing was sent yet. If the server says nothing for some seconds (half of timeout, 5 at most),
 * another connection finds out whether its port has TLS from the start: then -1 and ERR_PROTOCOL.
 * Of an account that begins with TLS, nothing is asked. turn: as for transport_open. */
int transport_await_greeting(const struct account *account, unsigned turn, struct conn *conn,
                             struct err *err);

#endif
