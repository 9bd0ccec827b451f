/* SPDX-License-Identifier: ISC */
#include "state/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/words.h"
#include "base/xalloc.h"

#define OWN 0x80000000u       /* at: the rest of it is the number of an own line; else an offset */
#define SIZE_LARGE UINT32_MAX /* or more: the line knows */
#define UIDL_ESCAPED ((size_t)3 * RECORD_UIDL_MAX)

/* Slots of the index: open addressing. Each has the number of an entry and a few bits of its hash,
 * so that the text of a UIDL is looked at almost only where it is the right one. */
#define ID_BITS 25 /* 1 + the entry; 0 with a tag: there was one, and searches go on behind it */
#define ID_MASK ((1u << ID_BITS) - 1)
#define FREED (1u << ID_BITS)
#define AHEAD 32 /* how many slots are fetched from memory at once */

#ifdef __GNUC__
#define FETCH_AHEAD(address) __builtin_prefetch(address)
#else
#define FETCH_AHEAD(address) (void)(address)
#endif

_Static_assert(RECORD_ID_MAX < ID_MASK, "a slot has room for every entry");
/* NOLINTNEXTLINE(misc-redundant-expression): that both are the same number is today's choice */
_Static_assert(RECORD_LINE_MAX <= LINES_MAX, "a line can be gathered");

struct row {
    struct journal_entry entry;
    uint32_t at;        /* its UIDL, in its line; 0: it has none */
    uint32_t size;      /* see table_size */
    uint32_t same : 31; /* 1 + the next entry of the same UIDL */
    bool shared : 1;    /* another entry has, or had, the same UIDL */
};

_Static_assert(sizeof(struct row) == 20, "what each of a million messages costs");

/* A line that is not in the journal, without its end. */
struct own {
    char *text;
    uint32_t len, uidl; /* uidl: an offset in it */
    uint32_t next;      /* of the unused ones: 1 + the next */
};

struct table {
    struct lines *lines;
    struct row *rows;
    uint32_t count, cap;
    struct own *own;
    uint32_t own_count, own_cap, own_unused;
    uint32_t *slots;
    uint32_t slot_count, slots_used; /* used: are, or were */
    struct digest_key key;           /* of the hash, since a server chooses its UIDLs */
};

struct table *table_new(struct lines *lines)
{
    struct table *table = xcalloc(1, sizeof *table);
    table->lines = lines;
    digest_make_key(&table->key);
    return table;
}

void table_free(struct table *table)
{
    for (uint32_t i = 0; i < table->own_count; i++)
        free(table->own[i].text);
    free(table->own);
    free(table->rows);
    free(table->slots);
    free(table);
}

uint32_t table_count(const struct table *table)
{
    return table->count;
}

static void reserve(struct table *table, uint32_t count)
{
    if (table->cap >= count)
        return;
    table->cap = count;
    table->rows = xreallocarray(table->rows, count, sizeof *table->rows);
}

struct journal_entry *table_entry(const struct table *table, uint32_t id)
{
    return &table->rows[id].entry;
}

struct journal_entry *table_make(struct table *table, uint32_t id)
{
    if (table->cap <= id)
        reserve(table, id + id / 2 + 64);
    while (table->count <= id)
        table->rows[table->count++] = (struct row){.entry = {.blank = true}};
    return &table->rows[id].entry;
}

/* The reason is not in the line of a `take`, and what is held without one that has passed would be
 * held for good. */
static enum journal_state state_before(enum journal_state state)
{
    bool owed = state == JOURNAL_HELD || state == JOURNAL_DONE || state == JOURNAL_GONE;
    return owed ? JOURNAL_FAILED : state;
}

void table_take(struct table *table, uint32_t id, enum journal_policy policy)
{
    struct journal_entry *entry = &table->rows[id].entry;
    if (entry->state != JOURNAL_TAKEN)
        entry->before = state_before(entry->state);
    entry->state = JOURNAL_TAKEN;
    entry->due = 0;
    entry->policy = policy;
}

/* ---- lines ---- */

static bool is_own(const struct row *row)
{
    return (row->at & OWN) != 0;
}

static struct own *own_of(const struct table *table, const struct row *row)
{
    return &table->own[row->at & ~OWN];
}

static uint32_t new_own(struct table *table)
{
    uint32_t unused = table->own_unused;
    if (unused != 0) {
        table->own_unused = table->own[unused - 1].next;
        return unused - 1;
    }
    if (table->own_count == table->own_cap) {
        table->own_cap = table->own_cap == 0 ? 64 : 2 * table->own_cap;
        table->own = xreallocarray(table->own, table->own_cap, sizeof *table->own);
    }
    return table->own_count++;
}

static void drop_own(struct table *table, struct row *row)
{
    if (!is_own(row))
        return;
    struct own *own = own_of(table, row);
    free(own->text);
    *own = (struct own){.next = table->own_unused};
    table->own_unused = (uint32_t)(own - table->own) + 1;
    row->at = 0;
}

