/* SPDX-License-Identifier: ISC */
/*
 * fault: which message is at fault, and what that costs it.
 *
 * A refusal counts as a try (each day of it, where its words say that it will pass); after
 * max_tries the message is held. What may be the network's or the destination's fault is not
 * counted, but the message is fetched last the next time, so that a bad message does not hold up
 * good ones.
 */
#ifndef FP_SESSION_FAULT_H
#define FP_SESSION_FAULT_H

#include "base/str.h"
#include "session/listing.h"
#include "session/poll.h"

/* The message is longer than max_size, which is a wish and no failure: it is told once, with both
 * sizes, and stays on the server. */
void fault_leave_large(struct poll *poll, struct listing *listing, struct message *message);

/* The message could not be fetched or delivered: that is reported and counted as a try, and after
 * max_tries the message is held. */
void fault_refuse(struct poll *poll, struct listing *listing, struct message *message,
                  const struct journal_failure *failure);

/* It may work later: reported, but not counted. The next run asks for it after the others. */
void fault_put_off(struct poll *poll, struct listing *listing, struct message *message,
                   const struct journal_failure *failure);

/* The server refuses it, in words that say that it will pass: as fault_put_off, and told once; but
 * each day of it is told, and counts as a try. */
void fault_refuse_for_now(struct poll *poll, struct listing *listing, struct message *message,
                          const struct journal_failure *failure);

/* As fault_put_off, for trouble with a command: reported as often as that is. */
void fault_put_off_aside(struct poll *poll, struct listing *listing, struct message *message,
                         const struct journal_failure *failure);

/* As fault_put_off without a report: it was refused along with others, and the session is at
 * fault. */
void fault_postpone(struct poll *poll, struct listing *listing, struct message *message,
                    const struct journal_failure *failure);

/* The server refused it, along with others, and nothing else came. As fault_postpone; but after a
 * day of that it is held (max_tries days, if it may work later), so that it stops nothing else.
 * True if it is held from now on, or still. */
bool fault_postpone_refused(struct poll *poll, struct listing *listing, struct message *message,
                            const struct journal_failure *failure, bool later);

/* It came empty, along with others, and nothing else came: perhaps the store is away. As
 * fault_postpone; but after a day of that it is held, so that it stops nothing else. True if it is
 * held from now on, or still. */
bool fault_postpone_empty(struct poll *poll, struct listing *listing, struct message *message);

/* One that is held came empty again: reported, and it stays held. */
void fault_refuse_empty(struct poll *poll, struct listing *listing, struct message *message,
                        bool others_came);

/* The record's words (REASON_EMPTY, REASON_ALL_EMPTY) say since when: true if that was a day ago or
 * more. */
bool fault_is_a_day_old(const struct poll *poll, struct str words);

/* True if the entry's message was first seen a day ago or more, and the clock is not in doubt. */
bool fault_was_seen_a_day_ago(const struct poll *poll, uint32_t entry);

/* It was told as a failure in this poll, which does not ask for it on another connection. */
bool fault_was_told(const struct poll *poll, const struct message *message);

/* `count` messages over which a connection broke have not had their turn: the next run tries
 * again. */
void fault_leave(struct poll *poll, uint32_t count);

/* True if the words of a refusal say that it will pass ("too many", "try later"). */
bool fault_is_passing(struct str words);

/* The two sides went out of step over this message, or the connection broke in its answer. If
 * nothing else was asked for (poll->alone) that counts as a try; else it may have been another's
 * fault or the network's: it is asked for alone, on a connection where nothing else is at stake.
 * Where nothing came in the whole poll, and several broke off so, it is the server's: no more are
 * counted, and the poll ends. */
void fault_break(struct poll *poll, struct listing *listing, struct message *message,
                 const struct err *why);

#endif
