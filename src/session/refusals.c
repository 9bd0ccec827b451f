/* SPDX-License-Identifier: ISC */
#include "session/refusals.h"

#include <string.h>

#include "session/fault.h"
#include "session/fingerprints.h"
#include "session/manners.h"

#define UNWRITTEN_MAX 500 /* failures, so that they cost no memory */

void refusals_init(struct refusals *refusals, struct poll *poll, struct listing *listing)
{
    *refusals = (struct refusals){.poll = poll, .listing = listing};
}

static struct journal_failure failure_of(const struct refusal *refusal)
{
    return (struct journal_failure){.reason = refusal->reason, .words = str_from(refusal->words)};
}

bool refusals_others_came(const struct refusals *refusals)
{
    return refusals->came || refusals->poll->fetched > 0;
}

/* Many failures with nothing delivered between them are written, too. */
static int blame_message(struct refusals *refusals, struct message *message,
                         const struct refusal *refusal, struct err *err)
{
    const struct journal_failure failure = failure_of(refusal);
    bool held = journal_entry(refusals->poll->journal, message->entry).state == JOURNAL_HELD;
    if (refusal->reason == REASON_EMPTY && held)
        fault_refuse_empty(refusals->poll, refusals->listing, message,
                           refusals_others_came(refusals));
    else if (refusal->later && refusal->reason == REASON_REFUSED)
        fault_refuse_for_now(refusals->poll, refusals->listing, message, &failure);
    else if (refusal->later)
        fault_put_off(refusals->poll, refusals->listing, message, &failure);
    else
        fault_refuse(refusals->poll, refusals->listing, message, &failure);
    if (++refusals->unwritten < UNWRITTEN_MAX)
        return 0;
    refusals->unwritten = 0;
    return journal_sync(refusals->poll->journal, err);
}

static void blame_store(struct poll *poll, bool held)
{
    err_set(&poll->over, ERR_AGAIN,
            held
                ? "message after message comes empty or short; they are held, and tried again from "
                  "time to time"
                : "message after message comes empty or short from the server; the next run goes "
                  "on");
}

void refusals_wait(struct refusals *refusals, struct message *message,
                   const struct refusal *refusal)
{
    const struct journal_failure failure = failure_of(refusal);
    fault_postpone(refusals->poll, refusals->listing, message, &failure);
    blame_store(refusals->poll, false);
}

/* The messages of the row are asked for last by the next run, so that it makes progress if they are
 * at fault after all. That they came empty, or in the same few words, proves nothing then. */
static void blame_session(struct refusals *refusals)
{
    struct poll *poll = refusals->poll;
    bool refused = refusals->row[0].refusal.reason == REASON_REFUSED, held = false;
    for (unsigned i = 0; i < refusals->count; i++) {
        struct message *message = refusals->row[i].message;
        const struct refusal *refusal = &refusals->row[i].refusal;
        const struct journal_failure failure = failure_of(refusal);
        bool now = refused ? fault_postpone_refused(poll, refusals->listing, message, &failure,
                                                    refusal->later)
                           : fault_postpone_empty(poll, refusals->listing, message);
        held = held || now;
    }
    poll->habits.known |= HABIT_REFUSES;
    if (refused)
        err_set(&poll->over, ERR_AGAIN,
                held ? "the server refuses message after message: \"%s\"; they are held, and tried "
                       "again from time to time"
                     : "the server refuses message after message: \"%s\"; the next run goes on",
                refusals->row[0].refusal.words);
    else
        blame_store(poll, held);
    poll->over_before = true;
    poll->over_hash = refusals->hash;
    refusals->count = 0;
}

bool refusals_are_few(const struct refusals *refusals)
{
    const struct listing *listing = refusals->listing;
    const struct journal *journal = refusals->poll->journal;
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count && count < REFUSALS_ALIKE; i++) {
        uint32_t entry = listing->messages[i].entry;
        unsigned state = journal_entry(journal, entry).state;
        count +=
            state == JOURNAL_FREE || state == JOURNAL_FAILED || state == JOURNAL_DOUBTED ||
            (state == JOURNAL_HELD && journal_record(journal, entry).reason == REASON_ALL_EMPTY);
    }
    return count < REFUSALS_ALIKE;
}

/* It failed in an earlier poll, or is held; *record: why. */
static bool has_failed(const struct journal *journal, uint32_t entry, struct record *record)
{
    enum journal_state state = journal_entry(journal, entry).state;
    if (state != JOURNAL_FAILED && state != JOURNAL_HELD)
        return false;
    *record = journal_record(journal, entry);
    return true;
}

