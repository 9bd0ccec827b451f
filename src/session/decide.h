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

/* Gives each message of the listing its action; `count`: and counts them in the run's figures.
 * max_messages counts those first that did not fail before. */
void decide_all(struct poll *poll, struct listing *listing, bool count);

/* How many messages are not simply left where they are. */
uint32_t decide_count_busy(const struct listing *listing);

/* A message that failed before: did it do so by what it did to connections? */
bool decide_broke_the_line(const struct poll *poll, uint32_t entry);

/* What was delivered and is asked for again is owed from here on: if this run does not live to
 * deliver it, the next one does, and nobody deletes it before. Gathered in the journal. */
void decide_owe_again(struct poll *poll, struct listing *listing);

/* Tells and records those that are longer than max_size. */
void decide_refuse_long_ones(struct poll *poll, struct listing *listing);

/* --dry-run: a line for each message that would not be left, to run->answer. */
void decide_tell(struct poll *poll, const struct listing *listing);

#endif