/* The line of a record in memory of its own. */
static struct own make_own(const struct record *record)
{
    struct buf line;
    buf_init(&line, RECORD_LINE_MAX);
    size_t uidl = record_write(record, &line);
    struct own own = {.text = xmemdup0(line.data, line.len - 1),
                      .len = (uint32_t)line.len - 1,
                      .uidl = (uint32_t)uidl};
    buf_free(&line);
    return own;
}

static void set_own(struct table *table, struct row *row, struct own own)
{
    drop_own(table, row);
    uint32_t at = new_own(table);
    table->own[at] = own;
    row->at = OWN | at;
}

static void set_facts(struct row *row, const struct record *record)
{
    row->size = record->size < SIZE_LARGE ? (uint32_t)record->size : SIZE_LARGE;
    row->entry.blank = record->uidl.len == 0 || str_is(record->uidl, WORDS_EMPTY);
}

void table_refer(struct table *table, uint32_t id, const struct record *record, uint64_t at)
{
    table_make(table, id);
    struct row *row = &table->rows[id];
    set_facts(row, record);
    if (at >= OWN) { /* beyond what an entry can point to */
        set_own(table, row, make_own(record));
        return;
    }
    drop_own(table, row);
    row->at = (uint32_t)at;
}

/* Its UIDL as it is written, escaped: a view until the next look at a line. */
static struct str written(const struct table *table, uint32_t id)
{
    const struct row *row = &table->rows[id];
    if (row->entry.blank)
        return str_from(WORDS_EMPTY);
    if (!is_own(row))
        return lines_word(table->lines, row->at, UIDL_ESCAPED);
    const char *uidl = own_of(table, row)->text + own_of(table, row)->uidl;
    return str_of(uidl, strcspn(uidl, " "));
}

static bool is_in_text(const struct row *row, struct str text)
{
    return !is_own(row) && !row->entry.blank && row->at < text.len;
}

/* Are these the bytes there, and no more? */
static bool stands_at(struct str text, uint32_t at, struct str uidl)
{
    if (text.len - at <= uidl.len || memcmp(text.ptr + at, uidl.ptr, uidl.len) != 0)
        return false;
    return text.ptr[at + uidl.len] == ' ' || text.ptr[at + uidl.len] == '\n';
}

/* uidl: escaped. */
static bool has_uidl(const struct table *table, uint32_t id, struct str uidl)
{
    struct str text = lines_text(table->lines);
    return is_in_text(&table->rows[id], text) ? stands_at(text, table->rows[id].at, uidl)
                                              : str_equal(written(table, id), uidl);
}

struct record table_record(const struct table *table, uint32_t id)
{
    const struct row *row = &table->rows[id];
    struct str line = str_of("", 0);
    if (is_own(row))
        line = str_of(own_of(table, row)->text, own_of(table, row)->len);
    else if (row->at != 0)
        line = lines_line(table->lines, row->at);
    struct record record = record_read_as(line, row->entry.state);
    record.id = id;
    record.policy = row->entry.policy;
    record.number = row->entry.tries;
    return record;
}

uint64_t table_size(const struct table *table, uint32_t id)
{
    uint32_t size = table->rows[id].size;
    return size < SIZE_LARGE ? size : table_record(table, id).size;
}

struct str table_uidl(const struct table *table, uint32_t id, char room[JOURNAL_UIDL_ROOM])
{
    size_t len = 0;
    if (words_unescape(written(table, id), room, JOURNAL_UIDL_ROOM, &len) < 0)
        len = 0;
    return str_of(room, len);
}

bool table_refers(const struct table *table, uint32_t id, struct str uidl, struct uidl_ref *ref)
{
    struct str text = lines_text(table->lines);
    ref->at = table->rows[id].at;
    return is_in_text(&table->rows[id], text) && stands_at(text, ref->at, uidl);
}

struct str table_uidl_at(const struct table *table, struct uidl_ref ref)
{
    return lines_word(table->lines, ref.at, UIDL_ESCAPED);
}

/* ---- the index ---- */

static uint64_t hash_of(const struct table *table, uint32_t id)
{
    return digest_keyed(&table->key, written(table, id));
}

struct place {
    uint32_t slot; /* where it is, or may be put */
    uint32_t tag;
};

/* The slot of a UIDL, escaped. Entries of one UIDL hang on one slot as a list, so that a server
 * whose UIDLs are all equal, or empty, costs no more. */
static struct place find(const struct table *table, struct str uidl, uint64_t hash)
{
    uint32_t mask = table->slot_count - 1, at = (uint32_t)hash & mask;
    uint32_t tag = (uint32_t)(hash >> (32 + ID_BITS)) << ID_BITS, freed = UINT32_MAX, slot;
    for (; (slot = table->slots[at]) != 0; at = (at + 1) & mask)
        if ((slot & ID_MASK) == 0)
            freed = freed == UINT32_MAX ? at : freed;
        else if ((slot & ~ID_MASK) == tag && has_uidl(table, (slot & ID_MASK) - 1, uidl))
            return (struct place){.slot = at, .tag = tag};
    return (struct place){.slot = freed == UINT32_MAX ? at : freed, .tag = tag};
}

