/* SPDX-License-Identifier: ISC */
/*
 * replay: the whole of a journal's file, in and out: what its lines say, put together; and the
 * file written anew when it has grown too long, beside itself and renamed.
 */
#ifndef FP_STATE_REPLAY_H
#define FP_STATE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "state/calendar.h"
#include "state/lines.h"
#include "state/mailbox.h"
#include "state/places.h"
#include "state/table.h"
#include "state/visits.h"

#define REPLAY_FORGET 30 /* absent for this many listings, on as many days: forgotten */

/* What a journal says, and of which one that is. */
struct replay {
    struct lines *lines; /* borrowed, as head and log are */
    const char *head;    /* "SERVER USER ACCOUNT", escaped */
    const char *id;      /* of the mailbox */
    char *former;        /* the head of another mailbox that the file was, until it is confirmed */
    bool stale_head;     /* the file's first line is not its head */
    struct log *log;
    bool write, durable;

    struct table *table;
    struct places places;
    struct visits visits; /* places where messages were spooled */
    struct calendar calendar;
    char rules[JOURNAL_RULES + 1]; /* "": none */
    struct buf line;               /* the one that is added */
    bool must_last;                /* something gathered must outlive a power cut */
    bool named;                    /* a line says that the file's names are on the disk */
    uint64_t oldest, latest;       /* first_seen of all lines; wall clock, seconds */
    uint64_t count;                /* lines in all */
    uint64_t loaded;               /* of them, when it was loaded */
    uint64_t damaged, old;         /* of them: not to be understood; of an older version */
    bool is_new;                   /* there was no line yet */
};

/* Reads all lines into a replay of which only the first part is filled in. What is not a journal at
 * all is moved aside to PATH.bad with a warning. ERR_IO: unreadable, or a newer version's.
 * replay_free is right also after a failure. */
int replay_load(struct replay *replay, struct err *err);
void replay_free(struct replay *replay);

/* Gathers one line: of a `take`, whose words are the whole receipt, with its place cut off, which
 * has a line before it if it is new. Returns the offset of its UIDL in the journal; 0: it has none,
 * or nothing can be gathered any more. */
uint64_t replay_add(struct replay *replay, const struct record *record);
void replay_add_head(struct replay *replay);

/* The id of the mailbox that a head names; "" if it makes no sense. */
void replay_read_id(struct str head, char id[MAILBOX_ID + 1]);
/* Writes what was gathered, as lines_sync does. What a power cut may take without harm, the days
 * and what was absent, and `gone`, without which a message is `done`, waits for a later flush. */
int replay_sync(struct replay *replay, struct err *err);

/* Writes the file anew, and loads that, if it has half as many lines again as it needs, or lines of
 * an older version, or damaged ones. A rewrite that fails is noted and changes nothing; -1 only if
 * what was written cannot be read. */
int replay_compact(struct replay *replay, struct err *err);

/* The same at the end, for a file that this run has made longer, so that the next one need not;
 * nothing is loaded, and a failure is only noted. */
void replay_close(struct replay *replay);

#endif
