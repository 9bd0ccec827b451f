#include "session/batch.h"

#include <assert.h>

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

void batch_add(struct batch *batch, struct parcel *parcel, uint32_t number, uint32_t entry)
{
    assert(batch->count < BATCH_ROOM);
    if (batch->count == 0)
        batch->since = clock_ms();
    batch->items[batch->count] = (struct batch_item){.number = number, .entry = entry};
    batch->parcels[batch->count++] = parcel;
    batch->octets += parcel->octets;
}

bool batch_is_full(const struct batch *batch)
{
    if (batch->count == 0)
        return false;
    if (deliver_is_command(batch->deliver) && batch->count >= BATCH_COMMANDS)
        return true;
    return batch->count >= batch->files || batch->octets >= BATCH_OCTETS ||
           clock_ms() - batch->since >= BATCH_MS;
}

static void forget(struct batch *batch)
{
    batch->count = 0;
    batch->octets = 0;
}

void batch_drop(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        deliver_drop(batch->deliver, batch->parcels[i]);
    forget(batch);
}

/* Journal: these messages, with these receipts, are about to become visible. */
static int take(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct buf receipt;
        buf_init(&receipt, RECORD_WORDS_MAX);
        deliver_receipt(batch->deliver, batch->parcels[i], &receipt);
        journal_take(batch->journal, batch->items[i].entry, batch->keep, buf_str(&receipt));
        buf_free(&receipt);
    }
    return journal_sync(batch->journal, err);
}

static void record_outcome(struct batch *batch, size_t at)
{
    switch (batch->parcels[at]->outcome) {
    case PARCEL_DELIVERED:
        journal_done(batch->journal, batch->items[at].entry);
        break;
    case PARCEL_LATER:
    case PARCEL_REFUSED:
        journal_drop(batch->journal, batch->items[at].entry);
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
    batch->settled(batch->ctx, &batch->items[at], parcel);
}

/* Publishes some of the batch and journals what became of them. */
static int publish(struct batch *batch, size_t from, size_t n, struct err *err)
{
    struct err later;
    int published = deliver_publish(batch->deliver, batch->parcels + from, n, err);
    for (size_t i = from; i < from + n; i++)
        record_outcome(batch, i);
    if (journal_sync(batch->journal, published < 0 ? &later : err) < 0)
        return -1;
    for (size_t i = from; i < from + n; i++)
        tell(batch, i);
    return published;
}

static int publish_all(struct batch *batch, struct err *err)
{
    size_t unit = deliver_unit(batch->deliver);
    for (size_t from = 0, n; from < batch->count; from += n) {
        n = unit < batch->count - from ? unit : batch->count - from;
        if (publish(batch, from, n, err) < 0)
            return -1;
    }
    return 0;
}

static void release(struct batch *batch, bool settled)
{
    if (settled)
        deliver_release(batch->deliver, batch->parcels, batch->count);
    else
        deliver_abandon(batch->deliver, batch->parcels, batch->count);
    forget(batch);
}

int batch_commit(struct batch *batch, struct err *err)
{
    if (batch->count == 0)
        return 0;
#ifdef FP_CONTROL_PUBLISH_EARLY
    if (publish_all(batch, err) < 0 || take(batch, err) < 0) {
        release(batch, false);
        return -1;
    }
    for (size_t i = 0; i < batch->count; i++)
        journal_done(batch->journal, batch->items[i].entry);
    release(batch, true);
    return journal_sync(batch->journal, err);
#endif
    if (deliver_secure(batch->deliver, batch->parcels, batch->count, err) < 0) {
        batch_drop(batch); /* a failed flush is final; nobody has seen these messages yet */
        return -1;
    }
    bool settled = take(batch, err) == 0 && publish_all(batch, err) == 0;
    release(batch, settled);
    return settled ? 0 : -1;
}
