/*
 * proof: do the server and we speak of the same message?
 *
 * A question whose answer names a message, `UIDL n` (or `LIST n`), goes out right behind the last
 * RETR of a batch: no round trip more. If its answer is the right one, so were all answers before
 * it, whatever the server left unstuffed or said unasked. Only then the batch is committed.
 *
 * Where there is reason for doubt (a length that is not LIST's, a refusal, an answer of no known
 * form) a series of PROOF_SERIES such questions follows, about messages and in words chosen by
 * chance: what somebody wrote into a mail to be taken for answers cannot fit those.
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

struct proof {
    unsigned asked;    /* questions outstanding */
    unsigned left;     /* of a series, still to be asked */
    unsigned right[2]; /* answers so far that fit, to UIDL n and to LIST n */
    unsigned none[2];  /* and that prove nothing: a refusal, or words of another form */
    bool in_series;
    uint32_t chance; /* bits not used yet */
};

/* The question that tells most about a message; false if there is nothing to compare with. */
bool proof_ask(const struct message *message, enum pop3_verb *verb);

/* A series begins; and the next question of it: which of `count` messages (an index), and how. */
void proof_begin_series(struct proof *proof);
size_t proof_choose(struct proof *proof, size_t count);
void proof_ask_by_chance(struct proof *proof, const struct message *message, enum pop3_verb *verb);

/* Judges one answer: "n uidl" or "n size", without the number (Twisted), or the whole list (some
 * scripts); counts it. -1: ERR_FRAMING, it belongs to something else, or the connection is lost. */
int proof_check(struct proof *proof, struct pop3 *pop3, const struct listing *listing,
                const struct message *message, const struct pop3_answer *answer, struct err *err);

#endif
