/* SPDX-License-Identifier: ISC */
#include "session/batch.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/spawn.h"

#define OTHER_FILES 64 /* descriptors that are not messages */

size_t batch_room(void)
{
    size_t files = spawn_raise_files(BATCH_ROOM + OTHER_FILES);
    if (files >= BATCH_ROOM + OTHER_FILES)
        return BATCH_ROOM;
    return files > OTHER_FILES + 2 ? files - OTHER_FILES : 2;
}

size_t batch_files(size_t room)
{
    return room < BATCH_ROOM ? room / 2 : BATCH_FILES;
}

void batch_add(struct batch *batch, struct parcel *parcel, struct batch_item item)
{
    assert(batch->count < BATCH_ROOM);
    if (batch->count == 0)
        batch->since = clock_ms();
    batch->items[batch->count] = item;
    batch->parcels[batch->count++] = parcel;
    batch->octets += parcel->octets;
}

struct parcel *batch_take_out(struct batch *batch, size_t at)
{
    struct parcel *parcel = batch->parcels[at];
    size_t behind = --batch->count - at;
    memmove(&batch->items[at], &batch->items[at + 1], behind * sizeof batch->items[0]);
    memmove(&batch->parcels[at], &batch->parcels[at + 1], behind * sizeof batch->parcels[0]);
    batch->octets -= parcel->octets;
    return parcel;
}

bool batch_is_full(const struct batch *batch)
{
    if (batch->count == 0)
        return false;
    if (batch->commands && batch->count >= BATCH_COMMANDS)
        return true;
    return batch->count >= batch->files || batch->octets >= BATCH_OCTETS ||
           clock_ms() - batch->since >= BATCH_MS;
}

/* ---- destinations ---- */

/* How many from there on go to one destination. */
static size_t run_of(const struct batch *batch, size_t from)
{
    size_t to = from + 1;
    while (to < batch->count && batch->parcels[to]->to == batch->parcels[from]->to)
        to++;
    return to - from;
}

static void move(struct batch *batch, size_t from, size_t to)
{
    struct batch_item item = batch->items[from];
    struct parcel *parcel = batch->parcels[from];
    memmove(&batch->items[to + 1], &batch->items[to], (from - to) * sizeof item);
    memmove(&batch->parcels[to + 1], &batch->parcels[to], (from - to) * sizeof parcel);
    batch->items[to] = item;
    batch->parcels[to] = parcel;
}

/* What goes to one destination is in a row from here on, in the order in which it came. */
static void sort(struct batch *batch)
{
    for (size_t from = 0, n; from < batch->count; from += n) {
        n = run_of(batch, from);
        for (size_t i = from + n; i < batch->count; i++)
            if (batch->parcels[i]->to == batch->parcels[from]->to)
                move(batch, i, from + n++);
    }
}

/* ---- the steps ---- */

static void forget(struct batch *batch)
{
    batch->count = 0;
    batch->told = 0;
    batch->octets = 0;
}

void batch_drop(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        deliver_drop(batch->parcels[i]);
    forget(batch);
}

/* Journal: these messages, with these receipts, are about to become visible. */
static int take(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct buf receipt;
        buf_init(&receipt, RECORD_WORDS_MAX);
        deliver_receipt(batch->parcels[i]->to, batch->parcels[i], &receipt);
        journal_take(batch->journal, batch->items[i].entry, batch->policy, buf_str(&receipt));
        buf_free(&receipt);
    }
    return journal_sync(batch->journal, err);
}

/* One that was in a file before is there still. */
static void keep(struct batch *batch, size_t at, bool *owned)
{
    struct parcel *parcel = batch->parcels[at];
    uint32_t entry = batch->items[at].entry;
    struct deliver_file file = {.octets = 0};
    struct err err;
    const struct journal_failure failure = {
        .reason = parcel->why != NULL ? REASON_DESTINATION : REASON_WAITING,
        .words = str_from(parcel->why != NULL ? parcel->why : "")};
    enum journal_state before = journal_entry(batch->journal, entry).before;
    if (batch->policy == JOURNAL_STUB) { /* the whole is on the server */
        journal_drop(batch->journal, entry);
        return;
    }
    if (!record_is_here(before) && deliver_keep(parcel->to, parcel, &file, &err) < 0) {
        *owned = false;
        journal_drop(batch->journal, entry);
        return;
    }
    const struct journal_file where = {.name = str_from(file.name), .octets = file.octets};
    journal_keep(batch->journal, entry, record_is_here(before) ? before : JOURNAL_KEPT, false,
                 &where, &failure);
}

