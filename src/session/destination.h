/* SPDX-License-Identifier: ISC */
/*
 * destination: what becomes of a message that its destination does not take, and whose fault that
 * is.
 *
 * The message is kept in a file (session/kept.h). One that is refused while others are delivered is
 * at fault itself: it counts as a try, and after max_tries it is held. Where DESTINATION_ROW
 * messages in a row come to the same end, or all of a run with a status that speaks of the machine
 * (73 to 78 of sysexits.h), this machine is at fault: nothing counts for a message, nothing more is
 * delivered in this run, and one error of that status is reported.
 *
 * One that was given and not answered for in time may have been delivered, and each try may make a
 * copy: after the second it is tried ever more rarely (session/again.h).
 *
 * But bad messages that are kept here could look like that in every run. So after such a row among
 * those, one that waits behind them is tried, drawn by lot, and one new message is fetched and
 * tried; if one is delivered, the others are at fault.
 */
#ifndef FP_SESSION_DESTINATION_H
#define FP_SESSION_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/spool.h"
#include "session/poll.h"

#define DESTINATION_ROW 3

/* A message was delivered. */
void destination_took(struct poll *poll, const struct parcel *parcel);

/* A message was not delivered, and is kept. name: what to call it in messages. parcel->why is
 * set. */
void destination_refused(struct poll *poll, uint32_t entry, const char *name,
                         const struct parcel *parcel);

/* The file of a kept message cannot be read: that counts as a refusal of this one, and says nothing
 * of the destination. */
void destination_unreadable(struct poll *poll, uint32_t entry, const char *name, const char *why);

/* It could not publish: what had a take there is looked at by the next run. Nothing more goes there
 * in this one. True if the others go on, and then it is its `trouble`; false: none is left, or the
 * user interrupts. */
bool destination_failed(struct poll *poll, const struct parcel *parcel, const struct err *err);

/* After the kept messages were tried: new ones may be; pipe_through is run for them, too. */
void destination_reopen(struct poll *poll);

/* True if nothing more is delivered where the parcel goes, or it waits for pipe_through; and if
 * nothing more is delivered anywhere. */
bool destination_is_shut(const struct poll *poll, const struct parcel *parcel);
bool destination_all_shut(const struct poll *poll);

/* True if only one message at a time is worth fetching. */
bool destination_is_doubtful(const struct poll *poll);

/* Reports what has not been reported yet, and sets the `trouble` of each destination. */
void destination_conclude(struct poll *poll);

/* The first trouble of this machine that came to light at a destination; kind ERR_NONE: none. */
const struct err *destination_trouble(const struct poll *poll);

#endif
