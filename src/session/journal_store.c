/*
 * The journal in memory: entries, and where their facts are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "session/journal_store.h"

#define OWN 0x80000000u /* at: the rest of it is the number of a fact; else an offset in the file */
#define SIZE_LARGE UINT32_MAX /* or more: the facts know */
#define NO_UIDL "%-"
#define UIDL_ESCAPED ((size_t)3 * UIDL_MAX)
#define BEFORE_UIDL 128 /* a line is never longer before its UIDL */

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

/* ---- facts without a line ---- */

static bool is_own(const struct journal *journal, uint32_t id)
{
    return (journal->entries[id].at & OWN) != 0;
}

static struct fact *own_fact(const struct journal *journal, uint32_t id)
{
    return &journal->facts[journal->entries[id].at & ~OWN];
}

static uint32_t new_fact(struct journal *journal)
{
    uint32_t unused = journal->fact_unused;
    if (unused != 0) {
        journal->fact_unused = journal->facts[unused - 1].next;
        return unused - 1;
    }
    if (journal->fact_count == journal->fact_cap) {
        journal->fact_cap = journal->fact_cap == 0 ? 64 : 2 * journal->fact_cap;
        journal->facts = xreallocarray(journal->facts, journal->fact_cap, sizeof *journal->facts);
    }
    return journal->fact_count++;
}

static struct fact *add_fact(struct journal *journal, uint32_t id)
{
    uint32_t at = new_fact(journal);
    journal->entries[id].at = OWN | at;
    journal->facts[at] = (struct fact){.size = 0};
    return &journal->facts[at];
}

static void drop_fact(struct journal *journal, uint32_t id)
{
    struct fact *fact = own_fact(journal, id);
    free(fact->uidl);
    free(fact->words);
    *fact = (struct fact){.next = journal->fact_unused};
    journal->fact_unused = (uint32_t)(fact - journal->facts) + 1;
}

static void set_text(char **at, struct str text)
{
    char *copy = text.len == 0 ? NULL : xmemdup0(text.ptr, text.len);
    free(*at);
    *at = copy;
}

struct fact *store_fact(struct journal *journal, uint32_t id)
{
    if (is_own(journal, id))
        return own_fact(journal, id);
    struct journal_facts facts = journal_facts(journal, id);
    struct fact own = {.size = facts.size, .first_seen = facts.first_seen, .print = facts.print};
    set_text(&own.words, facts.words);
    set_text(&own.uidl, store_uidl(journal, id));
    struct fact *fact = add_fact(journal, id);
    *fact = own;
    return fact;
}

void store_set_uidl(struct fact *fact, struct str uidl)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    size_t len = 0;
    if (uidl.len > 0 && uidl.len <= UIDL_MAX)
        len = str_escape(uidl, escaped, sizeof escaped);
    set_text(&fact->uidl, str_of(escaped, len));
}

static void set_fact(struct fact *fact, const struct record *record)
{
    fact->size = record->size;
    fact->first_seen = (uint32_t)record->first_seen;
    fact->print = record->print_text.len > 0 ? record_print(record) : record->print;
    set_text(&fact->words, record->words);
    set_text(&fact->uidl, record->uidl);
}

/* ---- facts in a line ---- */

void store_refer(struct journal *journal, uint32_t id, const struct record *record, uint64_t at)
{
    struct journal_entry *entry = store_entry(journal, id);
    set_size(entry, record->size);
    entry->blank = str_is(record->uidl, NO_UIDL);
    if (at < OWN && is_own(journal, id))
        drop_fact(journal, id);
    if (at < OWN)
        entry->at = (uint32_t)at;
    else /* beyond what an entry can point to */
        set_fact(is_own(journal, id) ? own_fact(journal, id) : add_fact(journal, id), record);
}

/* A piece of text with a line in it, and where in it the line's UIDL is. */
struct window {
    struct str text;
    size_t at;
};

/* What was written and is not mapped. What is gone from there would be taken for new and come
 * twice: then this is the end. */
static struct window read_again(const struct journal *journal, uint32_t at)
{
    size_t from = at > BEFORE_UIDL ? at - BEFORE_UIDL : 0, len = 0;
    size_t want =
        journal->length - from < STORE_WINDOW ? (size_t)(journal->length - from) : STORE_WINDOW;
    while (len < want) {
        ssize_t n = pread(journal->fd, journal->window + len, want - len, (off_t)(from + len));
        if (n == 0 || (n < 0 && errno != EINTR))
            xdie("a journal cannot be read again");
        len += n > 0 ? (size_t)n : 0;
    }
    return (struct window){.text = str_of(journal->window, len), .at = at - from};
}

static struct window window_at(const struct journal *journal, uint32_t at)
{
    if (at < journal->text.len)
        return (struct window){.text = journal->text, .at = at};
    if (at >= journal->length)
        return (struct window){.text = buf_str(&journal->out), .at = at - journal->length};
    return read_again(journal, at);
}

static bool is_end(char c)
{
    return c == ' ' || c == '\n';
}

