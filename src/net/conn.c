/* SPDX-License-Identifier: ISC */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "net/command.h"
#include "net/sock.h"

struct conn {
    int fd;
    char *name;
    struct tls *tls;
    bool secure;             /* its handshake is done */
    int64_t born;            /* clock_ms() */
    struct command *command; /* at the other end; NULL: a server */

    char *in, *out; /* bytes start..end of each are waiting */
    size_t in_start, in_end, out_start, out_end;
    short in_wait, out_wait; /* poll events to wait for before another try; 0: try at once */
    bool ended, failed;      /* nothing more will be read; failed: see `why` */
    bool send_failed;        /* the peer reads no more: output is dropped, reading tells why */
    struct err why;

    int64_t idle_ms, deadline, grace_ms;
    bool connected;    /* the deadline is no longer that of connecting and the TLS handshake */
    int64_t looked;    /* when time was last added to the two counts below */
    int64_t quiet_ms;  /* time waited since the last byte */
    int64_t window_ms; /* time waited, and bytes moved, since the rate was last measured */
    uint64_t window_bytes;
    struct conn_figures figures;
};

struct conn *conn_new(int fd, const char *name, int64_t idle_ms, int64_t deadline)
{
    struct conn *conn = xcalloc(1, sizeof *conn);
    conn->fd = fd;
    conn->name = xstrdup(name);
    conn->in = xmalloc(CONN_INPUT);
    conn->out = xmalloc(CONN_OUTPUT);
    conn->in_wait = POLLIN;
    conn->idle_ms = idle_ms;
    conn->deadline = deadline;
    conn->born = clock_ms();
    return conn;
}

void conn_free(struct conn *conn)
{
    if (conn == NULL)
        return;
    if (conn->secure && !conn->failed)
        tls_close_notify(conn->tls);
    tls_free(conn->tls);
    close(conn->fd);
    command_end(conn->command);
    free(conn->name);
    free(conn->in);
    secret_wipe_bytes(conn->out, CONN_OUTPUT);
    free(conn->out);
    free(conn);
}

void conn_set_deadline(struct conn *conn, int64_t deadline)
{
    conn->deadline = deadline;
    conn->connected = true;
}

void conn_set_command(struct conn *conn, struct command *command)
{
    conn->command = command;
}

struct command *conn_command(struct conn *conn)
{
    return conn->command;
}

void conn_set_grace(struct conn *conn, int64_t grace_ms)
{
    conn->grace_ms = grace_ms;
}

bool conn_is_secure(const struct conn *conn)
{
    return conn->secure;
}

int conn_fd(const struct conn *conn)
{
    return conn->fd;
}

struct tls *conn_tls(struct conn *conn)
{
    return conn->tls;
}

struct str conn_view(const struct conn *conn)
{
    return str_of(conn->in + conn->in_start, conn->in_end - conn->in_start);
}

void conn_consume(struct conn *conn, size_t len)
{
    assert(len <= conn->in_end - conn->in_start);
    conn->in_start += len;
}

void conn_mark(struct conn *conn)
{
    conn->window_ms = 0;
    conn->window_bytes = 0;
}

struct conn_figures conn_figures(const struct conn *conn)
{
    struct conn_figures figures = conn->figures;
    figures.ms = clock_ms() - conn->born;
    return figures;
}

/* --- time ------------------------------------------------------------------------------------ */

static void count_bytes(struct conn *conn, size_t len)
{
    conn->quiet_ms = 0;
    conn->window_bytes += len;
}

static void count_time(struct conn *conn)
{
    int64_t now = clock_ms();
    conn->quiet_ms += now - conn->looked;
    conn->window_ms += now - conn->looked;
    conn->looked = now;
}

/* The rate is measured window by window, not since the mark: else a peer could send the first
 * megabytes of an answer at once and live on that average for hours. */
static int check_rate(struct conn *conn, struct err *err)
{
    if (conn->window_ms < conn->idle_ms)
        return 0;
    if (conn->window_bytes * 1000 < (uint64_t)conn->window_ms * CONN_MIN_RATE)
        return err_set(err, ERR_TIMEOUT,
                       "%s: fewer than %d bytes a second for %g seconds; try again later",
                       conn->name, CONN_MIN_RATE, (double)conn->window_ms / 1000);
    conn_mark(conn);
    return 0;
}

