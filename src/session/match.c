/* SPDX-License-Identifier: ISC */
#include "session/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "session/fingerprints.h"
#include "session/headers.h"
#include "session/plan.h"
#include "session/queue.h"

/* The same header, with a Message-ID in it, or with the same body under it. For what never came the
 * header is enough, as it was for the rule that left it. */
static bool is_same(const struct record *record, bool came, const struct fingerprint *fingerprint)
{
    struct fingerprint known = record_fingerprint(record);
    return fingerprints_equal(&known, fingerprint) &&
           (!came || fingerprints_compare(&known, fingerprint) == FINGERPRINTS_SAME);
}

void match_learn(struct listing *listing, const struct message *message)
{
    char room[JOURNAL_UIDL_ROOM];
    const struct journal *journal = listing->journal;
    struct journal_subject subject = listing_subject(listing, message);
    struct str uidl = journal_uidl(journal, message->entry, room);
    subject.fingerprint.known = subject.fingerprint.known && subject.fingerprint.retrieved;
    if (subject.size == 0)
        subject.size = journal_size(journal, message->entry);
    if (subject.fingerprint.known || journal_size(journal, message->entry) != subject.size ||
        (subject.uidl.len > 0 && !str_equal(uidl, subject.uidl)))
        journal_learn(listing->journal, message->entry, &subject);
}

static void claim(struct listing *listing, struct message *message, uint32_t id)
{
    message->entry = id;
    journal_list(listing->journal, id);
}

bool match_was_received(const struct listing *listing, uint32_t id)
{
    unsigned state = journal_entry(listing->journal, id).state;
    return state != JOURNAL_FAILED && state != JOURNAL_DOUBTED && state != JOURNAL_HELD;
}

/* The only one of these entries of one UIDL whose message came, or JOURNAL_NONE. */
static uint32_t only_received(const struct listing *listing, uint32_t first)
{
    uint32_t found = JOURNAL_NONE;
    for (uint32_t id = first; id != JOURNAL_NONE; id = journal_next(listing->journal, id)) {
        if (match_was_received(listing, id) && found != JOURNAL_NONE)
            return JOURNAL_NONE;
        if (match_was_received(listing, id))
            found = id;
    }
    return found;
}

/* Its entry, if no other message has its UIDL and no other entry, but for one under which it only
 * failed. */
static bool find_own(struct listing *listing, struct message *message)
{
    if (!listing_has_uidl(message) || journal_entry(listing->journal, message->entry).listed != 1)
        return false;
    if (journal_next(listing->journal, message->entry) == JOURNAL_NONE)
        return true;
    uint32_t id = only_received(listing, message->entry);
    if (id == JOURNAL_NONE)
        return false;
    journal_unlist(listing->journal, message->entry);
    claim(listing, message, id);
    return true;
}

/* Is the message of this entry as long? A size that is not known equals any. */
static bool is_as_long(const struct listing *listing, uint32_t id, const struct message *message)
{
    uint64_t known = journal_size(listing->journal, id);
    return known == message->size || known == 0 || message->size == 0 ||
           habits_has(listing->habits, HABIT_SIZES);
}

static bool is_size(const struct listing *listing, const struct message *message)
{
    return is_as_long(listing, message->entry, message);
}

/* It came, and its header is known: it can be compared. What another program fetched is known by
 * its UIDL alone, until adopt_learn has asked for both. */
static bool is_comparable(const struct listing *listing, const struct message *message)
{
    struct record record = journal_record(listing->journal, message->entry);
    return match_was_received(listing, message->entry) && record_fingerprint(&record).known;
}

/* By UIDL alone, if it was not deleted before: a UIDL that comes back after its message is gone may
 * well be another message's. A size that is told for the first time is compared with nothing, and
 * would fit the next message of this UIDL as well. */
static bool is_known_by_uidl(const struct listing *listing, const struct message *message)
{
    bool untold = journal_size(listing->journal, message->entry) == 0 && message->size != 0 &&
                  is_comparable(listing, message);
    return is_size(listing, message) && !untold &&
           journal_entry(listing->journal, message->entry).state != JOURNAL_GONE;
}

/* A UIDL that stands twice in one listing identifies neither: here, if the journal has it. */
static void mark_known_twins(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].entry != JOURNAL_NONE)
            journal_list(listing->journal, listing->messages[i].entry);
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        if (message->entry != JOURNAL_NONE)
            message->vague = journal_entry(listing->journal, message->entry).listed > 1;
    }
}

