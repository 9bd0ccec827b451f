/* SPDX-License-Identifier: ISC */
#include "pop3/pop3.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pop3/capa.h"
#include "pop3/dot.h"

#define OUT_SIZE (64 * 1024)          /* decoded octets handed to a sink at once */
#define DRAIN_MAX (16u * 1024 * 1024) /* of an unwanted body, before the connection is given up */
#define SIGN_MS 1000
#define EMPTY_MS 5000   /* the same, where STAT alone speaks for it: some count what is new alone */
#define COMMAND_MAX 16  /* "TOP 4000000 20" and a line end: no number is longer */
#define PARTING_MS 3000 /* from a server's last line to the end of the connection, at most */

_Static_assert(POP3_WINDOW *COMMAND_MAX < CONN_OUTPUT, "a full window is queued without sending");

struct queued {
    enum pop3_verb verb;
    uint32_t number;
};

struct pop3 {
    struct conn *conn;
    struct log *log;
    struct capa capa;
    unsigned window, head, count;
    struct queued queue[POP3_WINDOW]; /* a ring: sent, not answered yet */
    bool bare_lf;                     /* the last status line ended in LF alone */
    bool dot_due;  /* a list came, or was refused, without a final dot, which may still come */
    bool is_empty; /* STAT says 0 */
    size_t stamp_len;
    char stamp[REPLY_LINE_MAX];
    char text[REPLY_LINE_MAX]; /* the text that the last reply points into */
    char out[OUT_SIZE];
};

static const struct verb {
    const char *name;
    bool has_body;
} verbs[] = {
    [POP3_UIDL] = {"UIDL", true},      [POP3_LIST] = {"LIST", true},
    [POP3_TOP] = {"TOP", true},        [POP3_STUB] = {"TOP", true},
    [POP3_RETR] = {"RETR", true},      [POP3_DELE] = {"DELE", false},
    [POP3_STAT] = {"STAT", false},     [POP3_CAPA] = {"CAPA", true},
    [POP3_UIDL_ONE] = {"UIDL", false}, [POP3_LIST_ONE] = {"LIST", false},
    [POP3_QUIT] = {"QUIT", false},
};

struct pop3 *pop3_new(struct conn *conn, struct log *log)
{
    struct pop3 *pop3 = xcalloc(1, sizeof *pop3);
    pop3->conn = conn;
    pop3->log = log;
    pop3->window = 1;
    capa_init(&pop3->capa);
    return pop3;
}

void pop3_free(struct pop3 *pop3)
{
    if (pop3 == NULL)
        return;
    conn_free(pop3->conn);
    capa_free(&pop3->capa);
    free(pop3);
}

struct str pop3_stamp(const struct pop3 *pop3)
{
    return str_of(pop3->stamp, pop3->stamp_len);
}

const struct reply_capa *pop3_capabilities(const struct pop3 *pop3)
{
    return &pop3->capa.said;
}

bool pop3_is_secure(const struct pop3 *pop3)
{
    return conn_is_secure(pop3->conn);
}

struct conn *pop3_conn(struct pop3 *pop3)
{
    return pop3->conn;
}

struct log *pop3_log(struct pop3 *pop3)
{
    return pop3->log;
}

static void trace(struct pop3 *pop3, const char *way, struct str text)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (log_wants(pop3->log, FP_LOG_TRACE))
        log_line(pop3->log, FP_LOG_TRACE, "%s %s", way, log_quote(pop3->log, text, shown));
}

/* Takes one line off the connection, waiting for it. The view lives until the next conn_ call. */
static int take_line(struct pop3 *pop3, struct str *line, bool *bare_lf, struct err *err)
{
    for (;;) {
        size_t used = 0;
        int found = reply_line(conn_view(pop3->conn), REPLY_LINE_MAX, line, &used, bare_lf);
        if (found < 0)
            return err_set(err, ERR_FRAMING,
                           "the server sent a line of more than %d octets; ask its administrator",
                           REPLY_LINE_MAX);
        if (found > 0) {
            conn_consume(pop3->conn, used);
            return 0;
        }
        int filled = conn_fill(pop3->conn, err);
        if (filled == 0)
            return err_set(err, ERR_CLOSED, "the server closed the connection; try again later");
        if (filled < 0)
            return -1;
    }
}

