/*
 * The second half of listing: looking each message up in the journal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "session/listing.h"
#include "session/top.h"

static bool same_fingerprint(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->known && b->known && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* The same header and the same size; or another size, which some servers tell differently each
 * time, and a Message-ID in that header, which nobody uses twice. */
static bool is_same(const struct record *record, const struct fingerprint *fingerprint,
                    uint64_t size)
{
    struct fingerprint known = record_fingerprint(record);
    return same_fingerprint(&known, fingerprint) &&
           (record->size == size || fingerprint->has_message_id);
}

static void claim(struct listing *listing, struct message *message, uint32_t id)
{
    message->entry = id;
    journal_list(listing->journal, id);
}

/* By UIDL alone: exactly one entry has it, with this size, and it was not deleted before (a UIDL
 * that comes back after its message is gone may well be another message's). */
static bool is_told_by_uidl(const struct listing *listing, const struct message *message)
{
    const struct journal *journal = listing->journal;
    if (journal_next(journal, message->entry) != JOURNAL_NONE)
        return false;
    bool size_fits = !listing->has_list || journal_size(journal, message->entry) == message->size;
    return size_fits && journal_entry(journal, message->entry).state != JOURNAL_GONE;
}

/* A UIDL that stands twice in one listing tells neither message: those of the journal ... */
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

/* ... and those that it does not have. */
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

/* What was found under the UIDL while the listing came in: is it this message? */
static void match_uidl(struct listing *listing, struct message *message)
{
    bool known = message->entry != JOURNAL_NONE;
    message->vague = message->vague || !listing_has_uidl(message) ||
                     (known && !is_told_by_uidl(listing, message));
    if (known && message->vague) {
        journal_unlist(listing->journal, message->entry);
        message->entry = JOURNAL_NONE;
    }
}

static uint32_t slot_of(const struct fingerprint *fingerprint)
{
    uint32_t slot;
    memcpy(&slot, fingerprint->bytes, sizeof slot); /* a digest: as good as random */
    return slot;
}

/* Made once; entries that are added later belong to messages that have theirs already. */
static void index_fingerprints(struct listing *listing, const struct journal *journal)
{
    uint32_t count = journal_count(journal), size = 64;
    if (listing->by_fingerprint != NULL)
        return;
    while (size < 2 * count)
        size *= 2;
    listing->by_fingerprint = xcalloc(size, sizeof *listing->by_fingerprint);
    listing->by_fingerprint_count = size;
    for (uint32_t id = 0; id < count; id++) {
        struct record record = journal_record(journal, id);
        struct fingerprint fingerprint = record_fingerprint(&record);
        if (journal_entry(journal, id).state == JOURNAL_FREE || !fingerprint.known)
            continue;
        uint32_t at = slot_of(&fingerprint) & (size - 1);
        while (listing->by_fingerprint[at] != 0)
            at = (at + 1) & (size - 1);
        listing->by_fingerprint[at] = id + 1;
    }
}

/* May this entry be this message? An entry of another UIDL only if UIDLs tell nothing here; what
 * was deleted under another UIDL is no reason to pass over a message. */
static bool may_be(const struct listing *listing, uint32_t id, const struct message *message,
                   const struct fingerprint *fingerprint)
{
    struct journal_entry entry = journal_entry(listing->journal, id);
    char room[JOURNAL_UIDL_ROOM];
    if (entry.listed != 0)
        return false;
    struct record record = journal_record(listing->journal, id);
    if (!is_same(&record, fingerprint, message->size))
        return false;
    if (!listing_has_uidl(message) || entry.blank) /* no UIDL on one side: the header decides */
        return entry.state != JOURNAL_GONE || (!listing_has_uidl(message) && entry.blank);
    if (str_equal(journal_uidl(listing->journal, id, room), listing_uidl(listing, message)))
        return true;
    return listing->any_uidl && entry.state != JOURNAL_GONE;
}