/* The same for UIDLs that the journal does not have. */
static void mark_new_twins(struct listing *listing)
{
    struct digest_key key;
    uint32_t size = 64, count = 0;
    for (uint32_t i = 0; i < listing->count; i++)
        count += listing_is_new(&listing->messages[i]);
    while (size < 2 * count)
        size *= 2;
    uint32_t *slots = xcalloc(size, sizeof *slots);
    digest_make_key(&key);
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        if (!listing_is_new(message))
            continue;
        struct str uidl = listing_uidl(listing, message);
        uint32_t at = (uint32_t)digest_keyed(&key, uidl) & (size - 1);
        while (slots[at] != 0 &&
               !str_equal(listing_uidl(listing, &listing->messages[slots[at] - 1]), uidl))
            at = (at + 1) & (size - 1);
        if (slots[at] == 0)
            slots[at] = i + 1;
        else
            message->vague = listing->messages[slots[at] - 1].vague = true;
    }
    free(slots);
}

static void lose(struct message *message)
{
    message->entry = JOURNAL_NONE;
    message->compare = false;
}

/* Its entry is not this message after all: it is a new one. */
static void undo(struct listing *listing, struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return;
    journal_unlist(listing->journal, message->entry);
    lose(message);
}

/* What was found under the UIDL while the listing came in: is it this message? */
static void match_uidl(struct listing *listing, struct message *message, bool blank)
{
    if (find_own(listing, message) && (!blank || match_was_received(listing, message->entry))) {
        message->compare = !is_known_by_uidl(listing, message);
        return;
    }
    bool known = message->entry != JOURNAL_NONE;
    message->vague = message->vague || known || !listing_has_uidl(message);
    listing->any_vague = listing->any_vague || message->vague;
    undo(listing, message);
}

/* Where headers change, what identifies a message still tells. */
static enum fingerprints_verdict compare(const struct listing *listing,
                                         const struct fingerprint *known,
                                         const struct fingerprint *fingerprint)
{
    bool one = habits_has(listing->habits, HABIT_HEADERS) &&
               fingerprints_compare_identity(known, fingerprint) == FINGERPRINTS_SAME;
    return one ? FINGERPRINTS_SAME : fingerprints_compare(known, fingerprint);
}

enum fingerprints_verdict match_compare(struct listing *listing, const struct message *message,
                                        const struct fingerprint *fingerprint)
{
    struct record record = journal_record(listing->journal, message->entry);
    struct fingerprint known = record_fingerprint(&record);
    enum fingerprints_verdict verdict = compare(listing, &known, fingerprint);
    if (verdict == FINGERPRINTS_SAME && known.retrieved == fingerprint->retrieved &&
        !fingerprints_equal(&known, fingerprint))
        habits_count_header(listing->habits);
    return verdict;
}

/* See match_is_touched. */
static bool is_touched(const struct listing *listing, uint32_t id, const struct message *message,
                       const struct fingerprint *fingerprint)
{
    struct record record = journal_record(listing->journal, id);
    struct fingerprint known = record_fingerprint(&record);
    struct journal_entry entry = journal_entry(listing->journal, id);
    bool goes = entry.state == JOURNAL_GONE ||
                (entry.state == JOURNAL_DONE && entry.policy == JOURNAL_DELETE);
    bool untold = goes && habits_has(listing->habits, HABIT_SIZES);
    return (untold || !is_as_long(listing, id, message)) &&
           !habits_has(listing->habits, HABIT_HEADERS) && !fingerprints_equal(&known, fingerprint);
}

bool match_is_touched(const struct listing *listing, const struct message *message,
                      const struct fingerprint *fingerprint)
{
    return is_touched(listing, message->entry, message, fingerprint);
}

/* It has the UIDL of one that a rule left, or that is held, and may be another one. What is known
 * of its header from now on is compared next time. */
static void release(struct listing *listing, struct message *message)
{
    struct journal_subject subject = listing_subject(listing, message);
    journal_learn(listing->journal, message->entry, &subject);
    journal_retry(listing->journal, message->entry);
    message->compare = false;
}

void match_doubt(struct listing *listing, struct message *message)
{
    struct journal_entry entry = journal_entry(listing->journal, message->entry);
    struct record record = journal_record(listing->journal, message->entry);
    bool stub = entry.state == JOURNAL_DONE && entry.policy == JOURNAL_STUB &&
                record_fingerprint(&record).known;
    if (entry.state == JOURNAL_LEFT || entry.state == JOURNAL_HELD || stub)
        release(listing, message);
}

