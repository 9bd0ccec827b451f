/* SPDX-License-Identifier: ISC */
/*
 * log: how the code below src/app tells a person something without printing it.
 *
 * A struct log is a level and a function; app decides where lines go. It also knows the secrets of
 * its account, because all text from a server passes through here before a person sees it.
 */
#ifndef FP_BASE_LOG_H
#define FP_BASE_LOG_H

#include <stdbool.h>

#include "base/secret.h"
#include "base/str.h"

enum log_level {
    FP_LOG_ERROR,   /* something is wrong: also in cron */
    FP_LOG_WARNING, /* something may become wrong: also in cron */
    FP_LOG_NOTE,    /* said once for a person on a terminal, or with -v */
    FP_LOG_TRACE    /* the protocol, with -v */
};

#define LOG_SECRETS 8
#define LOG_QUOTE_MAX 600 /* octets of a server's text */

struct log {
    enum log_level level; /* up to here */
    void (*write)(void *ctx, enum log_level level, const char *line);
    void *ctx;
    const struct secret *hidden[LOG_SECRETS]; /* borrowed; blanked by log_quote */
};

bool log_wants(const struct log *log, enum log_level level); /* log may be NULL: false */
/* One line, formatted, if the level is wanted. log may be NULL: nothing happens. */
void log_line(const struct log *log, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Registers and takes back a secret to be blanked, raw and in base64. The secret stays the
 * caller's and must outlive its registration. More than LOG_SECRETS: a bug of ours. */
void log_hide(struct log *log, const struct secret *secret);
void log_unhide(struct log *log, const struct secret *secret);

/* The one way in which bytes of a server reach a person. Every occurrence of a hidden secret
 * becomes "***"; in a text that is not UTF-8 each octet beyond ASCII becomes \xb5 or the like; what
 * is longer than LOG_QUOTE_MAX is cut and marked "...". NUL and LF become \x00 and \x0a; other
 * controls stay, for --json: whoever prints the text has utf8_show make them visible. log may be
 * NULL. out holds LOG_QUOTE_MAX + 4. Returns out.
 *
 * Secrets are found raw and inside base64, wherever in the encoded bytes they begin (as in AUTH
 * PLAIN). One shorter than LOG_SECRET_MIN is not blanked: "a" would blank every a, and so tell more
 * than it hides. Where the text ends inside a secret, its first LOG_SECRET_PART bytes will do. */
#define LOG_SECRET_MIN 4
#define LOG_SECRET_PART 8
char *log_quote(const struct log *log, struct str text, char out[LOG_QUOTE_MAX + 4]);

#endif
