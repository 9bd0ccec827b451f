/*
 * journal_record: one line of a journal, to and from text. Pure.
 *
 *   CRC VERB ID SIZE PRINT FIRST UIDL [KEEP|TRIES] [WORDS]
 *
 * CRC is 8 hex digits over what follows its blank. A line says all there is to say about its entry,
 * so that a damaged line costs no more than itself. UIDL and WORDS are percent-escaped.
 */
#ifndef FP_SESSION_JOURNAL_RECORD_H
#define FP_SESSION_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "session/journal.h"

#define JOURNAL_VERSION 1
#define JOURNAL_ID_MAX (16u * 1024 * 1024)
#define JOURNAL_LINE_MAX (64 * 1024)

enum record_verb {
    RECORD_HEAD, /* version, server, user */
    RECORD_TAKE,
    RECORD_DROP,
    RECORD_DONE,
    RECORD_GONE,
    RECORD_FAIL,
    RECORD_DOUBT,
    RECORD_HELD,
    RECORD_PLACE, /* where messages are spooled */
    RECORD_DAY,   /* number of listing days so far, and the last one's date */
    RECORD_MISS,  /* absent since listing day N */
    RECORD_BACK,
    RECORD_VERBS
};

struct record {
    enum record_verb verb;
    uint32_t id;
    uint64_t size;
    struct journal_print print; /* to be written; what was read is record_print */
    struct str print_text;
    uint64_t first_seen;
    bool keep;
    uint64_t number;  /* version, tries, or the day count */
    uint64_t date;    /* DAY: days since 1970 */
    struct str uidl;  /* escaped, as it stands in the line */
    struct str words; /* receipt (unescaped words), reason or place, as it stands in the line */
};

/* Appends the line, line end included. uidl and words are put in as they are. Returns where in out
 * the UIDL is, 0 if there is none. */
size_t record_write(const struct record *record, struct buf *out);

/* 0, or -1 for a line that is damaged or not understood. line is without its line end. Views point
 * into it. A print is as long as one, and not looked at. */
int record_read(struct str line, struct record *record);

/* The print of a record that was read; not known if it is none. */
struct journal_print record_print(const struct record *record);

#endif