/* The message of this UIDL has shown its header. What cannot be told is known by its UIDL, if it
 * never came, or if nothing is known of its header. */
static void judge(struct listing *listing, struct message *message,
                  const struct fingerprint *fingerprint)
{
    struct record record = journal_record(listing->journal, message->entry);
    unsigned state = journal_entry(listing->journal, message->entry).state;
    bool delivered = state == JOURNAL_DONE || state == JOURNAL_GONE || record_is_here(state);
    struct fingerprint known = record_fingerprint(&record);
    bool certain = delivered && (state != JOURNAL_DONE || known.known);
    enum fingerprints_verdict verdict = match_compare(listing, message, fingerprint);
    listing->any_moved |= fingerprints_compare_identity(&known, fingerprint) == FINGERPRINTS_OTHER;
    if (verdict == FINGERPRINTS_OTHER && !delivered) {
        undo(listing, message);
        return;
    }
    if (verdict == FINGERPRINTS_OTHER || verdict == FINGERPRINTS_UNSURE)
        match_doubt(listing, message);
    bool same = verdict == FINGERPRINTS_SAME ||
                (verdict == FINGERPRINTS_ALIKE && state != JOURNAL_GONE) ||
                (verdict == FINGERPRINTS_UNSURE && !certain);
    if (!same || !message->compare)
        return;
    bool touched = delivered && verdict == FINGERPRINTS_SAME &&
                   match_is_touched(listing, message, fingerprint);
    if (fingerprint->known && !is_size(listing, message))
        habits_count_size(listing->habits);
    if (touched)
        return;
    message->compare = false;
    match_learn(listing, message);
}

static uint32_t slot_of(const struct fingerprint *fingerprint)
{
    uint32_t slot;
    memcpy(&slot, fingerprint->bytes, sizeof slot); /* a digest: as good as random */
    return slot;
}

/* Made once; entries that are added later belong to messages that have theirs already. */
static void index_fingerprints(struct listing *listing)
{
    const struct journal *journal = listing->journal;
    uint32_t count = journal_count(journal), size = 64;
    if (listing->by_fingerprint != NULL)
        return;
    while (size < 2 * count)
        size *= 2;
    listing->by_fingerprint = xcalloc(size, sizeof *listing->by_fingerprint);
    listing->by_fingerprint_count = size;
    for (uint32_t id = 0; id < count; id++) {
        struct record record = journal_record(journal, id);
        struct fingerprint fingerprint = {.known = false}; /* for gcc's -fanalyzer, which loses */
        fingerprint = record_fingerprint(&record);         /* what is returned through memory */
        if (journal_entry(journal, id).state == JOURNAL_FREE || !fingerprint.known)
            continue;
        uint32_t at = slot_of(&fingerprint) & (size - 1);
        while (listing->by_fingerprint[at] != 0)
            at = (at + 1) & (size - 1);
        listing->by_fingerprint[at] = id + 1;
    }
}

/* May this entry be this message? An entry of another UIDL only if UIDLs tell nothing here, or this
 * one tells something wrong; what was deleted under another UIDL does not make it pass over a
 * message. Without UIDLs it does, if there is a Message-ID and the size is the same: a server may
 * not delete what it says it has. */
static bool may_be(const struct listing *listing, uint32_t id, const struct message *message,
                   const struct fingerprint *fingerprint)
{
    struct journal_entry entry = journal_entry(listing->journal, id);
    char room[JOURNAL_UIDL_ROOM];
    if (entry.listed != 0)
        return false;
    struct record record = journal_record(listing->journal, id);
    bool as_long = is_as_long(listing, id, message);
    bool came = match_was_received(listing, id) && entry.state != JOURNAL_LEFT;
    if (!is_same(&record, came || !as_long, fingerprint))
        return false;
    if (!listing_has_uidl(message) || entry.blank) /* no UIDL on one side: the header decides */
        return entry.state != JOURNAL_GONE || (!listing_has_uidl(message) && entry.blank &&
                                               fingerprint->kind != HEADER_ANONYMOUS && as_long);
    if (str_equal(journal_uidl(listing->journal, id, room), listing_uidl(listing, message)))
        return true;
    return (listing->any_uidl || message->compare) && entry.state != JOURNAL_GONE &&
           fingerprint->kind == HEADER_DATED && (listing->any_size || as_long);
}

