/* SPDX-License-Identifier: ISC */
/*
 * belief: what a message is taken for that came whole, and in step.
 *
 * It may be one that we have (session/identify.h). And a server may deliver from a store that is
 * half there: a message comes empty though LIST says otherwise, less than half as long (or shorter
 * at all, where LIST is always exact), or as a few words that stand in for each. None of these is
 * believed at first sight: it counts as refused (session/refusals.h), and has to come as short as
 * that in another poll; where several do, on another day, or beside other mail.
 */
#ifndef FP_SESSION_BELIEF_H
#define FP_SESSION_BELIEF_H

#include "base/err.h"
#include "session/body.h"
#include "session/listing.h"
#include "session/refusals.h"

enum belief {
    BELIEF_NEW,       /* the message, which we do not have */
    BELIEF_DELIVERED, /* one that an earlier run has delivered */
    BELIEF_ASK_AGAIN, /* to be seen twice: it is worth another RETR on this connection */
    BELIEF_NONE       /* not the whole message: reported and recorded as refused */
};

/* Decides that. What came before on this connection counts, and is in `refusals`, which takes note
 * of this message, too. message->twice is set if it is to be asked for again. -1: ERR_IO, the
 * journal cannot be written; *belief is right all the same. */
int belief_form(struct refusals *refusals, struct message *message, const struct arrival *arrival,
                enum belief *belief, struct err *err);

#endif
