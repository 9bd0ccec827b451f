/* SPDX-License-Identifier: ISC */
/*
 * record: one line of a journal, to and from text. Pure.
 *
 *   CRC VERB ID SIZE FINGERPRINT FIRST UIDL [POLICY PLACE|TRIES NEXT REASON] [OCTETS FILE] [WORDS]
 *
 * CRC is 8 hex digits over what follows its blank. A line says all there is to say about its
 * message, so that a damaged line costs no more than itself. UIDL and WORDS are percent-escaped
 * (base/words.h). What is equal for all messages of a batch, kind and path of where they go, stands
 * once in a `place` line, whose number their `take` has. FILE is the name of a message that is kept
 * here, OCTETS its length (session/kept.h).
 *
 * Lines of version 1 are read as well: there a `take` has its whole receipt, a failure one sentence
 * in the place of NEXT REASON WORDS, and `place` is what is `sweep` now.
 */
#ifndef FP_STATE_RECORD_H
#define FP_STATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/header.h"
#include "base/str.h"
#include "state/reason.h"

#define RECORD_VERSION 2
#define RECORD_ID_MAX (16u * 1024 * 1024)
#define RECORD_LINE_MAX (64 * 1024)
#define RECORD_WORDS_MAX 32768  /* octets of a receipt, or of what was said of a failure, escaped */
#define JOURNAL_NONE UINT32_MAX /* no entry */
#define JOURNAL_RULES 32        /* octets of a digest of rules, at most */
#define RECORD_UIDL_MAX 255     /* octets of a UIDL, not escaped */

enum journal_state {
    JOURNAL_FREE,    /* no such entry */
    JOURNAL_FAILED,  /* could not be fetched or delivered so far: tries times */
    JOURNAL_DOUBTED, /* the connection broke over it: asked for alone, after all others */
    JOURNAL_HELD,    /* asked for at growing distances, and left on the server */
    JOURNAL_LEFT,    /* a rule leaves it on the server */
    JOURNAL_KEPT,    /* here, in a file: delivered by the next run */
    JOURNAL_REFUSED, /* the same, but its destination refuses it: at growing distances */
    JOURNAL_TAKEN,   /* being delivered; after recovery: it cannot be seen whether it was */
    JOURNAL_DONE,    /* delivered, durably */
    JOURNAL_GONE     /* delivered, and QUIT after its DELE was answered with +OK */
};

/* What is to become of the server's copy once a message is delivered. */
enum journal_policy {
    JOURNAL_DELETE,
    JOURNAL_KEEP,
    JOURNAL_STUB /* it stays: no more than its beginning was delivered */
};

/* How a message is recognized other than by its UIDL: digests of header fields (base/header.h). */
struct fingerprint {
    bool known;
    bool retrieved; /* from RETR; else from TOP, which some servers answer otherwise */
    enum header_kind kind;
    unsigned char bytes[HEADER_FINGERPRINT];
    unsigned char identity[HEADER_IDENTITY]; /* of an anonymous one only if it was retrieved */
};

/* Its text in a line, which stands in out: r or t (from RETR or TOP), the kind as a digit, and both
 * digests. Older versions wrote m or n and one digest of other fields; that is ignored. */
#define RECORD_FINGERPRINT (2 + 2 * HEADER_FINGERPRINT + 2 * HEADER_IDENTITY) /* octets, at most */
struct str record_write_fingerprint(const struct fingerprint *fingerprint,
                                    char out[RECORD_FINGERPRINT + 1]);

enum record_verb {
    RECORD_HEAD,  /* version, server, user */
    RECORD_PLACE, /* place N: where messages go (kind, path) */
    RECORD_SWEEP, /* where messages are spooled (kind, paths): what the next run clears up, if it is
                   * the last; and the day it was there */
    RECORD_NAMES, /* of which file (device, inode) the names are on the disk */
    RECORD_DAY,   /* number of listing days so far, and the last one's date */
    RECORD_TAKE,
    RECORD_DROP,
    RECORD_DONE,
    RECORD_GONE,
    RECORD_FAIL,
    RECORD_DOUBT,
    RECORD_HELD,
    RECORD_KEPT,
    RECORD_REFUSED,
    RECORD_LEFT,
    RECORD_MISS, /* absent since listing day N */
    RECORD_BACK,
    RECORD_DUE,   /* found old enough to be deleted on day N (since 1970); 0: it is not */
    RECORD_CLOCK, /* a date before the last listing was seen; 0: it was not confirmed */
    RECORD_RULES, /* the digest of the rules by which messages were left, or given as stubs */
    RECORD_VERBS
};

/* Views point into the line that was read, and say what stands there: nothing is unescaped. */
struct record {
    enum record_verb verb;
    bool old;                   /* a line of version 1 */
    enum journal_policy policy; /* TAKE, DONE */
    enum reason reason;         /* of a failure */
    uint32_t id;
    uint32_t place;         /* TAKE: the number of its place; 0: its words are the whole receipt */
    uint64_t number;        /* HEAD: version; PLACE: its own; DAY: how many; MISS, DUE: which day;
                          * of a failure: tries */
    uint64_t date;          /* DAY, CLOCK, SWEEP: days since 1970 */
    uint64_t size;          /* by LIST, in octets */
    uint64_t first_seen;    /* wall clock, seconds */
    uint64_t next_try;      /* of a failure: wall clock, seconds; 0: with the next run */
    uint64_t octets;        /* of the file */
    struct str file;        /* KEPT, REFUSED, and TAKE of one: its name; else empty */
    struct str fingerprint; /* record_fingerprint */
    struct str uidl;
    struct str words; /* receipt, what was said of a failure, kind and path, server and user */
};

/* Appends the line, line end included; the strings are put in as they are. Returns where in out the
 * UIDL is, 0 if there is none. */
size_t record_write(const struct record *record, struct buf *out);

/* 0, or -1 for a line that is damaged or not understood. line is without its line end. */
int record_read(struct str line, struct record *record);

/* What a line says of a message that is in this state by now: with the verb of that state, and with
 * words and reason only if the line brought it about. A damaged line says nothing. */
struct record record_read_as(struct str line, enum journal_state state);

/* The fingerprint that stands in a line; not known if that is none. */
struct fingerprint record_fingerprint(const struct record *record);

/* The verb of the line that brings a state back, and the state that a verb's line brings about
 * (JOURNAL_FREE: none). */
enum record_verb record_verb(enum journal_state state);
enum journal_state record_state(enum record_verb verb);

/* A message of this state is in a file of ours. */
bool record_is_here(enum journal_state state);

#endif