/* Of the entries of its own UIDL, one that is this message, though its header has changed since. */
static uint32_t find_by_identity(const struct listing *listing, const struct message *message,
                                 const struct fingerprint *fingerprint)
{
    struct journal *journal = listing->journal;
    uint32_t id = JOURNAL_NONE;
    if (message->vague && listing_has_uidl(message))
        id = journal_find(journal, listing_uidl(listing, message), 0);
    for (; id != JOURNAL_NONE; id = journal_next(journal, id)) {
        struct record record = journal_record(journal, id);
        struct fingerprint known = record_fingerprint(&record);
        if (journal_entry(journal, id).listed == 0 && is_as_long(listing, id, message) &&
            !is_touched(listing, id, message, fingerprint) &&
            compare(listing, &known, fingerprint) == FINGERPRINTS_SAME)
            break;
    }
    return id;
}

/* The i-th of several equal copies takes the i-th entry: n copies listed, n delivered. */
static uint32_t find_by_fingerprint(struct listing *listing, const struct message *message,
                                    const struct fingerprint *fingerprint)
{
    index_fingerprints(listing);
    uint32_t mask = listing->by_fingerprint_count - 1;
    for (uint32_t at = slot_of(fingerprint) & mask; listing->by_fingerprint[at] != 0;
         at = (at + 1) & mask)
        if (may_be(listing, listing->by_fingerprint[at] - 1, message, fingerprint))
            return listing->by_fingerprint[at] - 1;
    return find_by_identity(listing, message, fingerprint);
}

/* Its UIDL is known, but as that of others: what it is here had another one. */
static bool has_moved(const struct listing *listing, const struct message *message, uint32_t id)
{
    char room[JOURNAL_UIDL_ROOM];
    struct str uidl = listing_uidl(listing, message);
    return uidl.len > 0 && !journal_entry(listing->journal, id).blank &&
           !str_equal(journal_uidl(listing->journal, id, room), uidl) &&
           journal_find(listing->journal, uidl, 0) != JOURNAL_NONE;
}

static void match_fingerprint(struct listing *listing, struct message *message)
{
    uint32_t id = find_by_fingerprint(listing, message, listing_fingerprint(listing, message));
    if (id == JOURNAL_NONE)
        return;
    listing->any_moved = listing->any_moved || has_moved(listing, message, id);
    claim(listing, message, id);
    match_learn(listing, message);
}

static void take_fingerprint(void *ctx, uint32_t number, const struct fingerprint *fingerprint)
{
    struct listing *listing = ctx;
    struct message *message = listing_find(listing, number);
    if (message == NULL)
        return;
    if (fingerprint->known)
        listing_set_fingerprint(listing, message, fingerprint);
    if (message->compare)
        judge(listing, message, fingerprint);
    else if (fingerprint->known)
        match_fingerprint(listing, message);
}

/* Messages that had no UIDL when they came, and are not listed so far: one may have it now. */
static bool has_blank_entries(const struct journal *journal)
{
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        struct journal_entry entry = journal_entry(journal, id);
        if (entry.blank && entry.listed == 0 && entry.state != JOURNAL_FREE &&
            entry.state != JOURNAL_GONE)
            return true;
    }
    return false;
}

/* UIDLs may have moved from one message to the next, as numbers do. A message whose fingerprint
 * shows that it is another entry gets that entry; one that loses its entry to another message is
 * new. */
static void sort_moved(struct listing *listing)
{
    struct moved {
        uint32_t at, entry;
    } *moved = xcalloc(listing->count, sizeof *moved);
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        if (!message->compare || message->fingerprint == 0)
            continue;
        moved[count++] = (struct moved){.at = i, .entry = message->entry};
        journal_unlist(listing->journal, message->entry);
    }
    for (uint32_t i = 0; i < count; i++)
        match_fingerprint(listing, &listing->messages[moved[i].at]);
    for (uint32_t i = 0; i < count; i++) {
        struct message *message = &listing->messages[moved[i].at];
        if (message->entry != moved[i].entry)
            message->compare = false;
        else if (journal_entry(listing->journal, moved[i].entry).listed == 0)
            journal_list(listing->journal, moved[i].entry);
        else
            lose(message);
    }
    free(moved);
}