bool refusals_are_many_empty(const struct refusals *refusals)
{
    const struct listing *listing = refusals->listing;
    struct record record;
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count && count < REFUSALS_ALIKE; i++)
        count += has_failed(refusals->poll->journal, listing->messages[i].entry, &record) &&
                 record.reason == REASON_EMPTY;
    return count >= REFUSALS_ALIKE;
}

static bool came_short(const struct journal *journal, uint32_t entry, struct record *record)
{
    return has_failed(journal, entry, record) &&
           (record->reason == REASON_SHORT || record->reason == REASON_ALL_EMPTY);
}

bool refusals_are_alike(const struct refusals *refusals, const struct message *message)
{
    const struct listing *listing = refusals->listing;
    const struct journal *journal = refusals->poll->journal;
    const struct fingerprint *shown = listing_fingerprint(listing, message);
    struct record record;
    uint32_t count = 0;
    /* Asked of few: the first one that is believed, or is not, settles it for this connection. */
    if (shown == NULL || !came_short(journal, message->entry, &record))
        return false;
    for (uint32_t i = 0; i < listing->count && count < REFUSALS_ALIKE; i++) {
        if (!came_short(journal, listing->messages[i].entry, &record))
            continue;
        struct fingerprint known = record_fingerprint(&record);
        count += fingerprints_equal(&known, shown);
    }
    return count >= REFUSALS_ALIKE;
}

/* Do the messages of the row, for which nothing else came, prove nothing? */
static bool proves_nothing(const struct refusals *refusals)
{
    const struct refusal *first = &refusals->row[0].refusal;
    if (refusals->count == 0)
        return false;
    if (first->reason == REASON_SHORT)
        return refusals_are_alike(refusals, refusals->row[0].message);
    return first->reason == REASON_EMPTY && !refusals_are_few(refusals);
}

int refusals_end_row(struct refusals *refusals, struct err *err)
{
    int result = 0;
    if (!refusals_others_came(refusals) && proves_nothing(refusals))
        blame_session(refusals);
    for (unsigned i = 0; i < refusals->count; i++)
        if (blame_message(refusals, refusals->row[i].message, &refusals->row[i].refusal, err) < 0)
            result = -1;
    refusals->count = 0;
    refusals->fresh = false;
    return result;
}

/* True if it was not refused before. If all were, the row says nothing about a session in which
 * others came. */
static bool is_fresh(const struct poll *poll, const struct message *message)
{
    unsigned state = journal_entry(poll->journal, message->entry).state;
    return state != JOURNAL_FAILED && state != JOURNAL_HELD;
}

/* Numbers in words may differ; what comes short has to be the same in all. */
static uint64_t hash_of(const struct refusals *refusals, const struct message *message,
                        const struct refusal *refusal)
{
    uint64_t hash = manners_hash(refusal->words) + refusal->reason, print = 0;
    const struct fingerprint *fingerprint = listing_fingerprint(refusals->listing, message);
    if (refusal->reason != REASON_SHORT)
        return hash;
    if (fingerprint != NULL)
        memcpy(&print, fingerprint->bytes, sizeof print);
    return hash + print + str_hash(str_from(refusal->words));
}

int refusals_add(struct refusals *refusals, struct message *message, const struct refusal *refusal,
                 struct err *err)
{
    struct poll *poll = refusals->poll;
    if (refusal->reason != REASON_REFUSED && refusal->reason != REASON_EMPTY &&
        refusal->reason != REASON_SHORT)
        return blame_message(refusals, message, refusal, err);
    if (poll->over.kind != ERR_NONE) /* it says what was said before */
        return 0;
    uint64_t hash = hash_of(refusals, message, refusal);
    int result =
        refusals->count > 0 && refusals->hash != hash ? refusals_end_row(refusals, err) : 0;
    if (poll->over.kind != ERR_NONE)
        return result;
    refusals->row[refusals->count].message = message;
    refusals->row[refusals->count++].refusal = *refusal;
    refusals->hash = hash;
    refusals->fresh = refusals->fresh || is_fresh(poll, message);
    bool again = poll->over_before && hash == poll->over_hash;
    if (refusals->count < REFUSALS_ALIKE && !again)
        return result;
    if (!again && !refusals->fresh && refusals->came)
        return refusals_end_row(refusals, err) < 0 ? -1 : result;
    blame_session(refusals);
    return result;
}