/* Keeps a line beyond the next conn_ call. */
static struct str keep_text(struct pop3 *pop3, struct str line)
{
    memcpy(pop3->text, line.ptr, line.len);
    return str_of(pop3->text, line.len);
}

/* Says nothing, and may stand between two answers: an empty line (Microsoft 365 sends one before
 * the answer to DELE), or a dot that is due. Any other dot is one that was not stuffed, and what
 * ended with the one before is half a message. *skipped: how many there were. */
static bool is_filler(struct pop3 *pop3, struct str line, int *skipped)
{
    bool dot = pop3->dot_due && str_is(line, ".");
    pop3->dot_due = pop3->dot_due && line.len == 0;
    return (line.len == 0 || dot) && (*skipped)++ < REPLY_BLANKS_MAX;
}

/* Reads one status line. */
static int take_status(struct pop3 *pop3, struct reply *reply, bool *bare_lf, struct err *err)
{
    struct str line;
    int skipped = 0;
    conn_mark(pop3->conn);
    do
        if (take_line(pop3, &line, bare_lf, err) < 0)
            return -1;
    while (is_filler(pop3, line, &skipped));
    if (line.len == 0)
        return err_set(err, ERR_FRAMING,
                       "the server sends empty lines instead of an answer; ask its administrator");
    trace(pop3, "<", line);
    *reply = reply_parse(keep_text(pop3, line));
    if (reply->kind == REPLY_JUNK) {
        char shown[LOG_QUOTE_MAX + 4];
        return err_set(err, ERR_FRAMING,
                       "the server's answer is neither +OK nor -ERR: \"%s\"; ask its administrator",
                       log_quote(pop3->log, line, shown));
    }
    return 0;
}

int pop3_refused(struct pop3 *pop3, const struct reply *reply, enum err_kind plain,
                 const char *what, struct err *err)
{
    char shown[LOG_QUOTE_MAX + 4];
    log_quote(pop3->log, reply->text, shown);
    switch (reply->code) {
    case REPLY_CODE_IN_USE:
        return err_set(err, ERR_AGAIN, "%s: the mailbox is in use: \"%s\"; try again later", what,
                       shown);
    case REPLY_CODE_LOGIN_DELAY:
        return err_set(err, ERR_DELAY, "%s: too soon after the last login: \"%s\"; try again later",
                       what, shown);
    case REPLY_CODE_SYS_TEMP:
        return err_set(err, ERR_AGAIN, "%s: temporary failure: \"%s\"; try again later", what,
                       shown);
    case REPLY_CODE_SYS_PERM:
        return err_set(err, ERR_REFUSED, "%s: refused for good: \"%s\"; ask its administrator",
                       what, shown);
    case REPLY_CODE_AUTH:
        return err_set(err, ERR_LOGIN, "%s: login refused: \"%s\"; check user and password", what,
                       shown);
    case REPLY_CODE_POP_OFF:
        return err_set(err, ERR_LOGIN_REFUSED,
                       "%s: \"%s\"; switch POP on in the provider's settings", what, shown);
    case REPLY_CODE_UTF8:
    case REPLY_CODE_NONE:
    case REPLY_CODE_OTHER:
        break;
    }
    return err_set(err, plain, "%s: the server says \"%s\"", what, shown);
}

int pop3_greeting(struct pop3 *pop3, struct err *err)
{
    struct reply reply;
    bool bare_lf;
    if (take_status(pop3, &reply, &bare_lf, err) < 0) {
        if (err->kind == ERR_FRAMING)
            err->kind =
                ERR_PROTOCOL; /* this is not a POP3 server: a new connection changes nothing */
        return err_prefix(err, "greeting");
    }
    if (reply.kind == REPLY_ERR)
        return pop3_refused(pop3, &reply, ERR_AGAIN, "greeting", err);
    if (reply.kind != REPLY_OK)
        return err_set(err, ERR_PROTOCOL,
                       "greeting: this is not a POP3 server; check server and port");
    struct str stamp = reply_stamp(reply.text);
    memcpy(pop3->stamp, stamp.ptr, stamp.len);
    pop3->stamp_len = stamp.len;
    return 0;
}