static int ask_top(struct listing *listing, struct pop3 *pop3, struct err *err)
{
    struct queue lacking = {NULL, 0, 0};
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        bool lacks = message->compare || (message->entry == JOURNAL_NONE && message->vague);
        if (lacks && message->fingerprint == 0)
            queue_push(&lacking, message->number);
    }
    const struct fingerprints asked = {.pop3 = pop3,
                                       .habits = listing->habits,
                                       .numbers = lacking.at,
                                       .count = lacking.count,
                                       .fingerprint = take_fingerprint,
                                       .ctx = listing};
    int result = fingerprints_run(&asked, err);
    sort_moved(listing);
    free(lacking.at);
    return result;
}

/* One UIDL is another message's now, as happens with numbers when a message is deleted. The next
 * one may be, too, and of that size: all have to show their headers. */
static int ask_all(struct listing *listing, struct pop3 *pop3, struct err *err)
{
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        if (message->entry != JOURNAL_NONE && message->fingerprint == 0 &&
            is_comparable(listing, message))
            message->compare = true;
    }
    return ask_top(listing, pop3, err);
}

/* Those whose fingerprint is there already are looked up again: by now it may count for more. */
static int ask_fingerprints(struct listing *listing, struct pop3 *pop3, bool blank, struct err *err)
{
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        message->vague = message->vague || listing->any_uidl || blank;
        if (message->entry == JOURNAL_NONE && message->vague && message->fingerprint != 0)
            match_fingerprint(listing, message);
    }
    return ask_top(listing, pop3, err);
}

static uint32_t count_unknown(const struct listing *listing)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count; i++)
        count += listing->messages[i].entry == JOURNAL_NONE;
    return count;
}

/* More than half of what should be there is not there under its UIDL, and there are messages that
 * are not known: the server changed its UIDLs (a migration, a rebuild). */
static bool is_reset(const struct listing *listing)
{
    uint32_t expected = 0, missing = 0, unknown = count_unknown(listing);
    for (uint32_t id = 0; id < journal_count(listing->journal); id++) {
        struct journal_entry entry = journal_entry(listing->journal, id);
        if (entry.state == JOURNAL_FREE || entry.state == JOURNAL_GONE)
            continue;
        expected++;
        missing += entry.listed == 0;
    }
    return unknown > 0 && 2 * missing > expected;
}

/* Was one of them there when the mailbox was last listed, and is not now? */
static bool has_vanished(const struct listing *listing)
{
    for (uint32_t id = 0; id < journal_count(listing->journal); id++)
        if (journal_has_vanished(listing->journal, id))
            return true;
    return false;
}

/* Another server may count, or add, other octets; then several messages show it. A single one may
 * be another copy, for another recipient or of another body. */
static void match_other_sizes(struct listing *listing, bool has_top)
{
    struct queue found = {NULL, 0, 0};
    listing->any_size = true;
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        uint32_t id = JOURNAL_NONE;
        if (message->entry == JOURNAL_NONE && message->fingerprint != 0)
            id = find_by_fingerprint(listing, message, listing_fingerprint(listing, message));
        if (id == JOURNAL_NONE)
            continue;
        journal_list(listing->journal, id);
        queue_push(&found, id);
    }
    for (uint32_t i = 0; i < found.count; i++)
        journal_unlist(listing->journal, found.at[i]);
    listing->any_size = found.count > 1 || !has_top;
    free(found.at);
    for (uint32_t i = 0; i < listing->count && listing->any_size; i++) {
        struct message *message = &listing->messages[i];
        if (message->entry == JOURNAL_NONE && message->fingerprint != 0)
            match_fingerprint(listing, message);
    }
}

/* UIDLs have changed: those of all messages (a migration, a rebuild), or of some (it goes on for
 * days, or the poll that met it was cut off; a UIDL has the state of its message in it). */
static int match_changed(struct listing *listing, struct pop3 *pop3, struct log *log, bool blank,
                         struct err *err)
{
    listing->any_uidl = count_unknown(listing) > 0 && has_vanished(listing);
    listing->most_uidls = is_reset(listing);
    if (!listing->any_uidl && !listing->most_uidls)
        return 0;
    if (listing->most_uidls)
        log_line(
            log, FP_LOG_NOTE,
            "most UIDLs have changed since the last run; messages are recognised by their headers");
    bool moved = listing->any_moved;
    listing->any_uidl = true;
    int result = ask_fingerprints(listing, pop3, blank, err);
    if (result == 0 && listing->any_moved && !moved)
        result = ask_all(listing, pop3, err);
    if (result == 0 && listing->any_moved && !moved)
        result = ask_fingerprints(listing, pop3, blank, err);
    if (listing->most_uidls)
        match_other_sizes(listing, headers_may_ask(pop3, listing->habits));
    return result;
}

