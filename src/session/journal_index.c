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

_Static_assert(JOURNAL_ID_MAX + 1 <= ID_MASK, "a slot has room for every entry");

struct place {
    uint32_t slot; /* where it is, or may be put */
    uint32_t tag;
};

/* The slot of a UIDL, escaped. Entries of one UIDL hang on one slot as a list, so that a server
 * whose UIDLs are all equal, or empty, costs no more. */
static struct place find(const struct journal *journal, struct str uidl)
{
    uint64_t hash = digest_keyed(&journal->key, uidl);
    uint32_t mask = journal->slot_count - 1, at = (uint32_t)hash & mask;
    uint32_t tag = (uint32_t)(hash >> (32 + ID_BITS)) << ID_BITS, freed = UINT32_MAX, slot;
    for (; (slot = journal->slots[at]) != 0; at = (at + 1) & mask) {
        if ((slot & ID_MASK) == 0)
            freed = freed == UINT32_MAX ? at : freed;
        else if ((slot & ~ID_MASK) == tag && store_is_named(journal, (slot & ID_MASK) - 1, uidl))
            return (struct place){.slot = at, .tag = tag};
    }
    return (struct place){.slot = freed == UINT32_MAX ? at : freed, .tag = tag};
}

static void put(struct journal *journal, uint32_t id)
{
    struct place place = find(journal, store_uidl(journal, id));
    uint32_t *slot = &journal->slots[place.slot];
    journal->slots_used += *slot == 0;
    journal->entries[id].same = *slot & ID_MASK;
    *slot = place.tag | (id + 1);
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
    for (uint32_t id = 0; id < journal->count; id++)
        put(journal, id);
}

/* A quarter of the slots was never used, so that every search comes to an end, and soon. */
void index_add(struct journal *journal, uint32_t id)
{
    if (journal->slot_count / 4 * 3 <= journal->slots_used + 1)
        index_make(journal, 0);
    else
        put(journal, id);
}

void index_remove(struct journal *journal, uint32_t id)
{
    struct journal_entry *entries = journal->entries;
    uint32_t *slot = &journal->slots[find(journal, store_uidl(journal, id)).slot];
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

uint32_t journal_find(const struct journal *journal, struct str uidl, uint32_t *name)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    bool plain = str_is_plain(uidl);
    *name = 0;
    if (journal->slot_count == 0 || uidl.len > UIDL_MAX)
        return JOURNAL_NONE;
    if (!plain)
        uidl = str_of(escaped, str_escape(uidl, escaped, sizeof escaped));
    uint32_t id = first_known(journal, journal->slots[find(journal, uidl).slot] & ID_MASK);
    if (plain && id != JOURNAL_NONE) /* as it is written, so it can be read there */
        *name = store_name(journal, id);
    return id;
}

uint32_t journal_next(const struct journal *journal, uint32_t id)
{
    return first_known(journal, journal->entries[id].same);
}
