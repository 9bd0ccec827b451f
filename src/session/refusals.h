/* SPDX-License-Identifier: ISC */
/*
 * refusals: messages that a server refuses, or that are given up, on one connection; and whose
 * fault that is, the message's or the session's.
 *
 * It is the session's if REFUSALS_ALIKE messages in a row
 * - are refused in the same words: a cap on downloads, or a store that is away;
 * - come empty though LIST says otherwise (fewer are enough if nothing else comes, and more are
 *   still to come);
 * - come short and all the same: what the server sends in the place of each that it cannot read.
 *
 * Then poll->over is set, and nothing counts for a message. Else each message is at fault itself
 * (session/fault.h).
 */
#ifndef FP_SESSION_REFUSALS_H
#define FP_SESSION_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "session/listing.h"
#include "session/poll.h"
#include "state/reason.h"

#define REFUSALS_ALIKE 3

struct refusal {
    enum reason reason; /* REASON_REFUSED: by the server, in these words; REASON_EMPTY, _SHORT */
    bool later;         /* it may work later */
    char words[LOG_QUOTE_MAX + 4];
};

struct refusals {
    struct poll *poll; /* borrowed, as the listing */
    struct listing *listing;
    bool came;          /* a message that is believed, with something in it, came on it */
    unsigned unwritten; /* failures since the journal was written */
    unsigned count;     /* of the row */
    uint64_t hash;      /* of their words, without the numbers in them */
    bool fresh;         /* one of them was not refused before */
    struct {
        struct message *message;
        struct refusal refusal;
    } row[REFUSALS_ALIKE];
};

/* Empty; borrows both for the life of the connection. */
void refusals_init(struct refusals *refusals, struct poll *poll, struct listing *listing);

/* A message was refused or given up. -1: ERR_IO, the journal cannot be written. */
int refusals_add(struct refusals *refusals, struct message *message, const struct refusal *refusal,
                 struct err *err);

/* The same for one that came empty or short before, and was reported then: it waits without
 * another word, and the session ends. */
void refusals_wait(struct refusals *refusals, struct message *message,
                   const struct refusal *refusal);

/* Other mail has come in this poll, whatever becomes of these. */
bool refusals_others_came(const struct refusals *refusals);

/* So few messages are to come that no other can be expected beside them. */
bool refusals_are_few(const struct refusals *refusals);

/* So many messages came empty in earlier polls that a part of the store may be away. */
bool refusals_are_many_empty(const struct refusals *refusals);

/* It came short before, and so did others, REFUSALS_ALIKE with it, under the header that it shows
 * now: it may be what the server sends in the place of each. */
bool refusals_are_alike(const struct refusals *refusals, const struct message *message);

/* The row ends: another message came, or no more will. -1: as for refusals_add. */
int refusals_end_row(struct refusals *refusals, struct err *err);

#endif