static void record_outcome(struct batch *batch, size_t at, bool *owned)
{
    switch (batch->parcels[at]->outcome) {
    case PARCEL_DELIVERED:
        journal_done(batch->journal, batch->items[at].entry);
        break;
    case PARCEL_LATER:
    case PARCEL_REFUSED:
        keep(batch, at, owned);
        break;
    case PARCEL_WAITING:
        break; /* its take stays open */
    }
}

static void tell(struct batch *batch, size_t at)
{
    const struct parcel *parcel = batch->parcels[at];
    if (parcel->outcome == PARCEL_WAITING)
        return;
    batch->octets -= parcel->octets;
    batch->told++;
    batch->settled(batch->ctx, &batch->items[at], parcel);
}

/* Publishes some of the batch and journals what became of them. Of a destination that fails as a
 * whole, some takes may stay open: other destinations need not wait for it. */
static int publish(struct batch *batch, size_t from, size_t n, bool *owned, struct err *err)
{
    struct err later;
    int published = 0;
    struct parcel *first = batch->parcels[from];
    if (batch->items[from].dropped)
        first->outcome = PARCEL_DELIVERED;
    else if (batch->is_shut == NULL || !batch->is_shut(batch->ctx, first))
        published = deliver_publish(first->to, batch->parcels + from, n, err);
    else
        for (size_t i = from; i < from + n; i++)
            batch->parcels[i]->outcome = PARCEL_LATER;
    for (size_t i = from; i < from + n; i++)
        record_outcome(batch, i, owned);
    if (journal_sync(batch->journal, published < 0 ? &later : err) < 0)
        return -1;
    for (size_t i = from; i < from + n; i++)
        tell(batch, i);
    return published < 0 && !batch->failed(batch->ctx, first, err) ? -1 : 0;
}

static int publish_all(struct batch *batch, bool *owned, struct err *err)
{
    for (size_t from = 0, n; from < batch->count; from += n) {
        size_t unit = deliver_unit(batch->parcels[from]->to);
        n = run_of(batch, from);
        n = n < unit ? n : unit;
        if (publish(batch, from, n, owned, err) < 0)
            return -1;
    }
    return 0;
}

static void release(struct batch *batch, bool settled)
{
    for (size_t from = 0, n; from < batch->count; from += n) {
        struct deliver *to = batch->parcels[from]->to;
        n = run_of(batch, from);
        if (settled)
            deliver_release(to, batch->parcels + from, n);
        else
            deliver_abandon(batch->parcels + from, n);
    }
    forget(batch);
}

static int secure(const struct batch *batch, struct err *err)
{
    for (size_t from = 0, n; from < batch->count; from += n) {
        n = run_of(batch, from);
        if (deliver_secure(batch->parcels[from]->to, batch->parcels + from, n, err) < 0)
            return -1;
    }
    return 0;
}

int batch_commit(struct batch *batch, bool *owned, struct err *err)
{
    if (batch->count == 0)
        return 0;
    sort(batch);
#ifdef FP_CONTROL_PUBLISH_EARLY
    if (publish_all(batch, owned, err) < 0 || take(batch, err) < 0) {
        release(batch, false);
        return -1;
    }
    for (size_t i = 0; i < batch->count; i++)
        journal_done(batch->journal, batch->items[i].entry);
    release(batch, true);
    return journal_sync(batch->journal, err);
#endif
    if (secure(batch, err) < 0) {
        batch_drop(batch); /* a failed flush is final; nobody has seen these messages yet */
        *owned = false;
        return -1;
    }
    bool taken = take(batch, err) == 0;
    *owned = *owned && taken;
    bool settled = taken && publish_all(batch, owned, err) == 0;
    release(batch, settled);
    return settled ? 0 : -1;
}
