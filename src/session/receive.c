#include "session/receive.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "session/fault.h"
#include "session/fingerprints.h"
#include "session/match.h"

#define BODY_MAX ((uint64_t)1024 * 1024 * 1024)
#define ROOM_SPARE ((uint64_t)1024 * 1024) /* left free on the file system, for names and journal */
#define PROGRESS_MS 100

static void tell_progress(struct receiver *in)
{
    struct session_run *run = in->poll->run;
    int64_t now = clock_ms();
    if (run->progress == NULL || now - in->told < PROGRESS_MS)
        return;
    in->told = now;
    struct session_figures figures = run->figures;
    figures.octets_coming = in->batch.octets + (in->parcel != NULL ? in->parcel->octets : 0);
    run->progress(run->ctx, &figures);
}

static void on_settled(void *ctx, const struct batch_item *item, const struct parcel *parcel)
{
    struct receiver *in = ctx;
    struct session_figures *figures = &in->poll->run->figures;
    struct message *message = listing_find(in->listing, item->number);
    const struct journal_failure failure = {
        .reason = REASON_DESTINATION, .words = str_from(parcel->why != NULL ? parcel->why : "")};
    if (parcel->outcome == PARCEL_DELIVERED) {
        journal_mark_tried(in->poll->journal, item->entry); /* not again on a new connection */
        figures->fetched++;
        figures->octets += parcel->octets;
        if (plan_deletes_new(&in->poll->rules))
            queue_push(&in->dele, item->number);
    } else if (parcel->outcome == PARCEL_REFUSED) {
        fault_refuse(in->poll, in->listing, message, &failure);
    } else {
        fault_put_off(in->poll, in->listing, message, &failure);
    }
    tell_progress(in);
}

void receive_init(struct receiver *in, struct poll *poll, struct pop3 *pop3,
                  struct listing *listing, size_t room)
{
    *in = (struct receiver){.poll = poll, .pop3 = pop3, .listing = listing};
    in->batch.deliver = poll->deliver;
    in->batch.files = room < BATCH_ROOM ? room / 2 : BATCH_FILES;
    in->batch.journal = poll->journal;
    in->batch.keep = plan_keeps_new(&poll->rules);
    in->batch.settled = on_settled;
    in->batch.ctx = in;
}

void receive_trouble(struct receiver *in, const struct err *err)
{
    if (in->poll->local.kind != ERR_NONE)
        return;
    in->poll->local = *err;
    conn_set_deadline(pop3_conn(in->pop3), clock_in(STOP_GRACE_MS));
}

void receive_commit(struct receiver *in)
{
    struct err err;
    /* What waits to be sent goes out now, so that the server works while the disk does. */
    if (conn_push(pop3_conn(in->pop3), &err) < 0)
        err_clear(&err); /* the next read will say so */
    if (batch_commit(&in->batch, &err) < 0 ||
        (journal_is_dirty(in->poll->journal) && journal_sync(in->poll->journal, &err) < 0))
        receive_trouble(in, &err);
    in->budget = 0;
}

/* ---- a body comes in ---- */

/* LIST may be wrong by much; a body without end is known by being longer than any mail is. */
static uint64_t longest(uint64_t listed)
{
    return BODY_MAX + (listed > UINT64_MAX / 16 ? UINT64_MAX / 2 : 8 * listed);
}

bool receive_expect(struct receiver *in, struct message *message)
{
    if (message->size + ROOM_SPARE > in->budget)
        in->budget = deliver_room(in->poll->deliver);
    if (message->size + ROOM_SPARE > in->budget) {
        fault_put_off(in->poll, in->listing, message,
                      &(struct journal_failure){.reason = REASON_NO_ROOM});
        return false;
    }
    in->budget -= message->size;
    if (in->body_max < longest(message->size))
        in->body_max = longest(message->size);
    return true;
}

static int begin(struct receiver *in, struct err *err)
{
    if (in->parcel != NULL)
        return 0;
    in->like_status = false;
    in->fault = REASON_UNKNOWN;
    return deliver_begin(in->poll->deliver, &in->parcel, err);
}

static int give_up(struct receiver *in, enum reason fault, struct err *err)
{
    char text[LOG_QUOTE_MAX];
    in->fault = fault;
    return err_set(err, ERR_MESSAGE, "%s", reason_text(fault, str_of("", 0), text, sizeof text));
}

int receive_body(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct receiver *in = ctx;
    uint64_t max = in->poll->run->account->max_size;
    if (in->poll->local.kind != ERR_NONE) {
        *err = in->poll->local;
        return -1;
    }
    if (begin(in, err) < 0)
        return -1;
    if (in->parcel->octets == 0)
        in->like_status =
            len >= 4 && (memcmp(bytes, "+OK", 3) == 0 || memcmp(bytes, "-ERR", 4) == 0);
    if (max != 0 && in->parcel->octets + len > max)
        return give_up(in, REASON_SURPRISE, err);
    if (in->parcel->octets + len > in->body_max)
        return give_up(in, REASON_NO_END, err);
    tell_progress(in);
    struct sink sink = spool_sink(in->parcel);
    return sink.write(sink.ctx, bytes, len, err);
}