/* A UIDL, escaped, as long as one at most: somebody may write over a file that is mapped. */
static struct str word_in(struct window window)
{
    const char *from = window.text.ptr + window.at;
    size_t len = 0, max = window.text.len - window.at;
    if (max > UIDL_ESCAPED)
        max = UIDL_ESCAPED;
    while (len < max && !is_end(from[len]))
        len++;
    return str_of(from, len);
}

static struct str line_in(struct window window)
{
    const char *text = window.text.ptr;
    size_t from = window.at;
    while (from > 0 && text[from - 1] != '\n')
        from--;
    const char *end = memchr(text + window.at, '\n', window.text.len - window.at);
    return end == NULL ? str_of("", 0) : str_of(text + from, (size_t)(end - (text + from)));
}

struct str journal_named(const struct journal *journal, uint32_t name)
{
    return word_in((struct window){.text = journal->text, .at = name});
}

uint32_t store_name(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    return entry->blank || entry->at >= journal->text.len ? 0 : entry->at;
}

bool store_is_named(const struct journal *journal, uint32_t id, struct str uidl)
{
    const struct journal_entry *entry = &journal->entries[id];
    if (entry->blank || entry->at >= journal->text.len)
        return str_equal(store_uidl(journal, id), uidl);
    const char *text = journal->text.ptr + entry->at;
    return journal->text.len - entry->at > uidl.len && memcmp(text, uidl.ptr, uidl.len) == 0 &&
           is_end(text[uidl.len]);
}

struct str store_uidl(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    if (entry->blank)
        return str_from(NO_UIDL);
    if (is_own(journal, id))
        return str_from(own_fact(journal, id)->uidl);
    return word_in(window_at(journal, entry->at));
}

struct str journal_uidl(const struct journal *journal, uint32_t id, char room[JOURNAL_UIDL_ROOM])
{
    struct str uidl = store_uidl(journal, id);
    size_t len = 0;
    if (store_name(journal, id) != 0 && memchr(uidl.ptr, '%', uidl.len) == NULL)
        return uidl;
    if (str_unescape(uidl, room, JOURNAL_UIDL_ROOM, &len) < 0)
        len = 0;
    return str_of(room, len);
}

struct journal_facts journal_facts(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    struct journal_facts facts = {.words = str_of("", 0)};
    struct record record;
    if (is_own(journal, id)) {
        const struct fact *fact = own_fact(journal, id);
        return (struct journal_facts){.size = fact->size,
                                      .first_seen = fact->first_seen,
                                      .print = fact->print,
                                      .words = str_from(fact->words)};
    }
    if (entry->at == 0 || record_read(line_in(window_at(journal, entry->at)), &record) < 0)
        return facts;
    facts.size = record.size;
    facts.first_seen = (uint32_t)record.first_seen;
    facts.print = record_print(&record);
    if (record.verb == store_verb(entry->state)) /* else they were said of another state */
        facts.words = record.words;
    return facts;
}

/* No view into the old one is alive between two connections. */
void journal_reread(struct journal *journal)
{
    if (journal->mode == JOURNAL_WRITE && journal->length > journal->text.len)
        (void)store_map(journal, (size_t)journal->length); /* if it fails: it is read, slower */
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
    store_set_uidl(fact, subject->uidl);
    journal->entries[id].blank = fact->uidl == NULL;
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
    store_set_uidl(fact, uidl);
    journal->entries[id].blank = fact->uidl == NULL;
    index_add(journal, id);
}

void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject)
{
    unsigned state = journal->entries[id].state;
    if (state == JOURNAL_TAKEN) /* its line has the receipt: it is not written twice */
        return;
    learn(journal, id, subject);
    if (subject->uidl.len > 0) /* a UIDL that is kept back today may be told again tomorrow */
        learn_uidl(journal, id, subject->uidl);
    if (state != JOURNAL_FREE)
        store_note(journal, id, store_verb(state));
}

static void unmap(struct journal *journal)
{
    if (journal->mapped > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr): const has to go */
        munmap((void *)(uintptr_t)journal->text.ptr, journal->mapped);
    journal->mapped = 0;
    journal->text = str_of("", 0);
}

int store_map(struct journal *journal, size_t size)
{
    void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, journal->fd, 0);
    if (text == MAP_FAILED)
        return -1;
    unmap(journal);
    journal->text = str_of(text, size);
    journal->mapped = size;
    return 0;
}

void store_clear(struct journal *journal)
{
    unmap(journal);
    buf_free(&journal->copy);
    for (uint32_t i = 0; i < journal->fact_count; i++) {
        free(journal->facts[i].uidl);
        free(journal->facts[i].words);
    }
    free(journal->entries);
    free(journal->facts);
    free(journal->slots);
    free(journal->place);
    journal->entries = NULL;
    journal->facts = NULL;
    journal->slots = NULL;
    journal->place = NULL;
    journal->count = journal->cap = 0;
    journal->fact_count = journal->fact_cap = journal->fact_unused = 0;
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
