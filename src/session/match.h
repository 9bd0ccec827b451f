/*
 * match: which message of a listing is which entry of the journal.
 *
 * A UIDL that is unique and was seen with this size is enough. Where it is not (empty, twice in one
 * listing, another size, or no UIDL at all) the message must show its header: a fingerprint from
 * TOP n 0, pipelined; where the server has no TOP, when it is fetched. The same happens to unknown
 * messages when most UIDLs have changed at once (a migrated server), so that they are recognised
 * instead of fetched again.
 */
#ifndef FP_SESSION_MATCH_H
#define FP_SESSION_MATCH_H

#include "base/err.h"
#include "base/log.h"
#include "pop3/pop3.h"
#include "session/listing.h"

/* Looks every message up, asking for fingerprints where needed and possible. */
int match_listing(struct listing *listing, struct pop3 *pop3, struct log *log, struct err *err);

/* Gives a vague message the fingerprint of its fetched header and looks once more: the entry of a
 * message that we have, or JOURNAL_NONE. */
uint32_t match_fetched(struct listing *listing, struct message *message,
                       const struct fingerprint *fingerprint);

/* Is its entry this message? If not, it loses the entry and gets the fingerprint. */
bool match_confirm(struct listing *listing, struct message *message,
                   const struct fingerprint *fingerprint);

#endif