void receive_drop(struct receiver *in)
{
    if (in->parcel != NULL)
        deliver_drop(in->poll->deliver, in->parcel);
    in->parcel = NULL;
}

void receive_drop_all(struct receiver *in)
{
    receive_drop(in);
    if (in->pending.message != NULL && in->pending.parcel != NULL)
        deliver_drop(in->poll->deliver, in->pending.parcel);
    in->pending.message = NULL;
    batch_drop(&in->batch);
}

/* ---- its answer is whole ---- */

static void refuse(struct receiver *in, struct message *message, enum reason reason)
{
    in->pending.message = message;
    in->pending.parcel = NULL;
    in->pending.later = false;
    in->pending.reason = reason;
    in->pending.words[0] = '\0';
}

int receive_answer(struct receiver *in, const struct pop3_answer *answer, int taken, bool *doubtful,
                   struct err *err)
{
    struct message *message = listing_find(in->listing, answer->number);
    if (taken == 0 && answer->reply.code == REPLY_CODE_UTF8 && !in->poll->utf8) {
        in->poll->wants_utf8 = true;
        return 0;
    }
    if (taken == 0 && answer->reply.kind != REPLY_OK) {
        *doubtful = true;
        refuse(in, message, REASON_REFUSED);
        in->pending.later =
            answer->reply.code == REPLY_CODE_SYS_TEMP || answer->reply.code == REPLY_CODE_IN_USE;
        log_quote(in->poll->run->log, answer->reply.text, in->pending.words);
        return 0;
    }
    if (taken == 0 && in->poll->local.kind != ERR_NONE) { /* an empty one, while winding down */
        receive_drop(in);
        return 0;
    }
    if (taken < 0 || begin(in, err) < 0 || deliver_finish(in->poll->deliver, in->parcel, err) < 0) {
        receive_drop(in);
        if (err->kind == ERR_MESSAGE)
            refuse(in, message, in->fault);
        else
            receive_trouble(in, err);
        return 0;
    }
    /* A stray status line that took the place of the true one is no more than four octets. */
    if (in->like_status && message->size != answer->octets)
        return err_set(err, ERR_FRAMING,
                       "two status lines for one answer; tell the server's administrator");
    /* Some servers count a line end as one octet. */
    if (message->size != answer->octets && message->size != in->parcel->octets)
        *doubtful = true;
    in->parcel->uidl = listing_uidl(in->listing, message);
    in->pending.message = message;
    in->pending.parcel = in->parcel;
    in->parcel = NULL;
    return 0;
}

/* ---- what it is ---- */

/* A message that had to be fetched to be known, and turns out to be one that we have. */
static bool is_known(struct receiver *in, struct message *message, struct header *header)
{
    struct fingerprint fingerprint = fingerprints_of(header);
    if (message->compare) /* it was delivered, and could not show its header */
        return match_confirm(in->listing, message, &fingerprint);
    if (message->entry != JOURNAL_NONE || listing_fingerprint(in->listing, message) != NULL) {
        listing_set_fingerprint(in->listing, message, &fingerprint);
        return false;
    }
    uint32_t id = match_fetched(in->listing, message, &fingerprint);
    if (id == JOURNAL_NONE)
        return false;
    struct journal_entry entry = journal_entry(in->poll->journal, id);
    return entry.state == JOURNAL_DONE || entry.state == JOURNAL_GONE;
}

static void forget_copy(struct receiver *in, struct message *message, struct parcel *parcel)
{
    struct plan_rules rules = in->poll->rules;
    uint32_t fetched = 0;
    rules.switches.fetch_seen = false;
    in->poll->run->figures.seen++;
    struct plan_message known =
        plan_look_up(&rules, in->poll->journal, message->entry, message->size);
    if (plan_decide(&rules, &known, &fetched) == PLAN_DELETE)
        queue_push(&in->dele, message->number);
    deliver_drop(in->poll->deliver, parcel);
}

static void accept_parcel(struct receiver *in, struct message *message, struct parcel *parcel)
{
    if (is_known(in, message, parcel->header)) {
        forget_copy(in, message, parcel);
        return;
    }
    uint32_t entry = listing_enter(in->listing, message);
    struct journal_subject subject = listing_subject(in->listing, message);
    journal_learn(in->poll->journal, entry, &subject);
    if (!deliver_is_command(in->poll->deliver)) { /* nobody else is told what it says */
        header_free(parcel->header);
        parcel->header = NULL;
    }
    batch_add(&in->batch, parcel, message->number, entry);
#ifdef FP_CONTROL_DELE_EARLY
    if (plan_deletes_new(&in->poll->rules))
        queue_push(&in->dele, message->number);
#endif
}

void receive_confirm(struct receiver *in)
{
    struct message *message = in->pending.message;
    const struct journal_failure failure = {.reason = in->pending.reason,
                                            .words = str_from(in->pending.words)};
    in->pending.message = NULL;
    if (message == NULL)
        return;
    if (in->pending.parcel != NULL)
        accept_parcel(in, message, in->pending.parcel);
    else if (in->pending.later)
        fault_put_off(in->poll, in->listing, message, &failure);
    else
        fault_refuse(in->poll, in->listing, message, &failure);
}
