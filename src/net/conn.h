/* SPDX-License-Identifier: ISC */
/*
 * conn: bytes to and from one server, buffered, with a deadline on every wait.
 *
 * Owns the socket and the TLS session on it. It waits for both directions at once, so a server that
 * talks while we write cannot deadlock us. Buffers have a fixed size (CONN_INPUT and CONN_OUTPUT).
 * A view from conn_view lives until the next conn_ call on it.
 *
 * Deadlines: no byte at all, in or out, for `idle_ms` is a timeout (time between two calls does not
 * count); an answer that comes in slower than CONN_MIN_RATE octets a second, averaged over each
 * idle_ms of waiting, is a stall, also ERR_TIMEOUT (conn_mark begins an answer); `deadline` is
 * absolute and covers connecting and the handshake too. After INT or TERM no wait lasts beyond the
 * grace set by conn_set_grace.
 *
 * A peer that reads no more bytes is not an error of a writing call: what it said before is still
 * to be read, and conn_fill tells how the connection ended.
 */
#ifndef FP_NET_CONN_H
#define FP_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/tls.h"

#define CONN_INPUT (64 * 1024)
#define CONN_OUTPUT (40 * 1024)
#define CONN_MIN_RATE 256

struct command; /* net/command.h */
struct conn;

/* Takes a connected non-blocking socket (or socket pair) as its own. name is for error texts
 * (copied), such as "pop.example.com". deadline (a clock_ms() moment) is that of connecting, with
 * the TLS handshake, as long as conn_set_deadline has set no other. idle_ms is in milliseconds.
 * Never fails. */
struct conn *conn_new(int fd, const char *name, int64_t idle_ms, int64_t deadline);

/* Closes; the peer gets close_notify if it can be sent at once. NULL is fine. */
void conn_free(struct conn *conn);

/* Sets another absolute deadline, a clock_ms() moment. */
void conn_set_deadline(struct conn *conn, int64_t deadline);

/* The program at the other end: owned from here on, its standard error logged while we wait, ended
 * by conn_free. */
void conn_set_command(struct conn *conn, struct command *command);
struct command *conn_command(struct conn *conn); /* NULL: there is none */

/* How long a wait may go on once INT or TERM came: 0 before there is anything to finish (the
 * wait ends with ERR_STOPPED at once), STOP_GRACE_MS later. Default 0. */
void conn_set_grace(struct conn *conn, int64_t grace_ms);

/* To ask the system about the connection; it stays the conn's own. */
int conn_fd(const struct conn *conn);

/* TLS from here on: what is queued is sent, then the handshake, under the same deadlines. Any input
 * byte already there is fatal (ERR_TRUST: injected before TLS). Other errors as tls_new and
 * tls_handshake; after one the conn is good for conn_tls, conn_figures, conn_free. */
int conn_start_tls(struct conn *conn, const struct tls_options *options, struct err *err);
bool conn_is_secure(const struct conn *conn);
struct tls *conn_tls(struct conn *conn); /* NULL without TLS; there after a failed handshake too */

/* What is buffered and not consumed yet. */
struct str conn_view(const struct conn *conn);
void conn_consume(struct conn *conn, size_t len); /* len <= the view's */

/* Waits until the view has grown by at least one byte, sending queued output meanwhile. 1: grew;
 * 0: the peer ended the stream in good order (FIN; with TLS close_notify); -1: ERR_TIMEOUT,
 * ERR_CLOSED (reset; TLS cut off without close_notify), ERR_STOPPED, ERR_TRUST (as tls_read). A
 * full buffer is compacted first; a view that fills the whole buffer and is not consumed is a bug
 * of ours. */
int conn_fill(struct conn *conn, struct err *err);

/* Without waiting: 1 if a byte is buffered or could be read now, 0 if not, -1 at the end of the
 * stream or an error (err says which; plain end is ERR_CLOSED). */
int conn_peek(struct conn *conn, struct err *err);

/* Waits for a byte, ms milliseconds at most, and does not read it: 1, or 0 if none came. Also 1 at
 * the end of the stream and after a signal, which conn_fill tells. */
int conn_await(struct conn *conn, int64_t ms);

/* Queues bytes; when the queue is full, sends (reading meanwhile as long as there is room). */
int conn_put(struct conn *conn, const void *bytes, size_t len, struct err *err);

/* Starts sending what is queued without waiting (what the socket does not take now goes out in
 * later calls). */
int conn_push(struct conn *conn, struct err *err);

/* Waits until everything queued has left. */
int conn_flush(struct conn *conn, struct err *err);

/* An answer begins: its rate is measured from here. */
void conn_mark(struct conn *conn);

/* Octets received and sent so far (inside TLS), how often we had to wait, and since when there is a
 * connection, in milliseconds. */
struct conn_figures {
    uint64_t received, sent, waits;
    int64_t ms;
};
struct conn_figures conn_figures(const struct conn *conn);

#endif
