/* SPDX-License-Identifier: ISC */
/*
 * LMTP (RFC 2033): a mail server of this machine or this network takes each message, or says for
 * good, or for now, that it does not.
 *
 * One connection serves a batch and those behind it, whoever the recipient is; it is made anew if
 * the server has ended it in between. There is one for a mailbox at a time, since many idle ones
 * would keep a server from taking others. An answer that is lost behind the final dot says only
 * that the server may have the message: it is handed on again, so that one may arrive twice, and
 * none is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/handover.h"
#include "delivery/span.h"
#include "net/conn.h"
#include "net/dial.h"

#define LINE_MAX_OCTETS 4096 /* RFC 5321, 4.5.3.1.5 asks for 512 */
#define LINES_MAX 100        /* of one reply */
#define SLICE_MS 1000        /* between two calls of idle */
#define CHUNK 16384
#define STATUS_LATER 75 /* EX_TEMPFAIL of sysexits.h */
static const char unix_prefix[] = "unix:";

struct lmtp {
    struct spooldir spool; /* handover.h */
    const struct deliver_settings *settings;
    struct conn *conn; /* NULL: none */
    bool eight_bit;    /* it takes BODY=8BITMIME (RFC 6152) */
};

/* One reply: its code, and the text of its last line, to be shown. */
struct answer {
    unsigned code;
    char text[LOG_QUOTE_MAX + 4];
};

/* ---- words on the wire ---- */

/* Waits for more; the server of the mailbox is kept awake meanwhile. */
static int fill(struct lmtp *lmtp, int64_t deadline, struct err *err)
{
    for (;;) {
        int64_t slice = clock_in(SLICE_MS);
        conn_set_deadline(lmtp->conn, slice < deadline ? slice : deadline);
        int got = conn_fill(lmtp->conn, err);
        if (got > 0)
            return 0;
        if (got == 0)
            return err_set(err, ERR_CLOSED, "%s has closed the connection", lmtp->settings->where);
        if (err->kind != ERR_TIMEOUT || clock_left(deadline) == 0)
            return -1;
        if (lmtp->settings->idle != NULL)
            lmtp->settings->idle(lmtp->settings->idle_ctx);
    }
}

/* The next line, without its end; good until the next call. */
static int read_line(struct lmtp *lmtp, int64_t deadline, struct str *line, struct err *err)
{
    for (;;) {
        struct str view = conn_view(lmtp->conn);
        const char *end = memchr(view.ptr, '\n', view.len);
        if (end != NULL) {
            size_t len = (size_t)(end - view.ptr);
            *line = str_trim(str_of(view.ptr, len));
            conn_consume(lmtp->conn, len + 1);
            return 0;
        }
        if (view.len >= LINE_MAX_OCTETS)
            return err_set(err, ERR_PROTOCOL,
                           "%s does not speak LMTP: a line without end; check the address in lmtp",
                           lmtp->settings->where);
        if (fill(lmtp, deadline, err) < 0)
            return -1;
    }
}

/* RFC 5321, 4.2: three digits, and '-' on all lines but the last. */
static int read_reply(struct lmtp *lmtp, int64_t deadline, struct answer *answer, struct err *err)
{
    for (int i = 0; i < LINES_MAX; i++) {
        struct str line;
        uint64_t code;
        if (read_line(lmtp, deadline, &line, err) < 0)
            return -1;
        bool well_formed = line.len >= 3 && str_number(str_of(line.ptr, 3), 599, &code) == 0 &&
                           code >= 200 &&
                           (line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '-');
        if (!well_formed)
            return err_set(
                err, ERR_PROTOCOL, "%s does not speak LMTP: \"%s\"; check the address in lmtp",
                lmtp->settings->where, log_quote(lmtp->settings->log, line, answer->text));
        struct str text = str_behind(line, 3);
        if (text.len > 0 && str_is_nocase(str_behind(text, 1), "8BITMIME"))
            lmtp->eight_bit = true;
        if (text.len > 0 && text.ptr[0] == '-')
            continue;
        answer->code = (unsigned)code;
        log_quote(lmtp->settings->log, line, answer->text);
        return 0;
    }
    return err_set(err, ERR_PROTOCOL,
                   "%s does not speak LMTP: an answer without end; check the address in lmtp",
                   lmtp->settings->where);
}

