/* SPDX-License-Identifier: ISC */
/*
 * err: how anything fails.
 *
 * A function that can fail returns 0 or -1 and takes a `struct err *` last. The place that knows
 * sets kind and text; callers may put words before it; only app prints. One table in err.c maps the
 * kind to exit status, to whose trouble it is, and to whether the connection survives. The text is
 * one line for a person: who, what, what to do; it holds no secret, and of a server's bytes what
 * log_quote lets through: who prints it calls utf8_show.
 */
#ifndef FP_BASE_ERR_H
#define FP_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE,             /* 0 */
    ERR_USAGE,            /* 64: the command line is wrong */
    ERR_MESSAGE,          /* 65: one message could not be fetched or delivered; the rest goes on */
    ERR_HOST,             /* 68: name unknown */
    ERR_REFUSED,          /* 69: the server refuses for good */
    ERR_WORKER,           /* 70: a worker died */
    ERR_SYSTEM,           /* 71: no process, no memory, no descriptor */
    ERR_CREATE,           /* 73: a file or folder cannot be made, or is not ours */
    ERR_IO,               /* 74: a read, write or fsync of a local file failed */
    ERR_AGAIN,            /* 75: the network or the server: try again later */
    ERR_DELAY,            /* 75: the server wants a pause between logins ([LOGIN-DELAY]) */
    ERR_NETWORK,          /* 75: this machine has no network: no route, no name server */
    ERR_LOCAL,            /* 75: this machine: try again later (disk full, a command is too slow) */
    ERR_TIMEOUT,          /* 75: a deadline passed */
    ERR_CLOSED,           /* 75: the connection ended or broke */
    ERR_LOCKED,           /* 75: another run, or another program of this machine, holds the lock */
    ERR_BUSY,             /* 75: another run has this mailbox, and gets on with it */
    ERR_STOPPED,          /* 75: INT or TERM */
    ERR_PROTOCOL,         /* 76: the server does not speak POP3 as it should */
    ERR_FRAMING,          /* 76: the two sides are out of step; a new connection is worth a try */
    ERR_LOGIN,            /* 77: there is no way to log in, or no password or token */
    ERR_PASSWORD_REFUSED, /* 77: the server says that the password or token is wrong */
    ERR_LOGIN_REFUSED,    /* 77: the server refuses the login, perhaps not for the password */
    ERR_TRUST,            /* 77: the certificate or TLS cannot be trusted */
    ERR_CONFIG,           /* 78: the configuration file is wrong */
    ERR_KINDS
};

/* Where the trouble lies, which decides how often it is reported. */
enum err_side {
    ERR_SIDE_NONE,   /* none, or of single messages */
    ERR_SIDE_HERE,   /* this machine, its user, the configuration file: always reported */
    ERR_SIDE_PASSES, /* the network or the server, and it may pass by itself */
    ERR_SIDE_STAYS   /* the server, and somebody has to do something */
};

#define ERR_TEXT_MAX 1024

struct err {
    enum err_kind kind;
    char text[ERR_TEXT_MAX]; /* NUL-terminated; a longer text is cut */
};

/* Sets kind and text, replacing what was there. err may be NULL. Always returns -1, so that
 * `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, followed by ": ", strerror(number) and what to do about it. The kind is ERR_LOCAL for
 * a full disk or quota (ENOSPC, EDQUOT), ERR_SYSTEM for ENOMEM, EMFILE, ENFILE and EAGAIN, else
 * `kind`. Where the caller knows better what to do: err_set with strerror. */
int err_errno(struct err *err, enum err_kind kind, int number, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts words and ": " before the text; the kind stays. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts words behind the text; the kind stays. */
void err_append(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets: kind ERR_NONE, text "". */
void err_clear(struct err *err);

/* The sysexits status of a kind: 0, 64 to 78. */
int err_status(enum err_kind kind);

/* The name of a kind for programs, as --json prints it and fetchpop(1) lists it: "timeout",
 * "login-refused"; "none" for ERR_NONE. */
const char *err_word(enum err_kind kind);

/* The worse of two exit statuses, in the order 70 71 78 77 76 74 73 69 68 65 75 0 (64 is worst). */
int err_worst(int a, int b);

/* Whose trouble an error of this kind is. */
enum err_side err_whose(enum err_kind kind);

/* True if the connection can go on after an error of this kind. */
bool err_keeps_connection(enum err_kind kind);

#endif
