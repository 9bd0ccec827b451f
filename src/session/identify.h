/* SPDX-License-Identifier: ISC */
/*
 * identify: what a message that was fetched turns out to be, now that its header and body are
 * known. Before that it is session/match.h's, by its UIDL and by what TOP shows.
 */
#ifndef FP_SESSION_IDENTIFY_H
#define FP_SESSION_IDENTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/header.h"
#include "base/log.h"
#include "session/listing.h"

enum identify_as {
    IDENTIFY_NEW,
    IDENTIFY_DELIVERED, /* an earlier run has delivered it */
    IDENTIFY_ASK_AGAIN  /* it shows another header than it should: that has to be seen twice */
};

/* Decides by the header of the whole message, which gives its fingerprint here (once). The listing
 * and the journal learn what they did not know. The log is told of a UIDL that is used again. */
enum identify_as identify_fetched(struct listing *listing, struct message *message,
                                  struct header *header, const struct log *log);

/* True if the journal's entry (JOURNAL_NONE: none) is of a message that was delivered, or may
 * have been: its take is open. */
bool identify_is_delivered(const struct journal *journal, uint32_t id);

#endif