static int ask(struct lmtp *lmtp, const char *command, struct answer *answer, struct err *err)
{
    int64_t deadline = clock_in(lmtp->settings->lock_timeout);
    conn_set_deadline(lmtp->conn, deadline);
    if (conn_put(lmtp->conn, command, strlen(command), err) < 0 ||
        conn_put(lmtp->conn, "\r\n", 2, err) < 0 || conn_flush(lmtp->conn, err) < 0)
        return -1;
    return read_reply(lmtp, deadline, answer, err);
}

/* ---- the connection ---- */

static void hang_up(struct lmtp *lmtp)
{
    conn_free(lmtp->conn);
    lmtp->conn = NULL;
}

static int dial(const struct lmtp *lmtp, int64_t deadline, int *fd, struct err *err)
{
    struct str where = str_from(lmtp->settings->where);
    uint64_t port = 0;
    if (str_has_prefix(where, unix_prefix))
        return dial_unix(lmtp->settings->where + sizeof unix_prefix - 1, fd, err);
    const char *colon = strrchr(lmtp->settings->where, ':');
    if (colon == NULL || str_number(str_from(colon + 1), 65535, &port) < 0)
        return err_set(err, ERR_CONFIG, "lmtp: %s is not host:port; write both",
                       lmtp->settings->where);
    char *host = xmemdup0(where.ptr, (size_t)(colon - where.ptr));
    struct dial_options options = {
        .host = host, .port = (unsigned)port, .family = AF_UNSPEC, .deadline = deadline};
    int result = dial_tcp(&options, fd, err);
    free(host);
    return result;
}

/* A name of letters, digits, '.' and '-'; anything will do (RFC 5321, 4.1.4). */
static void own_name(char *out, size_t cap)
{
    out[cap - 1] = '\0';
    if (gethostname(out, cap - 1) < 0 || out[0] == '\0' || !str_is_made_of(str_from(out), ".-"))
        snprintf(out, cap, "localhost");
}

static int refused(const struct lmtp *lmtp, const struct answer *answer, struct err *err)
{
    return err_set(err, ERR_AGAIN, "%s: \"%s\"", lmtp->settings->where, answer->text);
}

static int greet(struct lmtp *lmtp, int64_t deadline, struct err *err)
{
    char name[256], hello[300];
    struct answer answer;
    if (read_reply(lmtp, deadline, &answer, err) < 0)
        return -1;
    if (answer.code != 220)
        return refused(lmtp, &answer, err);
    own_name(name, sizeof name);
    snprintf(hello, sizeof hello, "LHLO %s", name);
    lmtp->eight_bit = false;
    if (ask(lmtp, hello, &answer, err) < 0)
        return -1;
    return answer.code == 250 ? 0 : refused(lmtp, &answer, err);
}

static int connect_lmtp(struct lmtp *lmtp, struct err *err)
{
    int64_t deadline = clock_in(lmtp->settings->lock_timeout);
    int fd;
    if (dial(lmtp, deadline, &fd, err) < 0)
        return -1;
    lmtp->conn =
        conn_new(fd, lmtp->settings->where, lmtp->settings->command_timeout + SLICE_MS, deadline);
    conn_set_grace(lmtp->conn, lmtp->settings->command_timeout);
    if (greet(lmtp, deadline, err) == 0)
        return 0;
    hang_up(lmtp);
    return -1;
}

/* ---- one message ---- */

