/* SPDX-License-Identifier: ISC */
/*
 * match: which message of a listing is which entry of the journal.
 *
 * The UIDL comes first. One that is unique and was seen with this size, or an unknown one, is
 * enough. With another size the message must show its header (TOP n 0, pipelined); where that
 * cannot be compared with what is known, it is fetched to be compared. A fingerprint may prove that
 * a UIDL was given to another message.
 *
 * Where UIDLs tell nothing (empty, twice in one listing, none at all, changed since the last run)
 * the fingerprint decides, and only in certainty: of messages with two UIDLs, both have the same
 * Message-ID and Date and the same header; without a Message-ID, header and body are the same, and
 * no other UIDL speaks against it. In doubt a message is fetched again.
 */
#ifndef FP_SESSION_MATCH_H
#define FP_SESSION_MATCH_H

#include "base/err.h"
#include "base/log.h"
#include "pop3/pop3.h"
#include "session/fingerprints.h"
#include "session/listing.h"

/* Looks every message up, asking for fingerprints where needed and possible. */
int match_listing(struct listing *listing, struct pop3 *pop3, struct log *log, struct err *err);

/* False if this entry has only failed so far: then its message may have come in a run that was not
 * told UIDLs, under an entry that has none. */
bool match_was_received(const struct listing *listing, uint32_t id);

/* Gives a vague message the fingerprint of its fetched header and looks once more: the entry of a
 * message that we have, which learns its UIDL, or JOURNAL_NONE. */
uint32_t match_fetched(struct listing *listing, struct message *message,
                       const struct fingerprint *fingerprint);

/* It was fetched, and is not the message of its UIDL, which numbers give to the next one when a
 * message is deleted. As match_fetched: another one that is known, or JOURNAL_NONE. */
uint32_t match_moved(struct listing *listing, struct message *message,
                     const struct fingerprint *fingerprint);

/* Says whether its entry, found by UIDL, is this message. With the fingerprint of a retrieved
 * message that is certain, unless the server's headers change; ALIKE is then as good as SAME. */
enum fingerprints_verdict match_compare(struct listing *listing, const struct message *message,
                                        const struct fingerprint *fingerprint);

/* Has it neither the size nor, to the octet, the header of its entry, found by UIDL, on a server
 * whose headers do not change each time? Then the same Message-ID and Date do not make it the same:
 * a list's copy has them, too. Where sizes change each time, none counts for what was, or is to be,
 * deleted. */
bool match_is_touched(const struct listing *listing, const struct message *message,
                      const struct fingerprint *fingerprint);

/* Records what is now known better about a message that is its entry: UIDL, size, and the
 * fingerprint if it was retrieved. */
void match_learn(struct listing *listing, const struct message *message);

/* Its entry, found by UIDL, may be another message: what a rule left, or gave a stub of, is judged
 * anew, and what is held is tried. */
void match_doubt(struct listing *listing, struct message *message);

#endif
