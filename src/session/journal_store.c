/*
 * The journal in memory: entries, and where their facts are.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/xalloc.h"
#include "session/journal_store.h"

#define OWN 0x80000000u /* at: the rest of it is the number of a fact; else an offset in the file */
#define SIZE_LARGE UINT32_MAX /* or more: the facts know */
#define NO_UIDL "%-"

void store_reserve(struct journal *journal, uint32_t count)
{
    if (journal->cap >= count)
        return;
    journal->cap = count;
    journal->entries = xreallocarray(journal->entries, count, sizeof *journal->entries);
}

struct journal_entry *store_entry(struct journal *journal, uint32_t id)
{
    if (journal->cap <= id)
        store_reserve(journal, id + id / 2 + 64);
    while (journal->count <= id)
        journal->entries[journal->count++] = (struct journal_entry){.blank = true};
    return &journal->entries[id];
}

static void set_size(struct journal_entry *entry, uint64_t size)
{
    entry->size = size < SIZE_LARGE ? (uint32_t)size : SIZE_LARGE;
}

/* ---- facts of its own ---- */

bool store_is_own(const struct journal *journal, uint32_t id)
{
    return (journal->entries[id].at & OWN) != 0;
}

static struct fact *own_fact(const struct journal *journal, uint32_t id)
{
    return &journal->facts[journal->entries[id].at & ~OWN];
}

static struct fact *add_fact(struct journal *journal, uint32_t id)
{
    if (journal->fact_count == journal->fact_cap) {
        journal->fact_cap = journal->fact_cap == 0 ? 64 : journal->fact_cap + journal->fact_cap / 2;
        journal->facts = xreallocarray(journal->facts, journal->fact_cap, sizeof *journal->facts);
    }
    journal->entries[id].at = OWN | journal->fact_count;
    journal->facts[journal->fact_count] = (struct fact){.size = 0};
    return &journal->facts[journal->fact_count++];
}

/* Where it is in names; 0 if it is empty, or if there is no room left. */
static uint32_t add_name(struct journal *journal, struct str text)
{
    uint32_t at = (uint32_t)journal->names.len;
    if (text.len == 0)
        return 0;
    if (at == 0 && buf_add(&journal->names, "", 1) == 0)
        at = 1;
    if (buf_reserve(&journal->names, text.len + 1) == NULL)
        return 0;
    buf_add(&journal->names, text.ptr, text.len);
    buf_add(&journal->names, "", 1);
    return at;
}

static struct str name_at(const struct journal *journal, uint32_t at)
{
    return at == 0 ? str_of("", 0) : str_from(journal->names.data + at);
}

struct fact *store_fact(struct journal *journal, uint32_t id)
{
    if (store_is_own(journal, id))
        return own_fact(journal, id);
    struct journal_facts facts = journal_facts(journal, id);
    struct str uidl = store_uidl(journal, id);
    struct fact *fact = add_fact(journal, id);
    fact->size = facts.size;
    fact->first_seen = facts.first_seen;
    fact->print = facts.print;
    fact->uidl = add_name(journal, uidl);
    fact->words = add_name(journal, facts.words);
    return fact;
}

void store_set_uidl(struct journal *journal, struct fact *fact, struct str uidl)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    size_t len = 0;
    if (uidl.len > 0 && uidl.len <= UIDL_MAX)
        len = str_escape(uidl, escaped, sizeof escaped);
    fact->uidl = add_name(journal, str_of(escaped, len));
}

void store_set_words(struct journal *journal, struct fact *fact, struct str words)
{
    fact->words = add_name(journal, words);
}

/* ---- facts in the file ---- */

void store_refer(struct journal *journal, uint32_t id, const struct record *record)
{
    struct journal_entry *entry = store_entry(journal, id);
    size_t at = (size_t)(record->uidl.ptr - journal->text.ptr);
    set_size(entry, record->size);
    entry->blank = str_is(record->uidl, NO_UIDL);
    entry->at = (uint32_t)at;
    if (at < OWN)
        return;
    struct fact *fact = add_fact(journal, id); /* beyond what an entry can point to */
    fact->size = record->size;
    fact->first_seen = (uint32_t)record->first_seen;
    fact->print = record_print(record);
    fact->uidl = add_name(journal, record->uidl);
    fact->words = add_name(journal, record->words);
}

static bool is_end(char c)
{
    return c == ' ' || c == '\n';
}

/* The word there. Every line in text has its end. */
struct str journal_named(const struct journal *journal, uint32_t name)
{
    const char *from = journal->text.ptr + name;
    size_t len = 0;
    while (!is_end(from[len]))
        len++;
    return str_of(from, len);
}

bool store_is_named(const struct journal *journal, uint32_t id, struct str uidl)
{
    const struct journal_entry *entry = &journal->entries[id];
    if (entry->blank || store_is_own(journal, id))
        return str_equal(store_uidl(journal, id), uidl);
    const char *text = journal->text.ptr + entry->at;
    return journal->text.len - entry->at > uidl.len && memcmp(text, uidl.ptr, uidl.len) == 0 &&
           is_end(text[uidl.len]);
}

