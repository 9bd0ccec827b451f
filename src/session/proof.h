/* SPDX-License-Identifier: ISC */
/*
 * proof: are the server and we still talking about the same message?
 *
 * A question whose answer names a message, `UIDL n` (or `LIST n`), goes out right behind its RETR,
 * which costs no round trip: a mark. If its answer is the right one, so were all answers before it,
 * whatever the server left unstuffed or said unasked. Only then are the messages in front of it
 * committed. Several marks may be on their way: answers come in order, so when a mark's is read,
 * what is complete is exactly what was asked for in front of it.
 *
 * Where there is reason for doubt (a length that is not LIST's, a refusal, an answer of no known
 * form) a series of PROOF_SERIES such questions follows, about messages and in a form chosen at
 * random: answers planted in a mail cannot match those. It goes out in one piece behind all that is
 * on its way, and its last answer proves that as well.
 */
#ifndef FP_SESSION_PROOF_H
#define FP_SESSION_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"

#define PROOF_SERIES 16

/* Of one connection. Zeroed at first. */
struct proof {
    bool doubtful; /* a length is not what LIST said, or something was refused: a series is due */
    uint32_t last; /* message of the last RETR */
    unsigned unproved; /* RETRs since the last question ... */
    uint64_t octets;   /* ... and their octets, by LIST */
    unsigned marks;    /* on their way, all of them in front of a series */
    /* Of a series. */
    unsigned asked;    /* on their way */
    unsigned left;     /* still to be asked */
    unsigned right[2]; /* answers so far that fit, to UIDL n and to LIST n */
    unsigned none[2];  /* and those that prove nothing: a refusal, or an unknown form */
    uint32_t chance;   /* bits not used yet */
};

/* A RETR is sent. */
void proof_retr(struct proof *proof, const struct message *message);

/* A series is on its way, or about to be. */
bool proof_in_series(const struct proof *proof);

/* The mark behind the last RETR; false if there is none to be asked: nothing is known of the
 * message to compare with, or a connection ended over such a question (session/habits.h). */
bool proof_ask(struct proof *proof, struct listing *listing, enum pop3_verb *verb,
               uint32_t *number);

/* The next question of a series: about which of `count` messages (an index), and how. */
size_t proof_choose(struct proof *proof, size_t count);
enum pop3_verb proof_ask_by_chance(struct proof *proof, const struct listing *listing,
                                   const struct message *message);

/* Judges one answer: "n uidl" or "n size", without the number (Twisted), or the whole list (some
 * scripts). 1: the batch of `count` messages is proved; 0: other answers are to come first, or a
 * series is to be asked now. -1: ERR_FRAMING, it belongs to something else, or the connection is
 * lost. */
int proof_check(struct proof *proof, struct pop3 *pop3, struct listing *listing,
                const struct pop3_answer *answer, size_t count, struct err *err);

#endif
