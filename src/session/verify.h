/* SPDX-License-Identifier: ISC */
/*
 * verify: which messages that an earlier run delivered may be deleted now.
 *
 * A UIDL alone does not allow a DELE, unless the server's headers are of no use: it must be shown
 * that the message is the one that was delivered. What TOP cannot show is fetched and compared; if
 * that is too much, the message stays.
 */
#ifndef FP_SESSION_VERIFY_H
#define FP_SESSION_VERIFY_H

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"

/* Adds those planned as PLAN_DELETE that are the same to `verified`; the action of the others
 * becomes PLAN_FETCH or PLAN_LEAVE. In a mailbox that has a new name, all messages that the journal
 * knows are looked at, once. -1: as fingerprints_run. */
int verify_deletions(struct poll *poll, struct pop3 *pop3, struct listing *listing,
                     struct queue *verified, struct err *err);

#endif
