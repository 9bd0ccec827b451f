/* SPDX-License-Identifier: ISC */
/*
 * table: the entries of a journal, one for each message; where the line of each is, and the index
 * from UIDLs to entries.
 *
 * An entry points to its last line that says all: in the journal (lines.h), or, while it has none
 * there, a line of its own in memory. So a message that was seen before, or is done, costs 20
 * octets and its share of the index. What a line says is read where it stands when it is wanted.
 */
#ifndef FP_STATE_TABLE_H
#define FP_STATE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "state/lines.h"
#include "state/record.h"

/* What is in memory of each. */
struct journal_entry {
    uint16_t absent; /* the listing day it was first missed; 0: present */
    uint16_t due;    /* the day (since 1970) a poll found it old enough to go; 0: none did */
    unsigned tries : 16;
    unsigned state : 4;  /* enum journal_state */
    unsigned before : 4; /* of a TAKEN entry: what it was */
    unsigned listed : 2; /* how many messages of the present listing it may be; 2: or more */
    bool tried : 1;      /* its failure was told in this run; not on disk */
    unsigned policy : 2; /* of TAKEN and DONE: enum journal_policy */
    bool blank : 1;      /* it has no UIDL */
};

struct table;

/* Empty, over lines that are borrowed for its life. */
struct table *table_new(struct lines *lines);
/* Frees it, but not the lines. */
void table_free(struct table *table);

/* Entries are numbered 0 .. count - 1. Room for this many more: memory that grows in one go has no
 * holes, and the index is made for them. */
uint32_t table_count(const struct table *table);
void table_expect(struct table *table, uint32_t more);

/* The entry, to look at and to change; `make`: it and all before it are made if missing. Lives
 * until the next one is made. */
struct journal_entry *table_entry(const struct table *table, uint32_t id);
struct journal_entry *table_make(struct table *table, uint32_t id);

/* The entry is TAKEN, under this policy. It remembers the state to which it returns if it is
 * dropped: taking a held message releases it, and one that was delivered before is owed until it is
 * delivered again; the earlier delivery does not allow it to be deleted. */
void table_take(struct table *table, uint32_t id, enum journal_policy policy);

/* The entry's line is one of the journal from now on, whose UIDL is at this offset. For an entry
 * whose UIDL is what it was, or while no index is made yet. */
void table_refer(struct table *table, uint32_t id, const struct record *record, uint64_t at);

/* A new entry, or new facts of one: size, fingerprint, first_seen and UIDL (escaped) of the record.
 * They are in memory until table_refer. */
uint32_t table_add(struct table *table, const struct record *record);
void table_change(struct table *table, uint32_t id, const struct record *record);

/* All that is known of an entry, from one look at its line; verb and tries as its state has them,
 * words and reason only if they were said of this state. The views live until the next call that
 * adds, changes or looks at another. */
struct record table_record(const struct table *table, uint32_t id);

/* Parts of it, quickly. room is for a UIDL that is not written as it is. */
uint64_t table_size(const struct table *table, uint32_t id);
#define JOURNAL_UIDL_ROOM 256
struct str table_uidl(const struct table *table, uint32_t id, char room[JOURNAL_UIDL_ROOM]);

/* A UIDL in the text of the file, where it can be read without its entry until lines_remap. Made
 * and read here alone. */
struct uidl_ref {
    uint32_t at;
};
bool table_refers(const struct table *table, uint32_t id, struct str uidl, struct uidl_ref *ref);
struct str table_uidl_at(const struct table *table, struct uidl_ref ref);

/* Makes the index over all entries there are; what is added later is added to it. */
void table_index(struct table *table);

/* Entries of one UIDL that are not FREE: the first, and the one after another; JOURNAL_NONE: there
 * is none. guess: see journal_find. */
uint32_t table_find(const struct table *table, struct str uidl, uint32_t guess);
uint32_t table_next(const struct table *table, uint32_t id);

#endif
