/* SPDX-License-Identifier: ISC */
/*
 * pop3: one POP3 session over a conn (RFC 1939, 2449, 2595, 5034, 8314).
 *
 * Two ways to send commands: pop3_call, one command and its answer, for the start of a session; and
 * the pipe (pop3_put, pop3_take) for everything after login: commands are queued as long as
 * pop3_has_room, answers are taken in the same order. A window of 1 is the server without
 * PIPELINING; there is no other code for it.
 *
 * Bytes that come when no command is outstanding mean that the two sides are out of step:
 * ERR_FRAMING. Exceptions: up to four empty lines before a status line, and one -ERR line followed
 * by the end of the stream (the server's own timeout: ERR_CLOSED with its text).
 */
#ifndef FP_POP3_POP3_H
#define FP_POP3_POP3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/sink.h"
#include "net/conn.h"
#include "pop3/reply.h"

/* Commands on their way at most: together shorter than what conn_put takes without sending, so that
 * we never have to wait for the server to read them before we go on reading ourselves. */
#define POP3_WINDOW 2048

#define POP3_STUB_LINES 20 /* of a body */

enum pop3_verb {
    POP3_UIDL,
    POP3_LIST,
    POP3_TOP,  /* TOP n 0 */
    POP3_STUB, /* TOP n POP3_STUB_LINES */
    POP3_RETR,
    POP3_DELE,
    POP3_STAT,
    POP3_CAPA,
    POP3_UIDL_ONE, /* UIDL n and LIST n: one line */
    POP3_LIST_ONE,
    POP3_QUIT /* with others in front of it; no command may follow */
};

struct pop3; /* owns its conn */

/* The answer to one piped command. For RETR, TOP and STUB the body went to the sink. */
struct pop3_answer {
    enum pop3_verb verb;
    uint32_t number;    /* the message it was about, 0 if none */
    struct reply reply; /* text lives until the next pop3_ call */
    bool given_up;      /* with -1: the connection is lost, or not worth reading on */
    uint64_t octets;    /* of the body, as the server counts (RETR, TOP) */
};

/* Takes conn as its own, reads nothing. log is borrowed. */
struct pop3 *pop3_new(struct conn *conn, struct log *log);
void pop3_free(struct pop3 *pop3); /* closes without QUIT; NULL is fine */

/* Reads the greeting. ERR_AGAIN or ERR_REFUSED for -ERR by its code, ERR_PROTOCOL for junk. */
int pop3_greeting(struct pop3 *pop3, struct err *err);
struct str pop3_stamp(const struct pop3 *pop3); /* APOP's, of the greeting; empty if none */

/* CAPA; a server without it leaves capa->known false, which is not an error. */
int pop3_capa(struct pop3 *pop3, struct err *err);
const struct reply_capa *pop3_capabilities(const struct pop3 *pop3);

/* The lines of the last answer to CAPA as they came, an LF behind each; empty if there was none, or
 * a longer one. A view that lives until CAPA is asked again. */
struct str pop3_capa_text(const struct pop3 *pop3);

/* Uses such a text as the answer to CAPA, instead of pop3_capa; it may be from an earlier session,
 * so it is parsed like one from the wire. -1: it cannot be one; nothing is known then. */
int pop3_set_capa(struct pop3 *pop3, struct str text);

/* STLS and all its rules (RFC 2595): refused, stripped or junk behind it is ERR_TRUST; everything
 * learnt before is forgotten; CAPA is asked again if it worked before. The connection's deadline is
 * that of connecting, TLS included; once TLS is up it becomes `deadline`, a clock_ms() moment. */
int pop3_stls(struct pop3 *pop3, const struct tls_options *options, int64_t deadline,
              struct err *err);

/* One line out (without CRLF; `shown` is what -v may see of it, NULL: the line itself), one status
 * line in. The reply's text lives until the next pop3_ call. Never fails for -ERR. */
int pop3_call(struct pop3 *pop3, struct str line, const char *shown, struct reply *reply,
              struct err *err);

/* Words and kind for an -ERR: by its response code ERR_AGAIN ([IN-USE], [SYS/TEMP]), ERR_DELAY
 * ([LOGIN-DELAY]), ERR_REFUSED ([SYS/PERM]), ERR_LOGIN ([AUTH]) or ERR_LOGIN_REFUSED (POP is
 * switched off), else `plain`. `what` is what was asked for. Always -1. */
int pop3_refused(struct pop3 *pop3, const struct reply *reply, enum err_kind plain,
                 const char *what, struct err *err);

/* TLS is on. */
bool pop3_is_secure(const struct pop3 *pop3);
/* The conn it owns, for deadlines. */
struct conn *pop3_conn(struct pop3 *pop3);
/* The log it was given. */
struct log *pop3_log(struct pop3 *pop3);

/* The pipe. Window: pop3_set_window(1) without PIPELINING. */
void pop3_set_window(struct pop3 *pop3, unsigned window);
bool pop3_has_room(const struct pop3 *pop3);
unsigned pop3_outstanding(const struct pop3 *pop3);
int pop3_put(struct pop3 *pop3, enum pop3_verb verb, uint32_t number, struct err *err);

/* How the lines of a listing, and bodies, are handed over while they stream in. */
struct pop3_taker {
    /* one line of UIDL, LIST or CAPA, unstuffed; a view that lives for the call */
    int (*line)(void *ctx, struct str line, struct err *err);
    struct sink sink; /* body of RETR and TOP */
    void *ctx;
};

/* Takes the next answer. What the taker returns as failure is remembered: the rest of the body is
 * still read (and thrown away), so that the pipe stays in step, and then -1 with the taker's error
 * is returned while the connection is fine: answer->given_up says when it is not. Bodies go on
 * however long they are; the taker decides about limits. ERR_FRAMING, ERR_TIMEOUT, ERR_CLOSED,
 * ERR_STOPPED cost the connection; answer->reply.kind is then REPLY_JUNK if not even a valid status
 * line came. taker may be NULL for answers without lines or body. What is queued is sent as soon as
 * the answer has to be waited for. */
int pop3_take(struct pop3 *pop3, const struct pop3_taker *taker, struct pop3_answer *answer,
              struct err *err);

/* After the status line of a one-line answer: true if more lines of it follow, instead of the next
 * status line or nothing. Waits a second at most for a sign, if nothing is outstanding. */
bool pop3_goes_on(struct pop3 *pop3);

/* After a +OK to UIDL n or LIST n that is not one line: some servers give the whole list. Its lines
 * go to the taker, up to the end. */
int pop3_take_list(struct pop3 *pop3, const struct pop3_taker *taker, struct err *err);

/* With nothing outstanding, the server must be silent: ERR_FRAMING or ERR_CLOSED if it is not. */
int pop3_check_silence(struct pop3 *pop3, struct err *err);

/* Was QUIT confirmed? If not, the server's words go to the log, as a warning if it `matters`. */
bool pop3_quit_confirmed(struct pop3 *pop3, const struct reply *reply, bool matters);

/* QUIT with nothing outstanding. *confirmed: +OK came. An -ERR is not an error here (its text goes
 * to the log, as a warning if it `matters`); a missing answer is one. */
int pop3_quit(struct pop3 *pop3, bool wait, bool matters, bool *confirmed, struct err *err);

/* QUIT where nothing is to be deleted: its answer is not waited for, and a failure does not
 * matter. */
void pop3_leave(struct pop3 *pop3);

#endif