uint32_t store_name(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    return entry->blank || store_is_own(journal, id) ? 0 : entry->at;
}

/* The whole line around that place, without its end. */
static struct str line_around(const struct journal *journal, uint32_t at)
{
    struct str text = journal->text;
    size_t from = at;
    while (from > 0 && text.ptr[from - 1] != '\n')
        from--;
    const char *end = memchr(text.ptr + at, '\n', text.len - at);
    return str_of(text.ptr + from, (size_t)(end - (text.ptr + from)));
}

struct str store_uidl(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    if (entry->blank)
        return str_from(NO_UIDL);
    if (store_is_own(journal, id))
        return name_at(journal, own_fact(journal, id)->uidl);
    return journal_named(journal, entry->at);
}

struct str journal_uidl(const struct journal *journal, uint32_t id, char room[JOURNAL_UIDL_ROOM])
{
    struct str uidl = store_uidl(journal, id);
    size_t len = 0;
    if (memchr(uidl.ptr, '%', uidl.len) == NULL)
        return uidl;
    if (str_unescape(uidl, room, JOURNAL_UIDL_ROOM, &len) < 0)
        len = 0;
    return str_of(room, len);
}

static struct journal_facts facts_of(const struct journal *journal, const struct fact *fact)
{
    return (struct journal_facts){.size = fact->size,
                                  .first_seen = fact->first_seen,
                                  .print = fact->print,
                                  .words = name_at(journal, fact->words)};
}

struct journal_facts journal_facts(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    struct record record;
    if (store_is_own(journal, id))
        return facts_of(journal, own_fact(journal, id));
    struct journal_facts facts = {.words = str_of("", 0)};
    if (entry->at == 0 || record_read(line_around(journal, entry->at), &record) < 0)
        return facts;
    facts.size = record.size;
    facts.first_seen = (uint32_t)record.first_seen;
    facts.print = record_print(&record);
    if (record.verb == store_verb(entry->state)) /* else they were said of another state */
        facts.words = record.words;
    return facts;
}

uint64_t journal_size(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    return entry->size < SIZE_LARGE ? entry->size : journal_facts(journal, id).size;
}

/* ---- entries that this run adds or changes ---- */

static void learn(struct journal *journal, uint32_t id, const struct journal_subject *subject)
{
    struct fact *fact = store_fact(journal, id);
    fact->size = subject->size;
    set_size(&journal->entries[id], subject->size);
    if (subject->print.known)
        fact->print = subject->print;
}

uint32_t journal_add(struct journal *journal, const struct journal_subject *subject, int64_t now)
{
    uint32_t id = journal->count;
    store_entry(journal, id);
    struct fact *fact = add_fact(journal, id);
    fact->first_seen = now < 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint32_t)now;
    fact->print = subject->print;
    store_set_uidl(journal, fact, subject->uidl);
    journal->entries[id].blank = fact->uidl == 0;
    learn(journal, id, subject);
    index_add(journal, id);
    return id;
}

static void learn_uidl(struct journal *journal, uint32_t id, struct str uidl)
{
    char room[JOURNAL_UIDL_ROOM];
    if (str_equal(journal_uidl(journal, id, room), uidl))
        return;
    index_remove(journal, id);
    struct fact *fact = store_fact(journal, id);
    store_set_uidl(journal, fact, uidl);
    journal->entries[id].blank = fact->uidl == 0;
    index_add(journal, id);
}

void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject)
{
    unsigned state = journal->entries[id].state;
    learn(journal, id, subject);
    if (subject->uidl.len > 0) /* a UIDL that is kept back today may be told again tomorrow */
        learn_uidl(journal, id, subject->uidl);
    /* A `take` is not written twice: its receipt is in the file, and `done` says the rest. */
    if (state != JOURNAL_FREE && state != JOURNAL_TAKEN)
        store_note(journal, id, store_verb(state));
}

void store_clear(struct journal *journal)
{
    if (journal->mapped > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr): const has to go */
        munmap((void *)(uintptr_t)journal->text.ptr, journal->mapped);
    buf_free(&journal->copy);
    buf_free(&journal->names);
    free(journal->entries);
    free(journal->facts);
    free(journal->slots);
    free(journal->place);
    journal->mapped = 0;
    journal->text = str_of("", 0);
    journal->entries = NULL;
    journal->facts = NULL;
    journal->slots = NULL;
    journal->place = NULL;
    journal->count = journal->cap = journal->fact_count = journal->fact_cap = 0;
    journal->slot_count = journal->slots_used = journal->days = 0;
    journal->last_day = journal->lines = journal->damaged = 0;
}

uint32_t journal_count(const struct journal *journal)
{
    return journal->count;
}

const struct journal_entry *journal_entry(const struct journal *journal, uint32_t id)
{
    return &journal->entries[id];
}

void journal_mark_tried(struct journal *journal, uint32_t id)
{
    journal->entries[id].tried = true;
}

void journal_list(struct journal *journal, uint32_t id)
{
    if (journal->entries[id].listed < 2)
        journal->entries[id].listed++;
}

void journal_unlist(struct journal *journal, uint32_t id)
{
    journal->entries[id].listed = 0;
}
