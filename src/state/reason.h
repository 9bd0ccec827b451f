/* SPDX-License-Identifier: ISC */
/*
 * reason: why a message did not come through. On the disk it is a short word, which programs
 * compare, and beside it what the server or the command said, which is only shown.
 */
#ifndef FP_STATE_REASON_H
#define FP_STATE_REASON_H

#include <stddef.h>

#include "base/str.h"

enum reason {
    REASON_UNKNOWN,     /* an older or a newer version's, in its words */
    REASON_TOO_LONG,    /* by LIST, longer than max_size */
    REASON_SURPRISE,    /* longer than max_size (its octets), and LIST said otherwise */
    REASON_NO_END,      /* longer than any message */
    REASON_REFUSED,     /* the server's -ERR: its words */
    REASON_BROKEN_LINE, /* the connection ended in its answer: the error's words */
    REASON_OUT_OF_STEP, /* its answer cannot be told from others': the error's words */
    REASON_NO_ROOM,     /* the disk is full */
    REASON_DESTINATION, /* Maildir, mbox or command did not take it: their words */
    REASON_SHORT,       /* it came shorter than LIST said: its octets */
    REASON_WAITING,     /* its destination takes nothing just now */
    REASON_RELEASED,    /* held before; --retry released it */
    REASON_ASKED_AGAIN, /* delivered before; --all asked for it once more */
    REASON_RULE,        /* a rule leaves it on the server */
    REASON_RULES_SAY,   /* a rule left it before; by those of today it is fetched */
    REASON_EMPTY,       /* it came empty, and LIST said otherwise; once held: since when */
    REASON_WHOLE,       /* delivered as a stub; the whole is asked for */
    REASON_MISSING,     /* its file is not there */
    REASON_ALL_EMPTY,   /* empty, like all that the server gave: since when (wall clock, seconds) */
    REASONS
};

/* The word on the disk; and what it means, REASON_UNKNOWN if that is not known. */
const char *reason_word(enum reason reason);
enum reason reason_read(struct str word);

/* A sentence without a full stop for people, cut to cap octets and a NUL. */
const char *reason_text(enum reason reason, struct str words, char *out, size_t cap);

#endif