/* Dots stuffed (RFC 5321, 4.5.2), LF made CRLF. */
static int put_lines(struct conn *conn, const char *bytes, size_t len, bool *at_start,
                     struct err *err)
{
    for (size_t i = 0; i < len;) {
        const char *end = memchr(bytes + i, '\n', len - i);
        size_t n = end == NULL ? len - i : (size_t)(end - bytes) - i;
        if (*at_start && bytes[i] == '.' && conn_put(conn, ".", 1, err) < 0)
            return -1;
        if (conn_put(conn, bytes + i, n, err) < 0 ||
            (end != NULL && conn_put(conn, "\r\n", 2, err) < 0))
            return -1;
        *at_start = end != NULL;
        i += n + (end != NULL);
    }
    return 0;
}

static int put_message(struct lmtp *lmtp, const struct parcel *parcel, struct err *err)
{
    char bytes[CHUNK];
    bool at_start = true;
    ssize_t got;
    uint64_t at = 0;
    for (; (got = span_read(parcel->fd, at, bytes, sizeof bytes)) > 0; at += (uint64_t)got) {
        conn_set_deadline(lmtp->conn, clock_in(lmtp->settings->command_timeout));
        if (put_lines(lmtp->conn, bytes, (size_t)got, &at_start, err) < 0)
            return -1;
    }
    if (got < 0 || at != parcel->octets)
        return err_set(err, ERR_IO, "cannot read %s", parcel->path);
    const char *dot = at_start ? ".\r\n" : "\r\n.\r\n";
    if (conn_put(lmtp->conn, dot, strlen(dot), err) < 0)
        return -1;
    return conn_flush(lmtp->conn, err);
}

/* An address that stands between < and > as it is; others are left out: "<>". */
static const char *sender_of(const struct parcel *parcel)
{
    const char *sender = header_sender(parcel->header);
    return strchr(sender, '@') != NULL && strpbrk(sender, "<>") == NULL ? sender : "";
}

/* RFC 5321, 4.2.1: 4yz passes, 5yz stays. */
static void judge(const struct lmtp *lmtp, struct parcel *parcel, const struct answer *answer)
{
    parcel->status = (int)answer->code;
    handover_settle(parcel, answer->code >= 500 ? PARCEL_REFUSED : PARCEL_LATER,
                    "%.100s says: \"%s\"", lmtp->settings->where, answer->text);
}

/* 1 if that is the answer that was wanted, 0 if the message is judged. */
static int judge_step(const struct lmtp *lmtp, struct parcel *parcel, const struct answer *answer,
                      unsigned want)
{
    if (answer->code / 100 == want)
        return 1;
    judge(lmtp, parcel, answer);
    return 0;
}

/* One step of the dialogue: as judge_step; -1: the connection is of no use any more. */
static int step(struct lmtp *lmtp, struct parcel *parcel, const char *command, unsigned want,
                struct err *err)
{
    struct answer answer;
    if (ask(lmtp, command, &answer, err) < 0)
        return -1;
    return judge_step(lmtp, parcel, &answer, want);
}

/* What stands in Return-Path or From is what a sender wrote: if the server finds that it is no
 * address (RFC 5321, 4.2.3), the message goes without one. As step. */
static int say_sender(struct lmtp *lmtp, struct parcel *parcel, struct err *err)
{
    struct answer answer;
    const char *sender = sender_of(parcel), *body = lmtp->eight_bit ? " BODY=8BITMIME" : "";
    char *from = xasprintf("MAIL FROM:<%s>%s", sender, body);
    int asked = ask(lmtp, from, &answer, err);
    free(from);
    bool no_address = asked == 0 && sender[0] != '\0' && (answer.code == 501 || answer.code == 553);
    if (no_address) {
        from = xasprintf("MAIL FROM:<>%s", body);
        asked = ask(lmtp, from, &answer, err);
        free(from);
    }
    return asked < 0 ? -1 : judge_step(lmtp, parcel, &answer, 2);
}

