/* SPDX-License-Identifier: ISC */
#include "session/stub.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/batch.h"
#include "session/decide.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/fingerprints.h"
#include "session/headers.h"
#include "session/pipe.h"
#include "session/queue.h"
#include "session/sift.h"

struct stubbing {
    struct poll *poll;
    struct pop3 *pop3;
    struct listing *listing;
    struct queue wanted;
    struct parcel *parcel; /* being written */
    uint64_t octets;
    bool within_line, in_body; /* of what comes */
    unsigned lines;            /* of the body, so far */
    bool refused;              /* some of them */
    unsigned row;              /* the destination did not take the last ones */
    bool owned;                /* of the batch: nothing of it is lost, since the server keeps it */
    struct batch batch;
};

static void on_settled(void *ctx, const struct batch_item *item, const struct parcel *parcel)
{
    struct stubbing *stubbing = ctx;
    struct poll *poll = stubbing->poll;
    char name[LOG_QUOTE_MAX + 40];
    journal_mark_tried(poll->journal, item->entry);
    if (parcel->outcome == PARCEL_DELIVERED) {
        poll->run->figures.fetched++;
        poll->run->figures.octets += parcel->octets;
        stubbing->row = 0;
        destination_took(poll, parcel);
        poll_tell_delivered(poll, item->entry, parcel);
        return;
    }
    poll->later++;
    if (parcel->why == NULL) /* nobody was asked to take it */
        return;
    stubbing->row++;
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; the next run tries again",
             listing_name(stubbing->listing, listing_find(stubbing->listing, item->number),
                          poll->run->log, name, sizeof name),
             parcel->why);
}

/* ---- what comes ---- */

/* As --fetch wants it; what nobody can type is no loss. */
static void spell_uidl(struct str uidl, char out[RECORD_UIDL_MAX + 1])
{
    size_t len = 0;
    for (; len < uidl.len && len < RECORD_UIDL_MAX; len++)
        out[len] = uidl.ptr[len] > ' ' && uidl.ptr[len] <= '~' ? uidl.ptr[len] : '?';
    out[len] = '\0';
}

static int begin(struct stubbing *stubbing, struct err *err)
{
    const struct message *message =
        listing_find(stubbing->listing, stubbing->wanted.at[stubbing->wanted.next - 1]);
    char uidl[RECORD_UIDL_MAX + 1], line[sizeof uidl + 80];
    if (stubbing->parcel != NULL)
        return 0;
    spell_uidl(listing_uidl(stubbing->listing, message), uidl);
    if (deliver_begin(stubbing->poll->routes.at->deliver, &stubbing->parcel, err) < 0)
        return -1;
    int len = snprintf(line, sizeof line, "X-Fetchpop-Stub: %llu octets, %s\n",
                       (unsigned long long)message->size, uidl);
    struct sink sink = spool_sink(stubbing->parcel);
    return sink.write(sink.ctx, line, (size_t)len, err);
}

/* Some servers give all lines, however many they were asked for. */
static size_t cut(struct stubbing *stubbing, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && stubbing->lines < POP3_STUB_LINES) {
        const char *end = memchr(bytes + at, '\n', len - at);
        bool empty = !stubbing->within_line && end == bytes + at;
        stubbing->lines += stubbing->in_body && end != NULL;
        stubbing->in_body = stubbing->in_body || empty;
        stubbing->within_line = end == NULL;
        at = end != NULL ? (size_t)(end - bytes) + 1 : len;
    }
    return at;
}

static int take(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct stubbing *stubbing = ctx;
    stubbing->octets += len;
    if (stubbing->octets > HEADERS_BODY_MAX)
        return err_set(err, ERR_MESSAGE, "TOP has no end");
    if (begin(stubbing, err) < 0)
        return -1;
    struct sink sink = spool_sink(stubbing->parcel);
    return sink.write(sink.ctx, bytes, cut(stubbing, bytes, len), err);
}

static void drop(struct stubbing *stubbing)
{
    if (stubbing->parcel != NULL)
        deliver_drop(stubbing->parcel);
    stubbing->parcel = NULL;
}

static int commit(struct stubbing *stubbing, struct err *err)
{
    return batch_commit(&stubbing->batch, &stubbing->owned, err);
}