/* The i-th of several equal copies takes the i-th entry: n copies listed, n delivered. */
static uint32_t find_by_fingerprint(struct listing *listing, const struct message *message,
                                    const struct fingerprint *fingerprint)
{
    index_fingerprints(listing, listing->journal);
    uint32_t mask = listing->by_fingerprint_count - 1;
    for (uint32_t at = slot_of(fingerprint) & mask; listing->by_fingerprint[at] != 0;
         at = (at + 1) & mask)
        if (may_be(listing, listing->by_fingerprint[at] - 1, message, fingerprint))
            return listing->by_fingerprint[at] - 1;
    return JOURNAL_NONE;
}

static void match_fingerprint(struct listing *listing, struct message *message)
{
    char room[JOURNAL_UIDL_ROOM];
    uint32_t id = find_by_fingerprint(listing, message, listing_fingerprint(listing, message));
    if (id == JOURNAL_NONE)
        return;
    claim(listing, message, id);
    struct journal_subject subject = listing_subject(listing, message);
    if (journal_size(listing->journal, id) != subject.size ||
        !str_equal(journal_uidl(listing->journal, id, room), subject.uidl))
        journal_learn(listing->journal, id, &subject);
}

static void take_fingerprint(void *ctx, uint32_t number, const struct fingerprint *fingerprint)
{
    struct listing *listing = ctx;
    struct message *message = listing_find(listing, number);
    if (message == NULL || !fingerprint->known)
        return;
    listing_set_fingerprint(listing, message, fingerprint);
    match_fingerprint(listing, message);
}

/* Messages that had no UIDL when they came, and are not listed so far: one may be told now. */
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

static bool lacks_fingerprint(const struct message *message)
{
    return message->entry == JOURNAL_NONE && message->vague && message->fingerprint == 0;
}

static int ask_top(struct listing *listing, struct pop3 *pop3, struct err *err)
{
    struct top top = {.pop3 = pop3, .fingerprint = take_fingerprint, .ctx = listing};
    size_t count = 0;
    for (uint32_t i = 0; i < listing->count; i++)
        count += lacks_fingerprint(&listing->messages[i]);
    if (count == 0 || !top_is_possible(pop3))
        return 0;
    uint32_t *numbers = xcalloc(count, sizeof *numbers);
    for (uint32_t i = 0; i < listing->count; i++)
        if (lacks_fingerprint(&listing->messages[i]))
            numbers[top.count++] = listing->messages[i].number;
    top.numbers = numbers;
    int result = top_run(&top, err);
    free(numbers);
    return result;
}

/* Those whose fingerprint is there already are looked up again: by now it may count for more. */
static int ask_fingerprints(struct listing *listing, struct pop3 *pop3, struct err *err)
{
    bool blank = has_blank_entries(listing->journal);
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
 * nobody knows: the server changed its UIDLs (a migration, a rebuild). */
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

int listing_match(struct listing *listing, struct pop3 *pop3, struct log *log, struct err *err)
{
    for (uint32_t id = 0; id < journal_count(listing->journal); id++)
        journal_unlist(listing->journal, id);
    mark_known_twins(listing);
    mark_new_twins(listing);
    for (uint32_t i = 0; i < listing->count; i++)
        match_uidl(listing, &listing->messages[i]);
    int result = ask_fingerprints(listing, pop3, err);
    if (result == 0 && is_reset(listing)) {
        log_line(log, FP_LOG_NOTE,
                 "most UIDLs have changed since the last run; messages are told by their headers");
        listing->any_uidl = true;
        result = ask_fingerprints(listing, pop3, err);
    }
    journal_expect(listing->journal, count_unknown(listing));
    return result;
}

uint32_t listing_recognise(struct listing *listing, struct message *message,
                           const struct fingerprint *fingerprint)
{
    uint32_t id = JOURNAL_NONE;
    listing_set_fingerprint(listing, message, fingerprint);
    if (message->vague)
        id = find_by_fingerprint(listing, message, fingerprint);
    if (id != JOURNAL_NONE)
        claim(listing, message, id);
    return id;
}