static int late(const struct conn *conn, const char *what, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "%s: %s %g seconds; try again later, or raise timeout",
                   conn->name, what, (double)conn->idle_ms / 1000);
}

static int check_time(struct conn *conn, struct err *err)
{
    int64_t limit = stop_cap(conn->deadline, conn->grace_ms);
    bool shaking = conn->tls != NULL && !conn->secure;
    if (conn->looked >= limit && limit < conn->deadline)
        return err_set(err, ERR_STOPPED, "%s: interrupted", conn->name);
    if ((shaking && conn->quiet_ms >= conn->idle_ms) || (!conn->connected && conn->looked >= limit))
        return late(conn, "connecting and the TLS handshake took longer than", err);
    if (conn->looked >= limit)
        return err_set(err, ERR_TIMEOUT,
                       "%s: the time for this connection is over; try again later", conn->name);
    if (conn->quiet_ms >= conn->idle_ms)
        return late(conn, "no byte for", err);
    return check_rate(conn, err);
}

/* A call that may wait begins. Also asked when nothing has to be waited for, since a peer that
 * never lets us wait must not outlive the deadline. */
static int begin(struct conn *conn, struct err *err)
{
    conn->looked = clock_ms();
    return check_time(conn, err);
}

/* When time is to be looked at again, should nothing happen. */
static int64_t next_look(const struct conn *conn)
{
    int64_t quiet = conn->looked + conn->idle_ms - conn->quiet_ms;
    int64_t window = conn->looked + conn->idle_ms - conn->window_ms;
    int64_t next = quiet < window ? quiet : window;
    return next < conn->deadline ? next : conn->deadline;
}

static void note_events(struct conn *conn, short events)
{
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        conn->in_wait = conn->out_wait = 0;
    if (events & conn->in_wait)
        conn->in_wait = 0;
    if (events & conn->out_wait)
        conn->out_wait = 0;
    if (conn->tls != NULL && events & ~POLLOUT)
        tls_ready(conn->tls);
}