/* Up to DATA, whose answer leaves nothing behind if something fails. As step. */
static int begin(struct lmtp *lmtp, struct parcel *parcel, struct err *err)
{
    char *to = xasprintf("RCPT TO:<%s>", lmtp->settings->recipient);
    int result = say_sender(lmtp, parcel, err);
    if (result > 0)
        result = step(lmtp, parcel, to, 2, err);
    if (result > 0)
        result = step(lmtp, parcel, "DATA", 3, err);
    free(to);
    return result;
}

/* One recipient was accepted, so one answer comes (RFC 2033, 4.2). */
static int finish(struct lmtp *lmtp, struct parcel *parcel, struct err *err)
{
    struct answer answer;
    if (put_message(lmtp, parcel, err) < 0)
        return -1;
    if (read_reply(lmtp, clock_in(lmtp->settings->command_timeout), &answer, err) < 0) {
        parcel->unsure = err->kind == ERR_TIMEOUT;
        return -1;
    }
    if (answer.code / 100 == 2)
        parcel->outcome = PARCEL_DELIVERED;
    else
        judge(lmtp, parcel, &answer);
    return 0;
}

static int reset(struct lmtp *lmtp)
{
    struct answer answer;
    struct err ignored;
    return ask(lmtp, "RSET", &answer, &ignored) == 0 && answer.code == 250 ? 0 : -1;
}

static void hand_over(struct lmtp *lmtp, struct parcel *parcel)
{
    struct err err;
    /* RSET proves that the connection of the last message is still one. */
    if (lmtp->conn != NULL && reset(lmtp) < 0)
        hang_up(lmtp);
    int begun =
        lmtp->conn != NULL || connect_lmtp(lmtp, &err) == 0 ? begin(lmtp, parcel, &err) : -1;
    if (begun > 0)
        begun = finish(lmtp, parcel, &err);
    if (begun >= 0)
        return;
    hang_up(lmtp);
    parcel->status = STATUS_LATER;
    handover_settle(parcel, PARCEL_LATER, "lmtp: %s", err.text);
}

/* ---- verbs ---- */

static void part(struct lmtp *lmtp)
{
    if (lmtp->conn != NULL && conn_put(lmtp->conn, "QUIT\r\n", 6, NULL) == 0)
        conn_push(lmtp->conn, NULL);
    hang_up(lmtp);
}

/* Takes over the connection of the one that spoke last, if it is to the same server. */
static void speak(struct deliver *deliver)
{
    struct deliver **speaker = deliver->settings->speaker;
    struct lmtp *lmtp = deliver->state;
    if (speaker == NULL || *speaker == deliver)
        return;
    struct lmtp *last = *speaker != NULL ? (*speaker)->state : NULL;
    if (last != NULL && strcmp((*speaker)->settings->where, deliver->settings->where) == 0) {
        lmtp->conn = last->conn;
        lmtp->eight_bit = last->eight_bit;
        last->conn = NULL;
    } else if (last != NULL) {
        part(last);
    }
    *speaker = deliver;
}

static int publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    (void)err;
    speak(deliver);
    for (size_t i = 0; i < n; i++)
        hand_over(deliver->state, batch[i]);
    return 0;
}

static int open_kind(struct deliver *deliver, struct err *err)
{
    struct lmtp *lmtp = xcalloc(1, sizeof *lmtp);
    lmtp->settings = deliver->settings;
    deliver->state = lmtp;
    return spooldir_open(&lmtp->spool, deliver->settings, err);
}

static void close_kind(struct deliver *deliver)
{
    struct lmtp *lmtp = deliver->state;
    struct deliver **speaker = deliver->settings->speaker;
    if (speaker != NULL && *speaker == deliver)
        *speaker = NULL;
    part(lmtp);
    spooldir_close(&lmtp->spool);
    free(lmtp);
}

const struct kind lmtp_kind = {
    .name = "lmtp",
    .open = open_kind,
    .close = close_kind,
    .publish = publish,
    HANDOVER_VERBS,
};