int match_listing(struct listing *listing, struct pop3 *pop3, struct log *log, struct err *err)
{
    for (uint32_t id = 0; id < journal_count(listing->journal); id++)
        journal_unlist(listing->journal, id);
    mark_known_twins(listing);
    mark_new_twins(listing);
    bool blank = has_blank_entries(listing->journal);
    for (uint32_t i = 0; i < listing->count; i++)
        match_uidl(listing, &listing->messages[i], blank);
    int result = ask_fingerprints(listing, pop3, blank, err);
    if (result == 0 && listing->any_moved)
        result = ask_all(listing, pop3, err);
    if (result == 0)
        result = match_changed(listing, pop3, log, blank, err);
    journal_expect(listing->journal, count_unknown(listing));
    return result;
}

/* One that is not listed any more has this header: it may be that, under another UIDL. */
static bool is_like_one(struct listing *listing, const struct fingerprint *fingerprint)
{
    index_fingerprints(listing);
    uint32_t mask = listing->by_fingerprint_count - 1;
    for (uint32_t at = slot_of(fingerprint) & mask; listing->by_fingerprint[at] != 0;
         at = (at + 1) & mask) {
        uint32_t id = listing->by_fingerprint[at] - 1;
        struct record record = journal_record(listing->journal, id);
        struct fingerprint known = record_fingerprint(&record);
        if (journal_entry(listing->journal, id).listed == 0 &&
            fingerprints_equal(&known, fingerprint))
            return true;
    }
    return false;
}

/* Is it this entry's message by UIDL and size alone, so far? */
static bool is_unproven(const struct message *message)
{
    return message->compare || (message->entry != JOURNAL_NONE && message->fingerprint == 0 &&
                                message->action == PLAN_LEAVE);
}

/* Where UIDLs are given to other messages, what was fetched has an entry before what only has its
 * UIDL: that one is fetched, by this run or the next. */
static uint32_t find_fetched(struct listing *listing, const struct message *message,
                             const struct fingerprint *fingerprint)
{
    uint32_t count = listing->any_moved ? listing->count : 0;
    for (uint32_t i = 0; i < count; i++)
        if (is_unproven(&listing->messages[i]))
            journal_unlist(listing->journal, listing->messages[i].entry);
    uint32_t id = find_by_fingerprint(listing, message, fingerprint);
    for (uint32_t i = 0; i < count; i++) {
        struct message *other = &listing->messages[i];
        if (!is_unproven(other))
            continue;
        if (other->entry != id) {
            journal_list(listing->journal, other->entry);
            continue;
        }
        other->vague = true;
        lose(other);
    }
    return id;
}

/* They prove nothing any more: the next run compares more than that. */
static void forget_sizes(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        if (!is_unproven(message) || message->compare ||
            !match_was_received(listing, message->entry))
            continue;
        struct journal_subject subject = listing_subject(listing, message);
        subject.size = 0;
        journal_learn(listing->journal, message->entry, &subject);
    }
}

uint32_t match_moved(struct listing *listing, struct message *message,
                     const struct fingerprint *fingerprint)
{
    undo(listing, message);
    if (!listing->any_moved)
        forget_sizes(listing);
    message->vague = listing->any_moved = listing->any_uidl = true;
    return match_fetched(listing, message, fingerprint);
}

uint32_t match_fetched(struct listing *listing, struct message *message,
                       const struct fingerprint *fingerprint)
{
    uint32_t id = JOURNAL_NONE;
    listing_set_fingerprint(listing, message, fingerprint);
    if (message->vague)
        id = find_fetched(listing, message, fingerprint);
    if (id != JOURNAL_NONE && message->entry != JOURNAL_NONE && !match_was_received(listing, id))
        id = JOURNAL_NONE; /* what failed under its own UIDL stays that */
    if (id != JOURNAL_NONE) {
        if (message->entry != JOURNAL_NONE)
            journal_unlist(listing->journal, message->entry);
        claim(listing, message, id);
        match_learn(listing, message);
    } else {
        listing->alike += listing->most_uidls && is_like_one(listing, fingerprint);
    }
    return id;
}