/* Waits for a byte, up to ms; as conn_peek. */
static int peek_within(struct pop3 *pop3, int64_t ms, struct err *err)
{
    int64_t until = clock_in(ms);
    int peeked;
    while ((peeked = conn_peek(pop3->conn, err)) == 0 && clock_left(until) > 0)
        poll(NULL, 0, (int)(ms / 50));
    return peeked;
}

/* True if the connection ends with nothing more on it. One that stays open is not waited for as
 * long as an answer is: the server owes us none. */
static bool is_parting(struct pop3 *pop3)
{
    struct err why = {.kind = ERR_NONE};
    return peek_within(pop3, PARTING_MS, &why) < 0 && why.kind == ERR_CLOSED;
}

/* Bytes without a command. The server's own timeout is one -ERR line and the end; everything else
 * means that we no longer know which answer belongs to which command. */
static int unasked(struct pop3 *pop3, struct str line, struct err *err)
{
    char shown[LOG_QUOTE_MAX + 4];
    struct reply reply = reply_parse(keep_text(pop3, line));
    trace(pop3, "<", str_of(pop3->text, line.len));
    log_quote(pop3->log, str_of(pop3->text, line.len), shown);
    if (reply.kind == REPLY_ERR && is_parting(pop3))
        return err_set(err, ERR_CLOSED, "the server ended the session: \"%s\"; try again later",
                       shown);
    return err_set(err, ERR_FRAMING,
                   "the server sends a line that nobody asked for: \"%s\"; ask its administrator",
                   shown);
}

int pop3_check_silence(struct pop3 *pop3, struct err *err)
{
    assert(pop3->count == 0);
    struct str line;
    bool bare_lf;
    int skipped = 0;
    do {
        int peeked = conn_peek(pop3->conn, err);
        if (peeked <= 0)
            return peeked;
        if (take_line(pop3, &line, &bare_lf, err) < 0)
            return err->kind == ERR_CLOSED ? -1
                                           : err_set(err, ERR_FRAMING,
                                                     "the server sends bytes that nobody asked "
                                                     "for; ask its administrator");
    } while (is_filler(pop3, line, &skipped));
    return unasked(pop3, line, err);
}

static int send_line(struct pop3 *pop3, struct str line, const char *shown, struct err *err)
{
    trace(pop3, ">", shown != NULL ? str_from(shown) : line);
    if (conn_put(pop3->conn, line.ptr, line.len, err) < 0)
        return -1;
    return conn_put(pop3->conn, "\r\n", 2, err);
}

int pop3_call(struct pop3 *pop3, struct str line, const char *shown, struct reply *reply,
              struct err *err)
{
    bool bare_lf;
    if (pop3_check_silence(pop3, err) < 0 || send_line(pop3, line, shown, err) < 0 ||
        conn_flush(pop3->conn, err) < 0)
        return -1;
    return take_status(pop3, reply, &bare_lf, err);
}

void pop3_set_window(struct pop3 *pop3, unsigned window)
{
    assert(window >= 1 && window <= POP3_WINDOW);
    pop3->window = window;
}

bool pop3_has_room(const struct pop3 *pop3)
{
    return pop3->count < pop3->window;
}

unsigned pop3_outstanding(const struct pop3 *pop3)
{
    return pop3->count;
}

static int spell(enum pop3_verb verb, uint32_t number, char *line, size_t cap)
{
    if (number == 0)
        return snprintf(line, cap, "%s", verbs[verb].name);
    if (verb == POP3_TOP || verb == POP3_STUB)
        return snprintf(line, cap, "TOP %u %d", number, verb == POP3_STUB ? POP3_STUB_LINES : 0);
    return snprintf(line, cap, "%s %u", verbs[verb].name, number);
}