/* Of a copy: each UIDL that is read again to be compared takes the place of the one before. */
static struct place find_entry(const struct table *table, uint32_t id, uint64_t hash)
{
    char copy[UIDL_ESCAPED];
    struct str uidl = written(table, id);
    memcpy(copy, uidl.ptr, uidl.len);
    return find(table, str_of(copy, uidl.len), hash);
}

static void put(struct table *table, uint32_t id, uint64_t hash)
{
    struct place place = find_entry(table, id, hash);
    uint32_t *slot = &table->slots[place.slot], same = *slot & ID_MASK;
    table->slots_used += *slot == 0;
    table->rows[id].same = same & INT32_MAX;
    table->rows[id].shared = same != 0;
    if (same != 0)
        table->rows[same - 1].shared = true;
    *slot = place.tag | (id + 1);
}

/* One after the other, each of a million would wait for its slot to come from memory. */
static void put_all(struct table *table)
{
    uint64_t hashes[AHEAD];
    for (uint32_t from = 0, n; from < table->count; from += n) {
        n = table->count - from < AHEAD ? table->count - from : AHEAD;
        for (uint32_t i = 0; i < n; i++) {
            hashes[i] = hash_of(table, from + i);
            FETCH_AHEAD(&table->slots[(uint32_t)hashes[i] & (table->slot_count - 1)]);
        }
        for (uint32_t i = 0; i < n; i++)
            put(table, from + i, hashes[i]);
        if ((from + n) % LINES_STRETCH == 0)
            lines_release(table->lines);
    }
}

static void make_index(struct table *table, uint32_t more)
{
    uint32_t count = 256;
    while (count < 2 * (table->count + more))
        count *= 2;
    if (count == table->slot_count && more > 0)
        return;
    free(table->slots);
    table->slots = xcalloc(count, sizeof *table->slots);
    table->slot_count = count;
    table->slots_used = 0;
    put_all(table);
}

void table_index(struct table *table)
{
    make_index(table, 0);
}

void table_expect(struct table *table, uint32_t more)
{
    reserve(table, table->count + more);
    if (table->slot_count > 0 && more > 0)
        make_index(table, more);
}

/* A quarter of the slots was never used, so that every search comes to an end, and soon. */
static void add_to_index(struct table *table, uint32_t id)
{
    if (table->slot_count / 4 * 3 <= table->slots_used + 1)
        make_index(table, 0);
    else
        put(table, id, hash_of(table, id));
}

static void remove_from_index(struct table *table, uint32_t id)
{
    struct row *rows = table->rows;
    uint32_t *slot = &table->slots[find_entry(table, id, hash_of(table, id)).slot];
    uint32_t first = *slot & ID_MASK;
    if (first != id + 1) {
        while (rows[first - 1].same != id + 1)
            first = rows[first - 1].same;
        rows[first - 1].same = rows[id].same;
    } else {
        *slot = rows[id].same == 0 ? FREED : (*slot & ~ID_MASK) | rows[id].same;
    }
}

static uint32_t first_known(const struct table *table, uint32_t link)
{
    while (link != 0 && table->rows[link - 1].entry.state == JOURNAL_FREE)
        link = table->rows[link - 1].same;
    return link == 0 ? JOURNAL_NONE : link - 1;
}

/* It has this UIDL, and no other entry has. */
static bool is_alone(const struct table *table, uint32_t id, struct str uidl)
{
    return id < table->count && table->rows[id].entry.state != JOURNAL_FREE &&
           !table->rows[id].shared && has_uidl(table, id, uidl);
}

uint32_t table_find(const struct table *table, struct str uidl, uint32_t guess)
{
    char escaped[WORDS_ESCAPED_MAX(RECORD_UIDL_MAX)];
    if (table->slot_count == 0 || uidl.len > RECORD_UIDL_MAX)
        return JOURNAL_NONE;
    if (!words_is_plain(uidl))
        uidl = str_of(escaped, words_escape(uidl, escaped, sizeof escaped));
    if (is_alone(table, guess, uidl))
        return guess;
    uint32_t slot = find(table, uidl, digest_keyed(&table->key, uidl)).slot;
    return first_known(table, table->slots[slot] & ID_MASK);
}

uint32_t table_next(const struct table *table, uint32_t id)
{
    return first_known(table, table->rows[id].same);
}

/* ---- entries that this run adds or changes ---- */

uint32_t table_add(struct table *table, const struct record *record)
{
    uint32_t id = table->count;
    table_make(table, id);
    set_facts(&table->rows[id], record);
    set_own(table, &table->rows[id], make_own(record));
    add_to_index(table, id);
    return id;
}

void table_change(struct table *table, uint32_t id, const struct record *record)
{
    struct own own = make_own(record); /* what its views see may be gone with the next line */
    struct record copy;
    if (record_read(str_of(own.text, own.len), &copy) < 0)
        copy = (struct record){.size = record->size};
    bool same = str_equal(written(table, id), copy.uidl);
    if (!same)
        remove_from_index(table, id);
    set_facts(&table->rows[id], &copy);
    set_own(table, &table->rows[id], own);
    if (!same)
        add_to_index(table, id);
}
