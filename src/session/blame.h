/*
 * blame: which message is at fault, and what that costs it.
 *
 * A refusal counts as a try; after max_tries the message is held. What may be the network's or the
 * destination's fault counts nothing, but the message is asked for last the next time, so that no
 * bad message stands in front of good ones.
 */
#ifndef FP_SESSION_BLAME_H
#define FP_SESSION_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/job.h"
#include "session/listing.h"

/* The message's entry in the journal, made if it has none. */
uint32_t blame_entry(struct fetch_job *job, struct listing *listing, struct message *message);

/* Counts a failure of a message in the journal, tells it, and holds it after max_tries. */
void blame_refuse(struct fetch_job *job, struct listing *listing, struct message *message,
                  const struct journal_failure *failure);

/* It may work later, and nothing is counted; told. The next run asks for it after the others. */
void blame_put_off(struct fetch_job *job, struct listing *listing, struct message *message,
                   const struct journal_failure *failure);

/* The message alone is at fault, and the connection is given up for it: counted as a try. */
void blame_fault(struct fetch_job *job, struct listing *listing, uint32_t number,
                 const struct journal_failure *failure);

/* The two sides went out of step over this message, or the connection broke in its answer. If
 * nothing else was asked for (job->alone) that counts as a try; else it may have been another's
 * fault or the network's: it is asked for alone, on a connection where nothing else is at stake. */
void blame_break(struct fetch_job *job, struct listing *listing, uint32_t number,
                 const struct err *why);

#endif
