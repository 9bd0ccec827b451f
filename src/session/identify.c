/* SPDX-License-Identifier: ISC */
#include "session/identify.h"

#include "session/fingerprints.h"
#include "session/match.h"

bool identify_is_delivered(const struct journal *journal, uint32_t id)
{
    unsigned state = journal_entry(journal, id).state;
    return state == JOURNAL_DONE || state == JOURNAL_GONE || state == JOURNAL_TAKEN;
}

/* It is the message that its UIDL says. What does not fit is a habit of the server's. */
static enum identify_as confirm(struct listing *listing, struct message *message,
                                const struct fingerprint *fingerprint)
{
    const struct fingerprint *shown = listing_fingerprint(listing, message);
    uint64_t size = journal_size(listing->journal, message->entry);
    if (size != message->size && size != 0 && message->size != 0)
        habits_count_size(listing->habits);
    if (shown != NULL && shown->retrieved && !fingerprints_equal(shown, fingerprint))
        habits_count_header(listing->habits);
    listing_set_fingerprint(listing, message, fingerprint);
    match_learn(listing, message);
    message->compare = false;
    return IDENTIFY_DELIVERED;
}

/* Has it shown the same twice in this session? Where headers change, what identifies a message has
 * to be the same, and not what is known. */
static bool is_steady(const struct fingerprint *known, const struct fingerprint *shown,
                      const struct fingerprint *fingerprint)
{
    bool one = fingerprints_compare(known, fingerprint) == FINGERPRINTS_SAME;
    if (fingerprints_compare_identity(shown, fingerprint) == FINGERPRINTS_SAME &&
        fingerprints_compare_identity(known, fingerprint) == FINGERPRINTS_OTHER)
        return true;
    return fingerprints_compare(shown, fingerprint) <= FINGERPRINTS_ALIKE &&
           (!one || fingerprints_equal(shown, fingerprint));
}

/* It was delivered under this UIDL, and comes with another header (or body). If it showed that one
 * twice in this session (to the octet, under one Message-ID and Date), it is another message; if it
 * shows a new one each time, the UIDL is all there is. */
static enum identify_as deny(struct listing *listing, struct message *message,
                             const struct fingerprint *fingerprint, const struct log *log)
{
    const struct fingerprint *shown = listing_fingerprint(listing, message);
    struct record record = journal_record(listing->journal, message->entry);
    struct fingerprint known = record_fingerprint(&record);
    bool one = fingerprints_compare(&known, fingerprint) == FINGERPRINTS_SAME;
    bool steady = shown != NULL && is_steady(&known, shown, fingerprint);
    bool gone = journal_entry(listing->journal, message->entry).state == JOURNAL_GONE && !one;
    if (!steady && !message->twice && !gone) {
        message->twice = true;
        listing_set_fingerprint(listing, message, fingerprint);
        return IDENTIFY_ASK_AGAIN;
    }
    bool changes = message->twice && shown != NULL && !fingerprints_equal(shown, fingerprint);
    if (changes || (!steady && !gone))
        habits_prove_header(listing->habits);
    if (!steady && !gone)
        return confirm(listing, message, fingerprint);
    if (identify_is_delivered(listing->journal, match_moved(listing, message, fingerprint)))
        return IDENTIFY_DELIVERED;
    log_line(log, FP_LOG_NOTE,
             "message %u has the UIDL of a delivered one, but is a different message",
             message->number);
    return IDENTIFY_NEW;
}

static enum identify_as compare(struct listing *listing, struct message *message,
                                const struct fingerprint *fingerprint, const struct log *log)
{
    struct record record = journal_record(listing->journal, message->entry);
    bool done = journal_entry(listing->journal, message->entry).state == JOURNAL_DONE;
    bool told = record_fingerprint(&record).known; /* else its UIDL is all there is */
    bool touched = match_is_touched(listing, message, fingerprint);
    if ((!touched && match_compare(listing, message, fingerprint) == FINGERPRINTS_SAME) ||
        (done && !told))
        return confirm(listing, message, fingerprint);
    return deny(listing, message, fingerprint, log);
}

/* A message that had to be fetched to be known may turn out to be one that we have. */
enum identify_as identify_fetched(struct listing *listing, struct message *message,
                                  struct header *header, const struct log *log)
{
    struct fingerprint fingerprint = fingerprints_of(header, true);
    if (message->compare)
        return compare(listing, message, &fingerprint, log);
    if ((message->entry == JOURNAL_NONE || !match_was_received(listing, message->entry)) &&
        identify_is_delivered(listing->journal, match_fetched(listing, message, &fingerprint)))
        return IDENTIFY_DELIVERED;
    listing_set_fingerprint(listing, message, &fingerprint);
    return IDENTIFY_NEW;
}
