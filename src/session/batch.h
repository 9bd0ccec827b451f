/* SPDX-License-Identifier: ISC */
/*
 * batch: complete messages that become durable, visible and journalled together.
 *
 * A batch is as many messages as fit BATCH_FILES files, BATCH_OCTETS octets or BATCH_MS
 * milliseconds; where a command is among the destinations it is BATCH_COMMANDS messages.
 */
#ifndef FP_SESSION_BATCH_H
#define FP_SESSION_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "delivery/deliver.h"
#include "session/rules.h"
#include "state/journal.h"

#define BATCH_FILES 500
#define BATCH_OCTETS ((uint64_t)64 * 1024 * 1024)
#define BATCH_MS 5000
#define BATCH_COMMANDS 16
#define BATCH_ROOM 1600 /* in all, with those that arrive while a batch waits for its proof */

/* One complete message that waits to be committed. */
struct batch_item {
    uint32_t number;         /* on the server */
    uint32_t entry;          /* in the journal */
    enum rule_action action; /* what the rules say of it; it is LEFT ... */
    int64_t until;           /* ... until then (sift_judge) */
    bool due;                /* ... to be deleted then, as struct verdict has it; or ... */
    bool unsaid;             /* ... as it is, likewise */
    bool dropped;            /* pipe_through wants it delivered nowhere: it is as good as done */
};

struct batch {
    struct journal *journal; /* borrowed, as all pointers here */
    size_t files;            /* how many fit, by the limit on descriptors */
    bool commands;           /* a command may be among the destinations */
    enum journal_policy policy;
    size_t count;
    size_t told;     /* of them, by the commit that is under way */
    uint64_t octets; /* of those that are not told yet */
    int64_t since;   /* clock_ms() of the first item */
    struct batch_item items[BATCH_ROOM];
    struct parcel *parcels[BATCH_ROOM]; /* of the items, in the same order */
    /* Called once for each message that was settled, after its record is durable: its outcome is
     * not WAITING. What is not DELIVERED is kept in a file (session/kept.h), if that could be
     * made. */
    void (*settled)(void *ctx, const struct batch_item *item, const struct parcel *parcel);
    /* True if nothing more is delivered where the parcel goes: it is kept. */
    bool (*is_shut)(void *ctx, const struct parcel *parcel);
    /* Where the parcel goes failed as a whole, and its take stays open. True: the others go on. */
    bool (*failed)(void *ctx, const struct parcel *parcel, const struct err *err);
    void *ctx;
};

/* How many messages may be complete and open at once, those on their way included: raises the limit
 * on descriptors if it must and may. 2 to BATCH_ROOM. */
size_t batch_room(void);

/* How many of those `room` messages a batch may have: half of them if descriptors are few. */
size_t batch_files(size_t room);

/* Takes the parcel over. Not when full. */
void batch_add(struct batch *batch, struct parcel *parcel, struct batch_item item);

/* Takes one out again; the parcel is the caller's, and those behind it move up. */
struct parcel *batch_take_out(struct batch *batch, size_t at);
bool batch_is_full(const struct batch *batch);

/* The steps of HACKING's "Exactly once", each for the whole batch before the next begins, one
 * destination after the other: secure, take, publish, done (or kept), release. Afterwards the batch
 * is empty, whatever happened: what is not settled is looked at by the next run, by its open take.
 * *owned is false if a message may have been lost that only the server has now; else it is left as
 * it is. */
int batch_commit(struct batch *batch, bool *owned, struct err *err);

/* Drops a batch that was not committed: files are removed, the server keeps the messages. */
void batch_drop(struct batch *batch);

#endif