int pop3_put(struct pop3 *pop3, enum pop3_verb verb, uint32_t number, struct err *err)
{
    char line[64];
    assert(pop3_has_room(pop3));
    if (pop3->count == 0 && pop3_check_silence(pop3, err) < 0)
        return -1;
    int len = spell(verb, number, line, sizeof line);
    assert(len + 2 <= COMMAND_MAX);
    pop3->queue[(pop3->head + pop3->count++) % POP3_WINDOW] =
        (struct queued){.verb = verb, .number = number};
    return send_line(pop3, str_of(line, (size_t)len), NULL, err);
}

/* A taker's failure: its error, for later, and how much came since. */
struct refusal {
    bool there;
    uint64_t since;
    struct err err;
};

static int refuse(struct refusal *refusal, size_t octets, struct err *err)
{
    refusal->since += octets;
    if (refusal->since <= DRAIN_MAX && err_keeps_connection(refusal->err.kind))
        return 0;
    *err = refusal->err; /* reading on would cost more than a new connection */
    return -1;
}

static int give(const struct sink *sink, const char *bytes, size_t len, struct refusal *refusal,
                struct err *err)
{
    if (len == 0)
        return 0;
    if (!refusal->there && sink->write(sink->ctx, bytes, len, &refusal->err) == 0)
        return 0;
    refusal->there = true;
    return refuse(refusal, len, err);
}

static int take_body(struct pop3 *pop3, const struct pop3_taker *taker, bool lf_only,
                     uint64_t *octets, struct refusal *refusal, struct err *err)
{
    struct dot dot;
    dot_init(&dot, lf_only);
    while (!dot.ended) {
        struct str view = conn_view(pop3->conn);
        if (view.len == 0) {
            int filled = conn_fill(pop3->conn, err);
            if (filled < 0)
                return -1;
            if (filled == 0)
                return err_set(err, ERR_CLOSED,
                               "the server closed the connection in the middle of a message; the "
                               "next run goes on");
            continue;
        }
        size_t written = 0;
        size_t used = dot_decode(&dot, view, pop3->out, sizeof pop3->out, &written);
        conn_consume(pop3->conn, used);
        if (give(&taker->sink, pop3->out, written, refusal, err) < 0)
            return -1;
    }
    *octets = dot.octets;
    return 0;
}

/* The lines of one answer. */
struct lines {
    const struct pop3_taker *taker;
    struct refusal *refusal;
    size_t count, max;
    bool lf_only; /* the answer began with a bare LF */
    bool whole;   /* the line before ended in CRLF */
    bool ended;
};

/* A "." ends the lines only between two CRLF, unless the answer began with a bare LF. */
static int give_line(struct lines *lines, struct str line, bool bare_lf, struct err *err)
{
    struct refusal *refusal = lines->refusal;
    lines->ended =
        line.len == 1 && line.ptr[0] == '.' && (lines->lf_only || (lines->whole && !bare_lf));
    if (lines->ended)
        return 0;
    if (lines->count++ == lines->max)
        return err_set(err, ERR_FRAMING,
                       "the server's list does not end (%zu lines so far); ask its administrator",
                       lines->max);
    lines->whole = !bare_lf;
    if (line.len > 1 && line.ptr[0] == '.')
        line = str_behind(line, 1);
    if (!refusal->there && lines->taker->line(lines->taker->ctx, line, &refusal->err) < 0)
        refusal->there = true;
    return refusal->there ? refuse(refusal, line.len, err) : 0;
}

/* All whole lines that are buffered: a list may have millions. */
static int give_buffered(struct pop3 *pop3, struct lines *lines, struct err *err)
{
    struct str view = conn_view(pop3->conn), line;
    size_t at = 0, used = 0;
    bool bare_lf;
    int result = 0;
    while (result == 0 && !lines->ended &&
           reply_line(str_behind(view, at), REPLY_LINE_MAX, &line, &used, &bare_lf) > 0) {
        at += used;
        result = give_line(lines, line, bare_lf, err);
    }
    conn_consume(pop3->conn, at);
    return result;
}

