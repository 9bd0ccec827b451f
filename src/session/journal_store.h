/*
 * journal_store: what journal.c and journal_file.c share. Nobody else includes it.
 */
#ifndef FP_SESSION_JOURNAL_STORE_H
#define FP_SESSION_JOURNAL_STORE_H

#include "base/buf.h"
#include "session/journal.h"
#include "session/journal_record.h"

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

    struct journal_entry *entries;
    uint32_t count, cap;
    struct buf uidls; /* the octets of all UIDLs */
    uint32_t *slots;  /* open addressing over UIDLs: id + 1 of the last entry; 0 is free */
    uint32_t slot_count, slots_used;

    char *place;
    uint32_t days;     /* complete listings so far, at most one a day */
    uint64_t last_day; /* since 1970 */
    uint64_t lines, damaged;
};

/* In memory only. */
struct journal_entry *store_entry(struct journal *journal, uint32_t id); /* makes it */
void store_uidl(struct journal *journal, uint32_t id, struct str uidl);
void store_words(struct journal_entry *entry, struct str words);
void store_clear(struct journal *journal);

/* The line of an entry, which has the number `as` there. What it says of a state is what the entry
 * has now. */
void store_write_entry(const struct journal *journal, uint32_t id, uint32_t as,
                       enum record_verb verb, struct buf *out);

/* The verb whose line brings a state back. */
enum record_verb store_verb(unsigned char state);

/* Reads the file into the store. */
int store_load(struct journal *journal, struct err *err);

/* Writes it anew if it has grown too long, and reads that. A rewrite that fails is noted and
 * changes nothing; -1 only if what was written cannot be read. */
int store_compact(struct journal *journal, struct err *err);

#endif