static int add(struct stubbing *stubbing, struct message *message, struct err *err)
{
    struct parcel *parcel = stubbing->parcel;
    if (begin(stubbing, err) < 0 || deliver_finish(stubbing->parcel, err) < 0)
        return -1;
    parcel = stubbing->parcel;
    stubbing->parcel = NULL;
    parcel->uidl = listing_uidl(stubbing->listing, message);
    struct fingerprint shown = fingerprints_of(parcel->header, false);
    listing_set_fingerprint(stubbing->listing, message, &shown);
    uint32_t entry = listing_enter(stubbing->listing, message);
    struct journal_subject subject = listing_subject(stubbing->listing, message);
    journal_learn(stubbing->poll->journal, entry, &subject);
    batch_add(&stubbing->batch, parcel,
              (struct batch_item){.number = message->number, .entry = entry});
    return batch_is_full(&stubbing->batch) ? commit(stubbing, err) : 0;
}

/* The server has no beginning of this message, or one without end: then it is fetched whole. */
static void refuse(struct stubbing *stubbing, struct message *message, struct str words)
{
    struct poll *poll = stubbing->poll;
    char name[LOG_QUOTE_MAX + 40], quoted[LOG_QUOTE_MAX + 4];
    const struct journal_failure failure = {
        .reason = REASON_REFUSED, .words = str_from(log_quote(poll->run->log, words, quoted))};
    if (fault_is_passing(words)) {
        fault_put_off(poll, stubbing->listing, message, &failure);
        return;
    }
    log_line(poll->run->log, FP_LOG_NOTE,
             "%s: the server gives no beginning: \"%s\"; it is fetched whole",
             listing_name(stubbing->listing, message, poll->run->log, name, sizeof name), quoted);
    sift_fetch_whole(poll, stubbing->listing, message);
    stubbing->refused = true;
}

static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct stubbing *stubbing = ctx;
    struct poll *poll = stubbing->poll;
    struct message *message = listing_find(stubbing->listing, answer->number);
    /* With nothing in it, it says nothing of the message, nor which one it is. */
    bool came = taken == 0 && answer->reply.kind == REPLY_OK && stubbing->octets > 0;
    if (!came && (taken == 0 || err->kind == ERR_MESSAGE))
        refuse(stubbing, message, taken == 0 ? answer->reply.text : str_from(err->text));
    else if ((!came || add(stubbing, message, err) < 0) && poll->local.kind == ERR_NONE)
        poll->local = *err;
    drop(stubbing);
    stubbing->octets = stubbing->lines = 0;
    stubbing->within_line = stubbing->in_body = false;
    return 0;
}

/* One at a time: no answer can be taken for another's. */
static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct stubbing *stubbing = ctx;
    struct poll *poll = stubbing->poll;
    (void)err;
    if (!queue_has_next(&stubbing->wanted) || pop3_outstanding(stubbing->pop3) > 0 ||
        stubbing->row >= DESTINATION_ROW || poll->local.kind != ERR_NONE || stop_asked() ||
        clock_left(poll->deadline) == 0)
        return 0;
    *verb = POP3_STUB;
    *number = stubbing->wanted.at[stubbing->wanted.next++];
    return 1;
}

static bool is_shut(void *ctx, const struct parcel *parcel)
{
    const struct stubbing *stubbing = ctx;
    return stubbing->row >= DESTINATION_ROW || destination_is_shut(stubbing->poll, parcel);
}

static bool failed(void *ctx, const struct parcel *parcel, const struct err *err)
{
    return destination_failed(((struct stubbing *)ctx)->poll, parcel, err);
}

int stub_run(struct poll *poll, struct pop3 *pop3, struct listing *listing, struct err *err)
{
    struct stubbing *stubbing = xcalloc(1, sizeof *stubbing);
    struct pop3_taker taker = {.sink = {.write = take, .ctx = stubbing}};
    struct pipeline pipe = {
        .pop3 = pop3, .ctx = stubbing, .next = next, .taker = &taker, .answer = answer};
    struct err why;
    *stubbing = (struct stubbing){.poll = poll, .pop3 = pop3, .listing = listing, .owned = true};
    stubbing->batch.journal = poll->journal;
    stubbing->batch.files = batch_files(batch_room());
    stubbing->batch.commands = routes_have_command(&poll->routes);
    stubbing->batch.policy = JOURNAL_STUB;
    stubbing->batch.settled = on_settled;
    stubbing->batch.is_shut = is_shut;
    stubbing->batch.failed = failed;
    stubbing->batch.ctx = stubbing;
    queue_push_all(&stubbing->wanted, listing, PLAN_STUB);
    int result = stubbing->wanted.count == 0 ? 0 : pipe_run(&pipe, NULL, err);
    drop(stubbing);
    if (commit(stubbing, &why) < 0 && poll->local.kind == ERR_NONE)
        poll->local = why;
    if (stubbing->refused && result == 0)
        decide_whole(poll, listing);
    free(stubbing->wanted.at);
    free(stubbing);
    return result;
}
