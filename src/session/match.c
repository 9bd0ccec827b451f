/*
 * The second half of listing: looking each message up in the journal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "session/listing.h"
#include "session/top.h"

struct matching {
    struct listing *listing;
    struct journal *journal;
};

static bool same_print(const struct journal_print *a, const struct journal_print *b)
{
    return a->known && b->known && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* The same header and the same size; or another size, which some servers tell differently each
 * time, and a Message-ID in that header, which nobody uses twice. */
static bool is_same(const struct journal_entry *entry, const struct journal_print *print,
                    uint64_t size)
{
    return same_print(&entry->print, print) && (entry->size == size || print->has_message_id);
}

static void claim(struct matching *matching, struct message *message, uint32_t id)
{
    message->entry = id;
    journal_list(matching->journal, id, message->number);
}

/* By UIDL alone: exactly one entry has it, with this size, and it was not deleted before (a UIDL
 * that comes back after its message is gone may well be another message's). */
static void match_uidl(struct matching *matching, struct message *message)
{
    struct str uidl = listing_uidl(matching->listing, message);
    uint32_t found = JOURNAL_NONE;
    if (message->vague || uidl.len == 0) {
        message->vague = true;
        return;
    }
    for (uint32_t id = journal_next(matching->journal, uidl, JOURNAL_NONE); id != JOURNAL_NONE;
         id = journal_next(matching->journal, uidl, id)) {
        if (found != JOURNAL_NONE) {
            message->vague = true;
            return;
        }
        found = id;
    }
    if (found == JOURNAL_NONE)
        return;
    const struct journal_entry *entry = journal_entry(matching->journal, found);
    bool size_fits = entry->size == message->size || !matching->listing->has_list;
    if (size_fits && entry->state != JOURNAL_GONE)
        claim(matching, message, found);
    else
        message->vague = true;
}

/* A UIDL that stands twice in one listing tells neither message. */
static void mark_twins(struct listing *listing)
{
    uint32_t size = 64;
    while (size < 2 * listing->count)
        size *= 2;
    uint32_t *slots = xcalloc(size, sizeof *slots);
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        struct str uidl = listing_uidl(listing, message);
        uint32_t at = (uint32_t)(str_hash(uidl) & (size - 1));
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

static uint32_t slot_of(const struct journal_print *print)
{
    uint32_t slot;
    memcpy(&slot, print->bytes, sizeof slot); /* a digest: as good as random */
    return slot;
}

/* Made once; entries that are added later belong to messages that have theirs already. */
static void index_prints(struct listing *listing, const struct journal *journal)
{
    uint32_t count = journal_count(journal), size = 64;
    if (listing->by_print != NULL)
        return;
    while (size < 2 * count)
        size *= 2;
    listing->by_print = xcalloc(size, sizeof *listing->by_print);
    listing->by_print_count = size;
    for (uint32_t id = 0; id < count; id++) {
        const struct journal_entry *entry = journal_entry(journal, id);
        if (entry->state == JOURNAL_FREE || !entry->print.known)
            continue;
        uint32_t at = slot_of(&entry->print) & (size - 1);
        while (listing->by_print[at] != 0)
            at = (at + 1) & (size - 1);
        listing->by_print[at] = id + 1;
    }
}

/* May this entry be this message? An entry of another UIDL only if UIDLs tell nothing here; what
 * was deleted under another UIDL is no reason to pass over a message. */
static bool may_be(const struct matching *matching, uint32_t id, const struct message *message,
                   const struct journal_print *print)
{
    const struct journal_entry *entry = journal_entry(matching->journal, id);
    struct str uidl = listing_uidl(matching->listing, message);
    if (entry->listed != 0 || !is_same(entry, print, message->size))
        return false;
    struct str known = journal_uidl(matching->journal, id);
    if (uidl.len == 0 || known.len == 0) /* one side tells no UIDL: the header decides */
        return entry->state != JOURNAL_GONE || uidl.len == known.len;
    if (str_equal(known, uidl))
        return true;
    return matching->listing->any_uidl && entry->state != JOURNAL_GONE;
}

/* The i-th of several equal copies takes the i-th entry: n copies listed, n delivered. */
static uint32_t find_by_print(struct matching *matching, const struct message *message,
                              const struct journal_print *print)
{
    struct listing *listing = matching->listing;
    index_prints(listing, matching->journal);
    uint32_t mask = listing->by_print_count - 1;
    for (uint32_t at = slot_of(print) & mask; listing->by_print[at] != 0; at = (at + 1) & mask)
        if (may_be(matching, listing->by_print[at] - 1, message, print))
            return listing->by_print[at] - 1;
    return JOURNAL_NONE;
}

static void match_print(struct matching *matching, struct message *message)
{
    const struct journal_print *print = listing_print(matching->listing, message);
    uint32_t id = find_by_print(matching, message, print);
    if (id == JOURNAL_NONE)
        return;
    claim(matching, message, id);
    struct journal_subject subject = listing_subject(matching->listing, message);
    const struct journal_entry *entry = journal_entry(matching->journal, id);
    if (entry->size != subject.size ||
        !str_equal(journal_uidl(matching->journal, id), subject.uidl))
        journal_learn(matching->journal, id, &subject);
}

static void take_print(void *ctx, uint32_t number, const struct journal_print *print)
{
    struct matching *matching = ctx;
    struct message *message = listing_find(matching->listing, number);
    if (message == NULL || !print->known)
        return;
    listing_set_print(matching->listing, message, print);
    match_print(matching, message);
}

/* Messages that had no UIDL when they came, and are not listed so far: one may be told now. */
static bool has_blank_entries(const struct journal *journal)
{
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        const struct journal_entry *entry = journal_entry(journal, id);
        if (entry->uidl_len == 0 && entry->listed == 0 && entry->state != JOURNAL_FREE &&
            entry->state != JOURNAL_GONE)
            return true;
    }
    return false;
}