static int take_lines(struct pop3 *pop3, const struct pop3_taker *taker, bool lf_only,
                      size_t lines_max, struct refusal *refusal, struct err *err)
{
    struct lines lines = {
        .taker = taker, .refusal = refusal, .max = lines_max, .lf_only = lf_only, .whole = true};
    while (!lines.ended) {
        struct str line;
        bool bare_lf;
        /* The first of them is waited for; it may be too long. */
        if (take_line(pop3, &line, &bare_lf, err) < 0 ||
            give_line(&lines, line, bare_lf, err) < 0 ||
            (!lines.ended && give_buffered(pop3, &lines, err) < 0))
            return -1;
    }
    return 0;
}

static int add_capability(void *ctx, struct str line, struct err *err)
{
    struct pop3 *pop3 = ctx;
    (void)err;
    trace(pop3, "<", line);
    capa_learn(&pop3->capa, line);
    return 0;
}

static int take_capa(struct pop3 *pop3, bool lf_only, struct err *err)
{
    struct pop3_taker taker = {.line = add_capability, .ctx = pop3};
    struct refusal refusal = {.there = false};
    capa_begin(&pop3->capa);
    return take_lines(pop3, &taker, lf_only, CAPA_LINES_MAX, &refusal, err);
}

struct str pop3_capa_text(const struct pop3 *pop3)
{
    return capa_text(&pop3->capa);
}

int pop3_set_capa(struct pop3 *pop3, struct str text)
{
    return capa_read(&pop3->capa, text);
}

static bool is_list(enum pop3_verb verb)
{
    return verb == POP3_UIDL || verb == POP3_LIST || verb == POP3_CAPA;
}

static bool counts_none(const struct reply *reply)
{
    uint32_t count;
    uint64_t octets;
    return reply->kind == REPLY_OK && reply_stat(reply->text, &count, &octets) == 0 && count == 0;
}

/* "+OK 0 messages" is the whole answer of some servers to UIDL and LIST of an empty mailbox, or
 * "+OK" in whatever words. */
static bool is_undotted(struct pop3 *pop3, const struct pop3_answer *answer)
{
    struct str text = answer->reply.text;
    struct err ignored; /* a read of what follows will fail the same way */
    bool says_so = str_is(str_word(&text), "0");
    if (answer->verb == POP3_CAPA || !is_list(answer->verb) || (!says_so && !pop3->is_empty))
        return false;
    int peeked = peek_within(pop3, says_so ? SIGN_MS : EMPTY_MS, &ignored);
    struct str view = conn_view(pop3->conn);
    return peeked == 0 || (view.len > 0 && (view.ptr[0] == '+' || view.ptr[0] == '-'));
}

static int take_rest(struct pop3 *pop3, const struct pop3_taker *taker, bool lf_only,
                     struct pop3_answer *answer, struct err *err)
{
    struct refusal refusal = {.there = false};
    int taken;
    if (answer->verb == POP3_CAPA) {
        answer->given_up = take_capa(pop3, lf_only, err) < 0;
        return answer->given_up ? -1 : 0;
    }
    assert(taker != NULL); /* whoever asks for a body has a place for it */
    if (is_undotted(pop3, answer)) {
        pop3->dot_due = true;
        answer->given_up = false;
        return 0;
    }
    if (is_list(answer->verb))
        taken = take_lines(pop3, taker, lf_only, REPLY_MESSAGES_MAX, &refusal, err);
    else
        taken = take_body(pop3, taker, lf_only, &answer->octets, &refusal, err);
    answer->given_up = taken < 0;
    if (taken == 0 && refusal.there) {
        *err = refusal.err;
        return -1;
    }
    return taken;
}