/* The one place that waits: until one of the events comes, or a deadline passes. */
static int wait_for(struct conn *conn, short events, struct err *err)
{
    struct pollfd fds[2] = {{.fd = conn->fd, .events = events}, {.fd = -1, .events = POLLIN}};
    conn->figures.waits++;
    int n;
    do {
        if (check_time(conn, err) < 0)
            return -1;
        fds[1].fd = conn->command != NULL ? command_fd(conn->command) : -1;
        n = stop_wait(fds, 2, next_look(conn), conn->grace_ms);
        if (n < 0 && errno != EINTR)
            return err_errno(err, ERR_SYSTEM, errno, "%s: cannot wait", conn->name);
        count_time(conn);
        if (n > 0 && fds[1].revents != 0)
            command_log(conn->command);
    } while (n <= 0 || fds[0].revents == 0);
    note_events(conn, fds[0].revents);
    return 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* As tls_read. A read that brings less than was asked for has emptied the socket: the next try is
 * worth a system call only after poll said so. */
static enum tls_want receive(struct conn *conn, char *to, size_t cap, size_t *done)
{
    if (conn->secure)
        return tls_read(conn->tls, to, cap, done, &conn->why);
    ssize_t got = sock_recv(conn->fd, to, cap);
    if (got > 0) {
        *done = (size_t)got;
        return TLS_DONE;
    }
    if (got == 0)
        return TLS_END;
    if (sock_is_busy(errno))
        return TLS_WANT_READ;
    err_set(&conn->why, ERR_CLOSED, "%s: connection lost: %s; try again later", conn->name,
            strerror(errno));
    return TLS_FAILED;
}

/* As tls_write. A peer that reads no more may have said why before: that is found by reading, so
 * it is not an error here. */
static enum tls_want transmit(struct conn *conn, const char *from, size_t len, size_t *done)
{
    if (conn->secure)
        return tls_write(conn->tls, from, len, done, &conn->why);
    ssize_t put = sock_send(conn->fd, from, len);
    if (put < 0 && sock_is_busy(errno))
        return TLS_WANT_WRITE;
    conn->send_failed = put < 0;
    *done = put < 0 ? 0 : (size_t)put;
    return TLS_DONE;
}

static bool has_room(const struct conn *conn)
{
    return conn->in_end < CONN_INPUT;
}

static void make_room(struct conn *conn)
{
    size_t rest = conn->in_end - conn->in_start;
    if (conn->in_start < rest && has_room(conn))
        return; /* it would move more than was consumed */
    memmove(conn->in, conn->in + conn->in_start, rest);
    conn->in_start = 0;
    conn->in_end = rest;
}

static void note_reading(struct conn *conn, enum tls_want want)
{
    if (want == TLS_WANT_READ)
        conn->in_wait = POLLIN;
    if (want == TLS_WANT_WRITE)
        conn->in_wait = POLLOUT;
    conn->ended = want == TLS_END;
    conn->failed = want == TLS_FAILED;
}

/* Reads what is there and fits; returns how much that was. */
static size_t take_in(struct conn *conn)
{
    size_t total = 0;
    while (has_room(conn) && !conn->in_wait && !conn->ended && !conn->failed) {
        size_t room = CONN_INPUT - conn->in_end, got = 0;
        enum tls_want want = receive(conn, conn->in + conn->in_end, room, &got);
        if (want != TLS_DONE) {
            note_reading(conn, want);
            break;
        }
        if (!conn->secure && got < room)
            conn->in_wait = POLLIN;
        conn->in_end += got;
        total += got;
    }
    if (total > 0)
        count_bytes(conn, total);
    conn->figures.received += total;
    return total;
}

/* Sends what the socket takes now. -1: the connection is broken. */
static int give_out(struct conn *conn, struct err *err)
{
    while (conn->out_start < conn->out_end && !conn->out_wait && !conn->failed &&
           !conn->send_failed) {
        size_t put = 0;
        enum tls_want want =
            transmit(conn, conn->out + conn->out_start, conn->out_end - conn->out_start, &put);
        if (want == TLS_WANT_READ || want == TLS_WANT_WRITE)
            conn->out_wait = want == TLS_WANT_READ ? POLLIN : POLLOUT;
        if (want == TLS_FAILED)
            conn->failed = true;
        if (put > 0)
            count_bytes(conn, put);
        conn->figures.sent += put;
        conn->out_start += put;
    }
    if (conn->send_failed || conn->out_start == conn->out_end) {
        secret_wipe_bytes(conn->out, conn->out_end); /* it may have been a password */
        conn->out_start = conn->out_end = 0;
    }
    if (conn->failed && err != NULL)
        *err = conn->why;
    return conn->failed ? -1 : 0;
}

/* What a wait may wait for: the peer's bytes while there is room for them, and room for ours. */
static short wanted(const struct conn *conn)
{
    short events = 0;
    if (has_room(conn) && !conn->ended)
        events |= conn->in_wait ? conn->in_wait : POLLIN;
    if (conn->out_start < conn->out_end)
        events |= conn->out_wait ? conn->out_wait : POLLOUT;
    return events;
}

int conn_fill(struct conn *conn, struct err *err)
{
    make_room(conn);
    assert(has_room(conn));
    if (begin(conn, err) < 0)
        return -1;
    for (;;) {
        give_out(conn, NULL);
        if (take_in(conn) > 0)
            return 1;
        if (conn->failed) {
            if (err != NULL)
                *err = conn->why;
            return -1;
        }
        if (conn->ended)
            return 0;
        if (wait_for(conn, wanted(conn), err) < 0)
            return -1;
    }
}

int conn_peek(struct conn *conn, struct err *err)
{
    make_room(conn);
    if (conn->in_end > conn->in_start)
        return 1;
    note_events(conn, POLLIN);
    if (take_in(conn) > 0)
        return 1;
    if (conn->failed && err != NULL)
        *err = conn->why;
    if (conn->ended)
        err_set(err, ERR_CLOSED, "%s: the server closed the connection; try again later",
                conn->name);
    return conn->failed || conn->ended ? -1 : 0;
}

int conn_await(struct conn *conn, int64_t ms)
{
    struct pollfd fd = {.fd = conn->fd, .events = POLLIN};
    if (conn->in_end > conn->in_start)
        return 1;
    return stop_wait(&fd, 1, clock_in(ms), conn->grace_ms) != 0;
}

/* Sends until at most `rest` bytes are queued, reading meanwhile as long as there is room, since
 * the peer may wait for us to read before it reads. */
static int send_down_to(struct conn *conn, size_t rest, struct err *err)
{
    if (begin(conn, err) < 0)
        return -1;
    for (;;) {
        if (give_out(conn, err) < 0)
            return -1;
        if (conn->out_end - conn->out_start <= rest)
            return 0;
        make_room(conn);
        take_in(conn);
        if (!conn->failed && wait_for(conn, wanted(conn), err) < 0)
            return -1;
    }
}

int conn_put(struct conn *conn, const void *bytes, size_t len, struct err *err)
{
    const char *from = bytes;
    while (len > 0 && !conn->send_failed) {
        size_t part = CONN_OUTPUT - conn->out_end;
        if (part == 0 && conn->out_start == 0 && send_down_to(conn, CONN_OUTPUT - 1, err) < 0)
            return -1;
        if (part == 0) {
            memmove(conn->out, conn->out + conn->out_start, conn->out_end - conn->out_start);
            conn->out_end -= conn->out_start;
            conn->out_start = 0;
            continue;
        }
        if (part > len)
            part = len;
        memcpy(conn->out + conn->out_end, from, part);
        conn->out_end += part;
        from += part;
        len -= part;
    }
    return 0;
}

int conn_push(struct conn *conn, struct err *err)
{
    conn->out_wait = 0;
    return give_out(conn, err);
}

int conn_flush(struct conn *conn, struct err *err)
{
    return conn->out_start == conn->out_end ? 0 : send_down_to(conn, 0, err);
}

/* --- TLS ------------------------------------------------------------------------------------- */

/* No byte may be there that was sent before TLS and would be taken for one sent under it (RFC 2595,
 * section 4; CVE-2011-0411 and the like). */
static int check_silence(struct conn *conn, bool upgraded, struct err *err)
{
    struct err peeked;
    int rc = upgraded || conn->in_end > conn->in_start ? conn_peek(conn, &peeked) : 0;
    if (rc > 0)
        return err_set(err, ERR_TRUST,
                       "%s: bytes follow the answer to STLS, perhaps an attack; use tls = "
                       "\"implicit\" if the server has it",
                       conn->name);
    if (rc < 0 && err != NULL)
        *err = peeked;
    return rc;
}

static int shake_hands(struct conn *conn, struct err *err)
{
    conn->quiet_ms = 0;
    conn_mark(conn);
    if (begin(conn, err) < 0)
        return -1;
    for (;;) {
        enum tls_want want = tls_handshake(conn->tls, err);
        if (want == TLS_DONE)
            return 0;
        if (want == TLS_FAILED || want == TLS_END)
            return -1;
        if (wait_for(conn, want == TLS_WANT_READ ? POLLIN : POLLOUT, err) < 0)
            return -1;
    }
}

int conn_start_tls(struct conn *conn, const struct tls_options *options, struct err *err)
{
    assert(conn->tls == NULL);
    if (conn_flush(conn, err) < 0)
        return -1;
    struct tls_options mine = *options;
    mine.upgraded = conn->figures.received > 0;
    if (check_silence(conn, mine.upgraded, err) < 0)
        return -1;
    if (tls_new(&conn->tls, conn->fd, &mine, err) < 0)
        return -1;
    if (shake_hands(conn, err) < 0) {
        conn->failed = true;
        err_set(&conn->why, ERR_CLOSED, "%s: no TLS", conn->name);
        return -1;
    }
    conn->secure = true;
    conn->in_wait = 0; /* the first answer may have come with the last message of the handshake */
    conn->out_wait = 0;
    conn->quiet_ms = 0;
    conn_mark(conn);
    return 0;
}
