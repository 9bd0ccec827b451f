/* SPDX-License-Identifier: ISC */
#include "session/belief.h"

#include <stdio.h>

#include "session/fault.h"
#include "session/identify.h"

#define EMPTY_LISTED 2 /* octets, by LIST, of a message with nothing in it: a line end */

/* It is empty, and LIST says so too, or does not know. That is believed only beside other mail; if
 * none has come yet, it is asked for again after the rest. */
static bool waits_for_others(const struct refusals *refusals, const struct message *message,
                             const struct parcel *parcel)
{
    return parcel->octets == 0 && message->size <= EMPTY_LISTED && !refusals->came &&
           !message->twice;
}

/* Empty, not half of what LIST says (octets has LF line ends), or shorter where LIST is always
 * exact: something went wrong on the server, or its LIST is not worth much. The next message may be
 * cut in half all the same, so it is not noted as a habit. */
static bool is_short(const struct refusals *refusals, const struct message *message,
                     const struct arrival *arrival)
{
    uint64_t octets = arrival->parcel->octets;
    if (octets > 0)
        return message->size / 2 > octets || (message->size > octets && !arrival->exact &&
                                              habits_are_exact(&refusals->poll->habits));
    return message->size > EMPTY_LISTED || (!refusals->came && !refusals_are_few(refusals));
}

/* Only messages that are too short come, and not just one or two: their bodies may be away. That is
 * assumed for a day. */
static bool may_be_away(const struct refusals *refusals, const struct message *message)
{
    return !refusals_others_came(refusals) && !refusals_are_few(refusals) &&
           !fault_was_seen_a_day_ago(refusals->poll, message->entry);
}

static bool is_held(const struct refusals *refusals, const struct message *message)
{
    return journal_entry(refusals->poll->journal, message->entry).state == JOURNAL_HELD;
}

/* Was it so before? Three or more that came empty have to do so again a day later, beside other
 * mail, since a part of the store may be away. After a day in which all came empty, it has to be
 * seen twice beside other mail, at least a day apart. */
static bool is_believed(const struct refusals *refusals, const struct message *message,
                        const struct record *record, const struct refusal *refusal)
{
    if (record->reason != refusal->reason)
        return false;
    if (refusal->reason == REASON_SHORT)
        return str_is(record->words, refusal->words) && !may_be_away(refusals, message) &&
               (refusals->came || !refusals_are_alike(refusals, message));
    if (is_held(refusals, message))
        return refusals->came && fault_is_a_day_old(refusals->poll, record->words);
    return !refusals_are_many_empty(refusals) ||
           (refusals->came && fault_was_seen_a_day_ago(refusals->poll, message->entry));
}

/* It was told before, and for a day nothing more is to be said of it. */
static bool waits_a_day(const struct refusals *refusals, const struct message *message,
                        const struct refusal *refusal)
{
    if (refusal->reason == REASON_SHORT)
        return may_be_away(refusals, message) && !refusals_are_alike(refusals, message);
    return refusals_others_came(refusals) && !is_held(refusals, message);
}

/* Not believed at first sight; as short as that in an earlier poll: it is what there is. Another
 * length than then counts as a refusal. *refusal: what is to be said of it. */
static bool is_refused(const struct refusals *refusals, const struct message *message,
                       const struct arrival *arrival, struct refusal *refusal)
{
    const struct journal *journal = refusals->poll->journal;
    uint64_t octets = arrival->parcel->octets;
    bool empty = octets == 0;
    if (!is_short(refusals, message, arrival) || identify_is_delivered(journal, message->entry))
        return false;
    *refusal = (struct refusal){.reason = empty ? REASON_EMPTY : REASON_SHORT, .later = true};
    if (!empty)
        snprintf(refusal->words, sizeof refusal->words, "%llu", (unsigned long long)octets);
    if (message->entry == JOURNAL_NONE)
        return true;
    struct record record = journal_record(journal, message->entry);
    refusal->later = record.reason != REASON_SHORT && record.reason != REASON_EMPTY;
    return !is_believed(refusals, message, &record, refusal);
}

static int refuse(struct refusals *refusals, struct message *message, const struct refusal *refusal,
                  struct err *err)
{
    refusals->poll->owned = false; /* what came of it is not the whole */
    if (refusal->later || !waits_a_day(refusals, message, refusal))
        return refusals_add(refusals, message, refusal, err);
    refusals_wait(refusals, message, refusal);
    return 0;
}

int belief_form(struct refusals *refusals, struct message *message, const struct arrival *arrival,
                enum belief *belief, struct err *err)
{
    const struct parcel *parcel = arrival->parcel;
    static const enum belief beliefs[] = {[IDENTIFY_NEW] = BELIEF_NEW,
                                          [IDENTIFY_DELIVERED] = BELIEF_DELIVERED,
                                          [IDENTIFY_ASK_AGAIN] = BELIEF_ASK_AGAIN};
    struct refusal refusal;
    *belief = beliefs[identify_fetched(refusals->listing, message, parcel->header,
                                       refusals->poll->run->log)];
    if (*belief == BELIEF_NEW && waits_for_others(refusals, message, parcel)) {
        message->twice = true;
        *belief = BELIEF_ASK_AGAIN;
        return 0;
    }
    if (*belief == BELIEF_NEW && is_refused(refusals, message, arrival, &refusal)) {
        *belief = BELIEF_NONE;
        return refuse(refusals, message, &refusal, err);
    }
    refusals->came = refusals->came || parcel->octets > 0;
    habits_count_length(&refusals->poll->habits, arrival->exact);
    return refusals_end_row(refusals, err);
}