/* Those whose print is there already are only looked up again: by now it may count for more. */
static int ask_prints(struct matching *matching, struct pop3 *pop3, struct err *err)
{
    struct listing *listing = matching->listing;
    bool blank = has_blank_entries(matching->journal);
    uint32_t *numbers = xcalloc(listing->count + 1, sizeof *numbers);
    struct top top = {.pop3 = pop3, .numbers = numbers, .print = take_print, .ctx = matching};
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        message->vague = message->vague || listing->any_uidl || blank;
        if (message->entry != JOURNAL_NONE || !message->vague)
            continue;
        if (message->print != 0)
            match_print(matching, message);
        else
            numbers[top.count++] = message->number;
    }
    int result = top_is_possible(pop3) ? top_run(&top, err) : 0;
    free(numbers);
    return result;
}

/* More than half of what should be there is not there under its UIDL, and there are messages that
 * nobody knows: the server changed its UIDLs (a migration, a rebuild). */
static bool is_reset(const struct matching *matching)
{
    uint32_t expected = 0, missing = 0, unknown = 0;
    for (uint32_t id = 0; id < journal_count(matching->journal); id++) {
        const struct journal_entry *entry = journal_entry(matching->journal, id);
        if (entry->state == JOURNAL_FREE || entry->state == JOURNAL_GONE)
            continue;
        expected++;
        missing += entry->listed == 0;
    }
    for (uint32_t i = 0; i < matching->listing->count; i++)
        unknown += matching->listing->messages[i].entry == JOURNAL_NONE;
    return unknown > 0 && 2 * missing > expected;
}

int listing_match(struct listing *listing, struct pop3 *pop3, struct journal *journal,
                  struct log *log, struct err *err)
{
    struct matching matching = {.listing = listing, .journal = journal};
    for (uint32_t id = 0; id < journal_count(journal); id++)
        journal_list(journal, id, 0);
    mark_twins(listing);
    for (uint32_t i = 0; i < listing->count; i++)
        match_uidl(&matching, &listing->messages[i]);
    int result = ask_prints(&matching, pop3, err);
    if (result == 0 && is_reset(&matching)) {
        log_line(log, FP_LOG_NOTE,
                 "most UIDLs have changed since the last run; messages are told by their headers");
        listing->any_uidl = true;
        result = ask_prints(&matching, pop3, err);
    }
    return result;
}

uint32_t listing_recognise(struct listing *listing, struct journal *journal,
                           struct message *message, const struct journal_print *print)
{
    struct matching matching = {.listing = listing, .journal = journal};
    uint32_t id = JOURNAL_NONE;
    listing_set_print(listing, message, print);
    if (message->vague)
        id = find_by_print(&matching, message, print);
    if (id != JOURNAL_NONE)
        claim(&matching, message, id);
    return id;
}
