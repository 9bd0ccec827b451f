#include "session/batch.h"

#include <assert.h>
#include <sys/resource.h>

#include "base/clock.h"

#define OTHER_FILES 64 /* descriptors that are not messages */

size_t batch_room(void)
{
    struct rlimit limit;
    rlim_t want = BATCH_ROOM + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 2;
    if (limit.rlim_cur < want) {
        struct rlimit more = {.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max,
                              .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            limit = more;
    }
    if (limit.rlim_cur >= want)
        return BATCH_ROOM;
    return limit.rlim_cur > OTHER_FILES + 2 ? (size_t)limit.rlim_cur - OTHER_FILES : 2;
}

void batch_add(struct batch *batch, struct parcel *parcel, uint32_t number, uint32_t entry)
{
    assert(batch->count < BATCH_ROOM);
    if (batch->count == 0)
        batch->since = clock_ms();
    batch->items[batch->count++] =
        (struct batch_item){.parcel = parcel, .number = number, .entry = entry};
    batch->octets += parcel->octets;
}

bool batch_is_full(const struct batch *batch)
{
    if (batch->count == 0)
        return false;
    if (deliver_unit(batch->deliver) == 1 && batch->count >= BATCH_COMMANDS)
        return true;
    return batch->count >= batch->files || batch->octets >= BATCH_OCTETS ||
           clock_ms() - batch->since >= BATCH_MS;
}

static void forget(struct batch *batch)
{
    batch->count = 0;
    batch->octets = 0;
}

static size_t list_parcels(const struct batch *batch, size_t from, size_t n,
                           struct parcel *parcels[BATCH_ROOM])
{
    for (size_t i = 0; i < n; i++)
        parcels[i] = batch->items[from + i].parcel;
    return n;
}

void batch_drop(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        deliver_drop(batch->deliver, batch->items[i].parcel);
    forget(batch);
}

/* Journal: these messages, with these receipts, are about to become visible. */
static int take(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct buf receipt;
        buf_init(&receipt, RECORD_WORDS_MAX);
        deliver_receipt(batch->deliver, batch->items[i].parcel, &receipt);
        journal_take(batch->journal, batch->items[i].entry, batch->keep, buf_str(&receipt));
        buf_free(&receipt);
    }
    return journal_sync(batch->journal, err);
}

static void note_outcome(struct batch *batch, const struct batch_item *item)
{
    switch (item->parcel->outcome) {
    case PARCEL_DELIVERED:
        journal_done(batch->journal, item->entry);
        break;
    case PARCEL_LATER:
    case PARCEL_REFUSED:
        journal_drop(batch->journal, item->entry);
        break;
    case PARCEL_WAITING:
        break; /* its take stays open */
    }
}

static void tell(struct batch *batch, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->parcel->outcome == PARCEL_WAITING)
            continue;
        batch->octets -= item->parcel->octets;
        batch->settled(batch->ctx, item, item->parcel->outcome,
                       item->parcel->why != NULL ? item->parcel->why : "");
    }
}

/* Publishes some of the batch and journals what became of them. */
static int publish(struct batch *batch, size_t from, size_t n, struct err *err)
{
    struct parcel *parcels[BATCH_ROOM];
    struct err later;
    list_parcels(batch, from, n, parcels);
    int published = deliver_publish(batch->deliver, parcels, n, err);
    for (size_t i = from; i < from + n; i++)
        note_outcome(batch, &batch->items[i]);
    if (journal_sync(batch->journal, published < 0 ? &later : err) < 0)
        return -1;
    tell(batch, from, n);
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
    struct parcel *parcels[BATCH_ROOM];
    size_t n = list_parcels(batch, 0, batch->count, parcels);
    if (settled)
        deliver_release(batch->deliver, parcels, n);
    else
        deliver_abandon(batch->deliver, parcels, n);
    forget(batch);
}

int batch_commit(struct batch *batch, struct err *err)
{
    struct parcel *parcels[BATCH_ROOM];
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
    list_parcels(batch, 0, batch->count, parcels);
    if (deliver_secure(batch->deliver, parcels, batch->count, err) < 0) {
        batch_drop(batch); /* a failed flush is final; nobody has seen these messages yet */
        return -1;
    }
    bool settled = take(batch, err) == 0 && publish_all(batch, err) == 0;
    release(batch, settled);
    return settled ? 0 : -1;
}
