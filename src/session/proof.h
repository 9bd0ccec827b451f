/*
 * proof: do the server and we speak of the same message?
 *
 * A question whose answer names a message, `UIDL n` (or `LIST n`), goes out right behind the last
 * RETR of a batch, which costs no round trip. If its answer is the right one, so were all answers
 * before it, whatever the server left unstuffed or said unasked. Only then is the batch committed.
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

/* Of one connection. Zeroed at first. */
struct proof {
    uint32_t unproved; /* message of the last RETR, until a question follows it; 0: none */
    bool doubtful;     /* a length is not what LIST said, or there was a refusal: without a series
                            the batch is not believed */
    /* Questions since then. */
    unsigned asked;    /* outstanding */
    unsigned left;     /* of a series, still to be asked */
    unsigned right[2]; /* answers so far that fit, to UIDL n and to LIST n */
    unsigned none[2];  /* and that prove nothing: a refusal, or words of another form */
    bool in_series;
    uint32_t chance; /* bits not used yet */
};

/* The question behind the last RETR; false if there is none to be asked. */
bool proof_ask(struct proof *proof, struct listing *listing, enum pop3_verb *verb,
               uint32_t *number);

/* The next question of a series: about which of `count` messages (an index), and how. */
size_t proof_choose(struct proof *proof, size_t count);
enum pop3_verb proof_ask_by_chance(struct proof *proof, const struct message *message);

/* Judges one answer: "n uidl" or "n size", without the number (Twisted), or the whole list (some
 * scripts). 1: it was the last, and the batch of `count` messages is proved; 0: others are to come,
 * or a series is to be asked now. -1: ERR_FRAMING, it belongs to something else, or the connection
 * is lost. */
int proof_check(struct proof *proof, struct pop3 *pop3, struct listing *listing,
                const struct pop3_answer *answer, size_t count, struct err *err);

#endif
