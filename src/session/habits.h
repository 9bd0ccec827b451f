/* SPDX-License-Identifier: ISC */
/*
 * habits: how far a server's answers about its messages can be trusted.
 *
 * Some servers list another size each time, or write other headers into each answer. That is found
 * out by messages that prove to be the same all the same (HABITS_ENOUGH of them, so that one that
 * was touched is not taken for a habit). It counts for the rest of the session; shown by a second
 * one, so that it is no move to another store, it is kept in the note for HABITS_DAYS, and checked
 * again some day. That a connection ended over a command that can be done without is kept for
 * HABITS_END_DAYS alone: one end proves little, since any connection may be lost.
 *
 * And how far its list can be: where the last HABITS_EXACT messages were as long as it said, to the
 * octet, one that is shorter was probably cut.
 */
#ifndef FP_SESSION_HABITS_H
#define FP_SESSION_HABITS_H

#include <stdbool.h>
#include <stdint.h>

#include "state/note.h"

#define HABITS_ENOUGH 2
#define HABITS_DAYS 30
#define HABITS_END_DAYS 1
#define HABITS_EXACT 10

/* Bits; on the disk, too. */
enum habit {
    HABIT_SIZES = 1,   /* the size of a message is another one each time, or not true */
    HABIT_HEADERS = 2, /* its header changes from answer to answer: Message-ID and Date, or its
                        * body, are the same */
    HABIT_TOP = 4,     /* a connection ended over TOP: it is not asked for */
    HABIT_REFUSES = 8, /* it has refused message after message: only a few are asked for at first */
    HABIT_UIDL_N = 16, /* a connection ended over `UIDL n`, ... */
    HABIT_LIST_N = 32, /* ... or `LIST n`: it proves nothing, and is not asked for */
    HABIT_ONCE = 64 /* times HABIT_SIZES or HABIT_HEADERS: one session has shown it, in the note */
};

struct habits {
    unsigned known;          /* bits */
    unsigned noted;          /* of these, what the note says */
    unsigned sizes, headers; /* messages that showed it so far */
    unsigned exact;          /* in a row, as long as listed; no more than HABITS_EXACT */
};

/* note may be NULL: nothing is known, and nothing kept. now: wall clock, seconds. */
void habits_load(struct habits *habits, const struct note *note, int64_t now);
void habits_keep(const struct habits *habits, struct note *note, int64_t now);

/* True if the server has this habit. */
bool habits_has(const struct habits *habits, enum habit habit);

/* A message came that is believed, and it was as long as listed, or was not. */
void habits_count_length(struct habits *habits, bool exact);

/* True if they always are. */
bool habits_are_exact(const struct habits *habits);

/* A message is the same, with another size, or another header. */
void habits_count_size(struct habits *habits);
void habits_count_header(struct habits *habits);

/* A message has shown several headers within one session: that proves the habit. */
void habits_prove_header(struct habits *habits);

#endif
