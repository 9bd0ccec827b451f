/*
 * proof: do the server and we speak of the same message?
 *
 * A question whose answer names a message, `UIDL n` (or `LIST n`), goes out right behind the last
 * RETR of a batch: no round trip more. If its answer is the right one, so were all answers before it,
 * whatever the server left unstuffed or said unasked. Only then the batch is committed.
 */
#ifndef FP_SESSION_PROOF_H
#define FP_SESSION_PROOF_H

#include <stdbool.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"

/* Which question to ask about a message; false if there is nothing to compare an answer with. */
bool proof_ask(const struct message *message, enum pop3_verb *verb);

/* Judges the answer: "n uidl" or "n size", without the number (Twisted), or the whole list (some
 * scripts). A refusal, or words of another form, prove nothing and are let pass. -1: ERR_FRAMING,
 * the answer belongs to something else; or the connection is lost. */
int proof_check(struct pop3 *pop3, const struct listing *listing, const struct message *message,
                const struct pop3_answer *answer, struct err *err);

#endif
