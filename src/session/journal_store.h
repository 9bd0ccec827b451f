/*
 * journal_store: what the files of the journal share. Nobody else includes it.
 *
 * An entry points to its UIDL in its last line: in the file as it was opened, which is mapped, in
 * what was written since, which is read when it is wanted, or in the lines that are gathered. Only
 * what has no line yet, or a `take` alone, has a struct fact. So a message that was seen before, or
 * is done, costs 20 octets and its share of the index.
 */
#ifndef FP_SESSION_JOURNAL_STORE_H
#define FP_SESSION_JOURNAL_STORE_H

#include "base/buf.h"
#include "base/digest.h"
#include "session/journal.h"
#include "session/journal_record.h"

#define UIDL_MAX 255
#define STORE_WINDOW ((size_t)2 * JOURNAL_LINE_MAX)

/* What is not in the file so far. */
struct fact {
    uint64_t size;
    char *uidl, *words; /* escaped; NULL: empty */
    uint32_t first_seen;
    uint32_t next; /* of the unused ones: 1 + the next */
    struct journal_print print;
};

struct journal {
    enum journal_mode mode;
    bool durable, is_new, broken;
    bool settled; /* the names it lies under are on the disk */
    struct log *log;
    char *dir, *path; /* state folder; journal file */
    char *head;       /* "SERVER USER", escaped: for people who open the file */
    int lock, fd;
    uint64_t length; /* of the file up to its last whole line */
    struct buf out;  /* gathered lines */

    struct str text; /* of the file when it was opened, up to its last whole line */
    size_t mapped;   /* octets to unmap; 0: text is in copy */
    struct buf copy;

    struct journal_entry *entries;
    uint32_t count, cap;
    struct fact *facts;
    uint32_t fact_count, fact_cap, fact_unused;
    char *window; /* STORE_WINDOW octets: a piece of the file that was read again */

    uint32_t *slots; /* see journal_index.c */
    uint32_t slot_count, slots_used;
    struct digest_key key;

    char *place;
    uint32_t days;     /* complete listings so far, at most one a day */
    uint64_t last_day; /* since 1970 */
    uint64_t lines, damaged;
};

/* Room for so many entries; what is never used costs nothing. */
void store_reserve(struct journal *journal, uint32_t count);

/* The entry, made if it is not there (not in the index). */
struct journal_entry *store_entry(struct journal *journal, uint32_t id);

/* Says that this record has the facts of an entry, and where in the file its UIDL is. */
void store_refer(struct journal *journal, uint32_t id, const struct record *record, uint64_t at);

/* The entry's own facts, made from its line if it had none. The pointer lives until the next. */
struct fact *store_fact(struct journal *journal, uint32_t id);
void store_set_uidl(struct fact *fact, struct str uidl);

/* Its UIDL as it is written: escaped, a view that lives until the next call. Is it this one? Where
 * it stands in the mapped file; 0: not there. */
struct str store_uidl(const struct journal *journal, uint32_t id);
bool store_is_named(const struct journal *journal, uint32_t id, struct str uidl);
uint32_t store_name(const struct journal *journal, uint32_t id);

/* Forgets everything that was read. */
void store_clear(struct journal *journal);

/* The line of an entry, which has the number `as` there. What it says of a state is what the entry
 * has now. */
void store_write_entry(const struct journal *journal, uint32_t id, uint32_t as,
                       enum record_verb verb, struct str words, struct buf *out);

/* Gathers a line of the entry as it is. */
void store_note(struct journal *journal, uint32_t id, enum record_verb verb);

/* The verb whose line brings a state back. */
enum record_verb store_verb(unsigned state);

/* What an entry of this state is again once it was taken and is dropped. */
unsigned store_before(unsigned state);

/* The index over UIDLs: of all entries, with room for so many more; one more entry; one less. */
void index_make(struct journal *journal, uint32_t more);
void index_add(struct journal *journal, uint32_t id);
void index_remove(struct journal *journal, uint32_t id);

/* The file, `size` octets of it, mapped; -1 and errno. */
int store_map(struct journal *journal, size_t size);

/* Reads the file into the store. */
int store_load(struct journal *journal, struct err *err);

/* Writes it anew if it has grown too long, and reads that. A rewrite that fails is noted and
 * changes nothing; -1 only if what was written cannot be read. */
int store_compact(struct journal *journal, struct err *err);

#endif
