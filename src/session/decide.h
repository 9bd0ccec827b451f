/* SPDX-License-Identifier: ISC */
/*
 * decide: what is to become of each message that is listed, by the plan (session/plan.h) and by
 * what the journal knows of it.
 */
#ifndef FP_SESSION_DECIDE_H
#define FP_SESSION_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"

/* Gives each message of the listing its action, as plan and rules (session/sift.h) have it;
 * `count`: and counts them in the run's figures. max_messages and max_bytes count those first that
 * did not fail before. What a rule has deleted goes to `dele`. -1: over a header that was asked
 * for, as headers_run. */
int decide_all(struct poll *poll, struct pop3 *pop3, struct listing *listing, bool count,
               struct queue *dele, struct err *err);

/* Decides about messages that were to be stubs and have to be fetched whole, within what
 * max_messages and max_bytes still leave. */
void decide_whole(struct poll *poll, struct listing *listing);

/* How many messages are not simply left where they are. */
uint32_t decide_count_busy(const struct listing *listing);

/* True if it is one of those at the end that keep_newest has stay on the server. */
bool decide_is_newest(const struct poll *poll, const struct listing *listing,
                      const struct message *message);

/* A delivered message that the user asks for again (--all), and one that the rules left before, is
 * owed from here on: if this run dies first, the next one delivers it, and nothing deletes it
 * before. Gathered in the journal. */
void decide_owe_again(struct poll *poll, struct listing *listing);

/* Reports and records those that are longer than max_size. */
void decide_refuse_long_ones(struct poll *poll, struct listing *listing);

/* --dry-run: a line for each message that would not be left, to run->answer. */
void decide_tell(struct poll *poll, const struct listing *listing);

/* How many listed messages are to be asked for on connections of their own: one broke over them. */
uint32_t decide_count_doubted(const struct poll *poll);

#endif