int pop3_take(struct pop3 *pop3, const struct pop3_taker *taker, struct pop3_answer *answer,
              struct err *err)
{
    assert(pop3->count > 0);
    *answer = (struct pop3_answer){.verb = pop3->queue[pop3->head].verb,
                                   .number = pop3->queue[pop3->head].number,
                                   .reply.kind = REPLY_JUNK,
                                   .given_up = true};
    if (take_status(pop3, &answer->reply, &pop3->bare_lf, err) < 0)
        return -1;
    answer->given_up = answer->reply.kind == REPLY_CONTINUE;
    if (answer->given_up)
        return err_set(err, ERR_FRAMING,
                       "the server asks for more where the protocol has nothing to send; ask its "
                       "administrator");
    pop3->head = (pop3->head + 1) % POP3_WINDOW;
    pop3->count--;
    if (answer->verb == POP3_STAT)
        pop3->is_empty = counts_none(&answer->reply);
    pop3->dot_due = answer->reply.kind == REPLY_ERR && is_list(answer->verb);
    if (answer->reply.kind != REPLY_OK || !verbs[answer->verb].has_body)
        return 0;
    return take_rest(pop3, taker, pop3->bare_lf, answer, err);
}

bool pop3_goes_on(struct pop3 *pop3)
{
    struct err ignored; /* a read of what follows will fail the same way */
    peek_within(pop3, SIGN_MS, &ignored);
    struct str view = conn_view(pop3->conn);
    return view.len > 0 && str_is_digit(view.ptr[0]);
}

int pop3_take_list(struct pop3 *pop3, const struct pop3_taker *taker, struct err *err)
{
    struct refusal refusal = {.there = false};
    return take_lines(pop3, taker, pop3->bare_lf, REPLY_MESSAGES_MAX, &refusal, err);
}

int pop3_capa(struct pop3 *pop3, struct err *err)
{
    struct pop3_answer answer;
    capa_forget(&pop3->capa);
    if (pop3_put(pop3, POP3_CAPA, 0, err) < 0 || conn_flush(pop3->conn, err) < 0)
        return -1;
    return pop3_take(pop3, NULL, &answer, err);
}

int pop3_stls(struct pop3 *pop3, const struct tls_options *options, int64_t deadline,
              struct err *err)
{
    struct reply reply;
    char shown[LOG_QUOTE_MAX + 4];
    bool ask_again = pop3->capa.said.known;
    if (ask_again && !pop3->capa.said.stls)
        return err_set(err, ERR_TRUST,
                       "the server does not offer STLS, and nothing is sent in the clear; try "
                       "tls = \"implicit\"");
    if (pop3_call(pop3, str_from("STLS"), NULL, &reply, err) < 0)
        return err_prefix(err, "STLS");
    if (reply.kind != REPLY_OK)
        return err_set(
            err, ERR_TRUST,
            "STLS refused, and nothing is sent in the clear: \"%s\"; try tls = \"implicit\"",
            log_quote(pop3->log, reply.text, shown));
    capa_forget(&pop3->capa);
    pop3->stamp_len = 0; /* it came in the clear, so anybody may have made it */
    if (conn_start_tls(pop3->conn, options, err) < 0)
        return -1;
    conn_set_deadline(pop3->conn, deadline);
    return ask_again ? pop3_capa(pop3, err) : 0;
}

bool pop3_quit_confirmed(struct pop3 *pop3, const struct reply *reply, bool matters)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (reply->kind != REPLY_OK)
        log_line(pop3->log, matters ? FP_LOG_WARNING : FP_LOG_NOTE,
                 "the server did not confirm QUIT: \"%s\"",
                 log_quote(pop3->log, reply->text, shown));
    return reply->kind == REPLY_OK;
}

int pop3_quit(struct pop3 *pop3, bool wait, bool matters, bool *confirmed, struct err *err)
{
    struct reply reply;
    bool bare_lf;
    *confirmed = false;
    if (pop3_check_silence(pop3, err) < 0 || send_line(pop3, str_from("QUIT"), NULL, err) < 0)
        return -1;
    if (!wait)
        return conn_push(pop3->conn, err);
    if (conn_flush(pop3->conn, err) < 0 || take_status(pop3, &reply, &bare_lf, err) < 0)
        return err_prefix(err, "QUIT");
    *confirmed = pop3_quit_confirmed(pop3, &reply, matters);
    return 0;
}

void pop3_leave(struct pop3 *pop3)
{
    bool confirmed;
    struct err ignored;
    (void)pop3_quit(pop3, false, false, &confirmed, &ignored);
}
