/*
 * The journal's index: from a UIDL to the entries that have it.
 *
 * Open addressing. A slot has the number of an entry and a few bits of its hash, so that the text
 * of a UIDL is looked at almost only where it is the right one. The hash has a key, since a server
 * chooses its UIDLs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "session/journal_store.h"

#define ID_BITS 25 /* 1 + the entry; 0 with a tag: there was one, and searches go on behind it */
#define ID_MASK ((1u << ID_BITS) - 1)
#define FREED (1u << ID_BITS)

#ifdef __GNUC__
#define FETCH_AHEAD(address) __builtin_prefetch(address)
#else
#define FETCH_AHEAD(address) (void)(address)
#endif

_Static_assert(JOURNAL_ID_MAX + 1 <= ID_MASK, "a slot has room for every entry");

#define AHEAD 32 /* so many slots are on their way from memory at once */

struct place {
    uint32_t slot; /* where it is, or may be put */
    uint32_t tag;
};

static uint64_t hash_of(const struct journal *journal, struct str uidl)
{
    return digest_keyed(&journal->key, uidl);
}

/* The slot of a UIDL, escaped. Entries of one UIDL hang on one slot as a list, so that a server
 * whose UIDLs are all equal, or empty, costs no more. */
static struct place find(const struct journal *journal, struct str uidl, uint64_t hash)
{
    uint32_t mask = journal->slot_count - 1, at = (uint32_t)hash & mask;
    uint32_t tag = (uint32_t)(hash >> (32 + ID_BITS)) << ID_BITS, freed = UINT32_MAX, slot;
    for (; (slot = journal->slots[at]) != 0; at = (at + 1) & mask)
        if ((slot & ID_MASK) == 0)
            freed = freed == UINT32_MAX ? at : freed;
        else if ((slot & ~ID_MASK) == tag && store_is_named(journal, (slot & ID_MASK) - 1, uidl))
            return (struct place){.slot = at, .tag = tag};
    return (struct place){.slot = freed == UINT32_MAX ? at : freed, .tag = tag};
}

/* Of a copy: each UIDL that is read again to be compared takes the place of the one before. */
static struct place find_entry(const struct journal *journal, uint32_t id, uint64_t hash)
{
    char copy[STR_ESCAPED_MAX(UIDL_MAX)];
    struct str uidl = store_uidl(journal, id);
    memcpy(copy, uidl.ptr, uidl.len);
    return find(journal, str_of(copy, uidl.len), hash);
}

static void put(struct journal *journal, uint32_t id, uint64_t hash)
{
    struct place place = find_entry(journal, id, hash);
    uint32_t *slot = &journal->slots[place.slot], same = *slot & ID_MASK;
    journal->slots_used += *slot == 0;
    journal->entries[id].same = same;
    journal->entries[id].shared = same != 0;
    if (same != 0)
        journal->entries[same - 1].shared = true;
    *slot = place.tag | (id + 1);
}

/* One after the other, each of a million would wait for its slot to come from memory. */
static void put_all(struct journal *journal)
{
    uint64_t hashes[AHEAD];
    for (uint32_t from = 0, n; from < journal->count; from += n) {
        n = journal->count - from < AHEAD ? journal->count - from : AHEAD;
        for (uint32_t i = 0; i < n; i++) {
            hashes[i] = hash_of(journal, store_uidl(journal, from + i));
            FETCH_AHEAD(&journal->slots[(uint32_t)hashes[i] & (journal->slot_count - 1)]);
        }
        for (uint32_t i = 0; i < n; i++)
            put(journal, from + i, hashes[i]);
    }
}

void index_make(struct journal *journal, uint32_t more)
{
    uint32_t count = 256;
    while (count < 2 * (journal->count + more))
        count *= 2;
    if (count == journal->slot_count && more > 0)
        return;
    free(journal->slots);
    journal->slots = xcalloc(count, sizeof *journal->slots);
    journal->slot_count = count;
    journal->slots_used = 0;
    put_all(journal);
}

/* A quarter of the slots was never used, so that every search comes to an end, and soon. */
void index_add(struct journal *journal, uint32_t id)
{
    if (journal->slot_count / 4 * 3 <= journal->slots_used + 1)
        index_make(journal, 0);
    else
        put(journal, id, hash_of(journal, store_uidl(journal, id)));
}

void index_remove(struct journal *journal, uint32_t id)
{
    struct journal_entry *entries = journal->entries;
    uint64_t hash = hash_of(journal, store_uidl(journal, id));
    uint32_t *slot = &journal->slots[find_entry(journal, id, hash).slot];
    uint32_t first = *slot & ID_MASK;
    if (first != id + 1) {
        while (entries[first - 1].same != id + 1)
            first = entries[first - 1].same;
        entries[first - 1].same = entries[id].same;
    } else {
        *slot = entries[id].same == 0 ? FREED : (*slot & ~ID_MASK) | entries[id].same;
    }
}

void journal_expect(struct journal *journal, uint32_t more)
{
    if (more == 0)
        return;
    store_reserve(journal, journal->count + more);
    index_make(journal, more);
}

static uint32_t first_known(const struct journal *journal, uint32_t link)
{
    while (link != 0 && journal->entries[link - 1].state == JOURNAL_FREE)
        link = journal->entries[link - 1].same;
    return link == 0 ? JOURNAL_NONE : link - 1;
}

/* It has this UIDL, and no other entry has. */
static bool is_alone(const struct journal *journal, uint32_t id, struct str uidl)
{
    return id < journal->count && journal->entries[id].state != JOURNAL_FREE &&
           !journal->entries[id].shared && store_is_named(journal, id, uidl);
}

uint32_t journal_find(const struct journal *journal, struct str uidl, uint32_t guess,
                      uint32_t *name)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    bool plain = str_is_plain(uidl);
    *name = 0;
    if (journal->slot_count == 0 || uidl.len > UIDL_MAX)
        return JOURNAL_NONE;
    if (!plain)
        uidl = str_of(escaped, str_escape(uidl, escaped, sizeof escaped));
    uint32_t id = guess;
    if (!is_alone(journal, guess, uidl)) {
        uint32_t slot = find(journal, uidl, hash_of(journal, uidl)).slot;
        id = first_known(journal, journal->slots[slot] & ID_MASK);
    }
    if (plain && id != JOURNAL_NONE) /* as it is written, so it can be read there */
        *name = store_name(journal, id);
    return id;
}

uint32_t journal_next(const struct journal *journal, uint32_t id)
{
    return first_known(journal, journal->entries[id].same);
}
