#include "session/fetch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/batch.h"
#include "session/blame.h"
#include "session/pipe.h"
#include "session/proof.h"
#include "session/queue.h"

#define BODY_MAX ((uint64_t)1024 * 1024 * 1024)
#define ROOM_SPARE ((uint64_t)1024 * 1024) /* left free on the file system, for names and journal */

/* The last answer to a RETR, until what follows it is seen to be in step. */
struct pending {
    bool there;
    uint32_t number;
    struct parcel *parcel; /* complete; NULL for a refusal */
    bool later;            /* of a refusal: it may work later */
    enum reason reason;    /* of a refusal */
    char words[LOG_QUOTE_MAX + 4];
};

struct fetch {
    struct fetch_job *job;
    struct pop3 *pop3;
    struct listing *listing;
    struct queue wanted;   /* RETR these, first once ... */
    struct queue retries;  /* ... then these, one at a time */
    struct queue dele;     /* DELE these */
    struct queue deleted;  /* DELE was taken */
    size_t room;           /* messages that may be open at once */
    uint32_t retrieving;   /* RETRs outstanding */
    bool winding_down;     /* no new message is begun */
    uint32_t unproved;     /* RETRs sent since the last proof was asked for */
    uint32_t last_asked;   /* message of the last RETR */
    struct proof proof;    /* questions under way */
    bool odd;              /* the batch has a message whose length is not what LIST said, or a
                               refusal among its answers: without proof it is not believed */
    bool like_status;      /* the body under way begins as a status line does */
    struct parcel *parcel; /* being written */
    enum reason fault;     /* why it was given up, if that is its own fault */
    uint64_t body_max;     /* no message is as long as that, whatever it says of itself */
    uint64_t budget;       /* octets there is room for */
    struct pending pending;
    int64_t told; /* clock_ms() of the last progress */
    struct batch batch;
};

static void tell_progress(struct fetch *fetch)
{
    struct session_run *run = fetch->job->run;
    int64_t now = clock_ms();
    if (run->progress == NULL || now - fetch->told < 100)
        return;
    fetch->told = now;
    struct session_figures figures = run->figures;
    figures.octets_coming =
        fetch->batch.octets + (fetch->parcel != NULL ? fetch->parcel->octets : 0);
    run->progress(run->ctx, &figures);
}

/* ---- what becomes of messages ---- */

static void on_settled(void *ctx, const struct batch_item *item, enum parcel_outcome outcome,
                       const char *why)
{
    struct fetch *fetch = ctx;
    struct journal_failure failure = {.reason = REASON_DESTINATION, .words = str_from(why)};
    struct session_figures *figures = &fetch->job->run->figures;
    struct message *message = listing_find(fetch->listing, item->number);
    if (outcome == PARCEL_DELIVERED) {
        journal_mark_tried(fetch->job->journal, item->entry); /* not again on a new connection */
        figures->fetched++;
        figures->octets += item->parcel->octets;
        if (plan_deletes_new(&fetch->job->rules))
            queue_push(&fetch->dele, item->number);
    } else if (outcome == PARCEL_REFUSED) {
        blame_refuse(fetch->job, fetch->listing, message, &failure);
    } else {
        blame_put_off(fetch->job, fetch->listing, message, &failure);
    }
    tell_progress(fetch);
}

/* Trouble on our side is trouble for every message: no new one is begun. */
static void local_trouble(struct fetch *fetch, const struct err *err)
{
    if (fetch->job->local.kind != ERR_NONE)
        return;
    fetch->job->local = *err;
    fetch->winding_down = true;
    conn_set_deadline(pop3_conn(fetch->pop3), clock_in(STOP_GRACE_MS));
}

static void commit(struct fetch *fetch)
{
    struct err err;
    /* What waits to be sent goes out now, so that the server works while the disk does. */
    if (conn_push(pop3_conn(fetch->pop3), &err) < 0)
        err_clear(&err); /* the next read will say so */
    if (batch_commit(&fetch->batch, &err) < 0 ||
        (journal_is_dirty(fetch->job->journal) && journal_sync(fetch->job->journal, &err) < 0))
        local_trouble(fetch, &err);
    fetch->budget = 0;
}

static bool one_at_a_time(const struct fetch *fetch)
{
    return fetch->job->careful || fetch->job->alone;
}

static bool is_due(const struct fetch *fetch)
{
    return batch_is_full(&fetch->batch) || (fetch->batch.count > 0 && (one_at_a_time(fetch)));
}

static bool is_what_was_delivered(struct fetch *fetch, struct message *message,
                                  struct parcel *parcel)
{
    struct record record = journal_record(fetch->job->journal, message->entry);
    struct fingerprint known = record_fingerprint(&record), fingerprint = {.known = true};
    fingerprint.has_message_id = header_has_message_id(parcel->header);
    header_fingerprint(parcel->header, fingerprint.bytes);
    if (known.known && memcmp(known.bytes, fingerprint.bytes, sizeof fingerprint.bytes) == 0)
        return true;
    journal_unlist(fetch->job->journal, message->entry);
    message->entry = JOURNAL_NONE;
    listing_set_fingerprint(fetch->listing, message, &fingerprint);
    return false;
}

/* A message that had to be fetched to be known, and turns out to be one that we have. */
static bool is_known(struct fetch *fetch, struct message *message, struct parcel *parcel)
{
    if (message
            ->compare) /* it was delivered, and could not show its header: is it still the same? */
        return is_what_was_delivered(fetch, message, parcel);
    struct fingerprint fingerprint = {.known = true};
    fingerprint.has_message_id = header_has_message_id(parcel->header);
    header_fingerprint(parcel->header, fingerprint.bytes);
    if (listing_fingerprint(fetch->listing, message) != NULL || message->entry != JOURNAL_NONE) {
        listing_set_fingerprint(fetch->listing, message, &fingerprint);
        return false;
    }
    uint32_t id = listing_recognise(fetch->listing, message, &fingerprint);
    if (id == JOURNAL_NONE)
        return false;
    struct journal_entry entry = journal_entry(fetch->job->journal, id);
    return entry.state == JOURNAL_DONE || entry.state == JOURNAL_GONE;
}

struct plan_message fetch_plan_message(const struct fetch_job *job, const struct message *message)
{
    struct plan_message plan = {.size = message->size, .known = JOURNAL_FREE};
    if (message->entry == JOURNAL_NONE)
        return plan;
    struct journal_entry entry = journal_entry(job->journal, message->entry);
    plan.known = entry.state;
    plan.keep = entry.keep;
    if (job->rules.keep == PLAN_KEEP_FOR) /* nobody else asks when */
        plan.first_seen = (int64_t)journal_record(job->journal, message->entry).first_seen;
    return plan;
}

static void forget_copy(struct fetch *fetch, struct message *message, struct parcel *parcel)
{
    struct plan_rules rules = fetch->job->rules;
    uint32_t fetched = 0;
    rules.fetch_seen = false;
    fetch->job->run->figures.seen++;
    struct plan_message known = fetch_plan_message(fetch->job, message);
    if (plan_decide(&rules, &known, &fetched) == PLAN_DELETE)
        queue_push(&fetch->dele, message->number);
    deliver_drop(fetch->job->deliver, parcel);
}

static void accept_parcel(struct fetch *fetch, struct message *message, struct parcel *parcel)
{
    if (is_known(fetch, message, parcel)) {
        forget_copy(fetch, message, parcel);
        return;
    }
    uint32_t entry = blame_entry(fetch->job, fetch->listing, message);
    struct journal_subject subject = listing_subject(fetch->listing, message);
    journal_learn(fetch->job->journal, entry, &subject);
    if (deliver_unit(fetch->job->deliver) != 1) { /* only a command is told what it says */
        header_free(parcel->header);
        parcel->header = NULL;
    }
    batch_add(&fetch->batch, parcel, message->number, entry);
#ifdef FP_CONTROL_DELE_EARLY
    if (plan_deletes_new(&fetch->job->rules))
        queue_push(&fetch->dele, message->number);
#endif
}

/* What follows is in step: the pending answer is what it seems to be. */
static void confirm(struct fetch *fetch)
{
    struct pending pending = fetch->pending;
    fetch->pending.there = false;
    if (!pending.there)
        return;
    struct message *message = listing_find(fetch->listing, pending.number);
    struct journal_failure failure = {.reason = pending.reason, .words = str_from(pending.words)};
    if (pending.parcel != NULL)
        accept_parcel(fetch, message, pending.parcel);
    else if (pending.later)
        blame_put_off(fetch->job, fetch->listing, message, &failure);
    else
        blame_refuse(fetch->job, fetch->listing, message, &failure);
}

/* ---- the pipe ---- */

/* No message is asked for that there is no room for. */
static bool has_room(struct fetch *fetch, struct message *message)
{
    if (message->size + ROOM_SPARE > fetch->budget)
        fetch->budget = deliver_room(fetch->job->deliver);
    if (message->size + ROOM_SPARE > fetch->budget) {
        blame_put_off(fetch->job, fetch->listing, message,
                      &(struct journal_failure){.reason = REASON_NO_ROOM});
        return false;
    }
    fetch->budget -= message->size;
    return true;
}

static bool may_begin(struct fetch *fetch)
{
    if (fetch->winding_down)
        return false;
    if (stop_asked() || clock_left(fetch->job->deadline) == 0) {
        fetch->winding_down = true;
        fetch->job->cut_short = queue_has_next(&fetch->wanted) || queue_has_next(&fetch->retries);
        return false;
    }
    if (fetch->batch.count + fetch->retrieving + 1 >= fetch->room)
        return false;
    if (one_at_a_time(fetch) && (pop3_outstanding(fetch->pop3) > 0 || fetch->batch.count > 0))
        return false;
    /* A command may take long, and the server must not be kept waiting in mid-answer. */
    return deliver_unit(fetch->job->deliver) != 1 ||
           fetch->batch.count + fetch->retrieving < BATCH_COMMANDS;
}

static bool next_message(struct fetch *fetch, uint32_t *number)
{
    for (;;) {
        struct queue *from = queue_has_next(&fetch->wanted) ? &fetch->wanted : &fetch->retries;
        if (!queue_has_next(from))
            return false;
        /* What failed before is asked for alone, so that its next failure is its own. */
        if (from == &fetch->retries && pop3_outstanding(fetch->pop3) > 0)
            return false;
        *number = from->at[from->next++];
        if (has_room(fetch, listing_find(fetch->listing, *number)))
            return true;
    }
}

/* LIST may be wrong by much; a body without end is told by being longer than any mail is. */
static uint64_t longest(uint64_t listed)
{
    return BODY_MAX + (listed > UINT64_MAX / 16 ? UINT64_MAX / 2 : 8 * listed);
}

static bool is_proving(const struct fetch *fetch)
{
    return fetch->proof.asked > 0 || fetch->proof.left > 0;
}

/* Behind the last RETR there is for now, and behind the one that fills a batch. */
static bool ask_proof(struct fetch *fetch, enum pop3_verb *verb, uint32_t *number)
{
    if (fetch->unproved == 0 || is_proving(fetch))
        return false;
    *number = fetch->last_asked;
    fetch->unproved = 0;
    fetch->proof = (struct proof){.asked = 1};
    if (proof_ask(listing_find(fetch->listing, *number), verb))
        return true;
    fetch->proof.asked = 0;
    return false;
}

static void ask_series(struct fetch *fetch, enum pop3_verb *verb, uint32_t *number)
{
    size_t which = proof_choose(&fetch->proof, fetch->batch.count);
    *number = fetch->batch.items[which].number;
    proof_ask_by_chance(&fetch->proof, listing_find(fetch->listing, *number), verb);
    fetch->proof.left--;
    fetch->proof.asked++;
}

static int next_of_mail(struct fetch *fetch, enum pop3_verb *verb, uint32_t *number)
{
    if (fetch->proof.left > 0) {
        ask_series(fetch, verb, number);
        return 1;
    }
    if (is_due(fetch) && ask_proof(fetch, verb, number))
        return 1;
    if (!may_begin(fetch) || !next_message(fetch, number))
        return ask_proof(fetch, verb, number);
    *verb = POP3_RETR;
    if (fetch->body_max < longest(listing_find(fetch->listing, *number)->size))
        fetch->body_max = longest(listing_find(fetch->listing, *number)->size);
    fetch->retrieving++;
    fetch->unproved++;
    fetch->last_asked = *number;
    return 1;
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct fetch *fetch = ctx;
    if (pop3_outstanding(fetch->pop3) == 0 && fetch->pending.there) {
        if (pop3_check_silence(fetch->pop3, err) < 0)
            return -1;
        confirm(fetch);
    }
    if (queue_has_next(&fetch->dele)) {
        *verb = POP3_DELE;
        *number = fetch->dele.at[fetch->dele.next++];
        return 1;
    }
    return next_of_mail(fetch, verb, number);
}

static int begin(struct fetch *fetch, struct err *err)
{
    if (fetch->parcel != NULL)
        return 0;
    fetch->like_status = false;
    return deliver_begin(fetch->job->deliver, &fetch->parcel, err);
}

static int give_up(struct fetch *fetch, enum reason fault, struct err *err)
{
    char text[LOG_QUOTE_MAX];
    fetch->fault = fault;
    return err_set(err, ERR_MESSAGE, "%s", reason_text(fault, str_of("", 0), text, sizeof text));
}

static int write_body(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct fetch *fetch = ctx;
    uint64_t max = fetch->job->rules.max_size;
    if (fetch->job->local.kind != ERR_NONE) {
        *err = fetch->job->local;
        return -1;
    }
    if (begin(fetch, err) < 0)
        return -1;
    if (fetch->parcel->octets == 0)
        fetch->like_status =
            len >= 4 && (memcmp(bytes, "+OK", 3) == 0 || memcmp(bytes, "-ERR", 4) == 0);
    if (max != 0 && fetch->parcel->octets + len > max)
        return give_up(fetch, REASON_SURPRISE, err);
    if (fetch->parcel->octets + len > fetch->body_max)
        return give_up(fetch, REASON_NO_END, err);
    tell_progress(fetch);
    struct sink sink = spool_sink(fetch->parcel);
    return sink.write(sink.ctx, bytes, len, err);
}

static void drop_parcel(struct fetch *fetch)
{
    if (fetch->parcel != NULL)
        deliver_drop(fetch->job->deliver, fetch->parcel);
    fetch->parcel = NULL;
}

/* A body that we could not take: the message's own fault, or ours. */
static void body_failed(struct fetch *fetch, uint32_t number, const struct err *why)
{
    drop_parcel(fetch);
    if (why->kind != ERR_MESSAGE) {
        local_trouble(fetch, why);
        return;
    }
    fetch->pending = (struct pending){.there = true, .number = number, .reason = fetch->fault};
}

static void message_refused(struct fetch *fetch, const struct pop3_answer *answer)
{
    const struct reply *reply = &answer->reply;
    fetch->pending =
        (struct pending){.there = true, .number = answer->number, .reason = REASON_REFUSED};
    fetch->pending.later = reply->code == REPLY_CODE_SYS_TEMP || reply->code == REPLY_CODE_IN_USE;
    log_quote(fetch->job->run->log, reply->text, fetch->pending.words);
}

/* Some servers count a line end as one octet. */
static bool is_odd(const struct fetch *fetch, const struct message *message, uint64_t octets)
{
    return message->size != octets && message->size != fetch->parcel->octets;
}

static int retrieved(struct fetch *fetch, const struct pop3_answer *answer, int taken,
                     struct err *err)
{
    struct message *message = listing_find(fetch->listing, answer->number);
    fetch->retrieving--;
    if (taken == 0 && answer->reply.kind != REPLY_OK) {
        fetch->odd = true;
        message_refused(fetch, answer);
        return 0;
    }
    if (taken == 0 && fetch->job->local.kind != ERR_NONE) { /* an empty one, while winding down */
        drop_parcel(fetch);
        return 0;
    }
    if (taken < 0 || begin(fetch, err) < 0 ||
        deliver_finish(fetch->job->deliver, fetch->parcel, err) < 0) {
        body_failed(fetch, answer->number, err);
        return 0;
    }
    bool odd = is_odd(fetch, message, answer->octets);
    /* A stray status line that took the place of the true one is no more than four octets. */
    if (fetch->like_status && message->size != answer->octets)
        return err_set(err, ERR_FRAMING,
                       "two status lines for one answer; ask who runs the server");
    fetch->odd = fetch->odd || odd;
    fetch->parcel->uidl = listing_uidl(fetch->listing, message);
    fetch->pending =
        (struct pending){.there = true, .number = answer->number, .parcel = fetch->parcel};
    fetch->parcel = NULL;
    return 0;
}

static void dele_answered(struct fetch *fetch, const struct pop3_answer *answer)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (answer->reply.kind == REPLY_OK) {
        queue_push(&fetch->deleted, answer->number);
        return;
    }
    fetch->job->later++;
    log_line(fetch->job->run->log, FP_LOG_WARNING,
             "message %u was delivered, but the server will not delete it: \"%s\"", answer->number,
             log_quote(fetch->job->run->log, answer->reply.text, shown));
}

/* The batch is committed when the last question about it has its answer. */
static int proved(struct fetch *fetch, const struct pop3_answer *answer, struct err *err)
{
    const struct message *message = listing_find(fetch->listing, answer->number);
    if (proof_check(&fetch->proof, fetch->pop3, fetch->listing, message, answer, err) < 0)
        return -1;
    if (is_proving(fetch))
        return 0;
    if (!fetch->proof.in_series && fetch->batch.count > 0 &&
        (fetch->odd || fetch->proof.none[0] + fetch->proof.none[1] > 0)) {
        proof_begin_series(&fetch->proof);
        return 0;
    }
    fetch->odd = false;
    if (deliver_unit(fetch->job->deliver) != 1) /* a command waits until the pipe is empty */
        commit(fetch);
    return 0;
}

static int on_answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct fetch *fetch = ctx;
    confirm(fetch);
    if (answer->verb == POP3_UIDL_ONE || answer->verb == POP3_LIST_ONE)
        return proved(fetch, answer, err);
    if (answer->verb == POP3_RETR)
        return retrieved(fetch, answer, taken, err);
    dele_answered(fetch, answer);
    return 0;
}

/* ---- the whole ---- */

/* What a connection broke over may break this one too; if QUIT has nothing to carry out, nothing is
 * at stake once all else is committed. */
static void plan(struct fetch *fetch, const uint32_t *verified, uint32_t count)
{
    const struct fetch_job *job = fetch->job;
    bool at_stake = count > 0 || plan_deletes_new(&job->rules);
    if (!job->alone) {
        queue_push_all(&fetch->wanted, fetch->listing, PLAN_FETCH);
        queue_push_all(&fetch->retries, fetch->listing, PLAN_RETRY);
    }
    if (job->alone || !at_stake)
        queue_push_by_tries(&fetch->retries, fetch->listing, job->journal, job->rules.max_tries);
    for (uint32_t i = 0; i < count; i++)
        queue_push(&fetch->dele, verified[i]);
}

static bool is_done(const struct fetch *fetch)
{
    if (queue_has_next(&fetch->dele) || fetch->pending.there)
        return false;
    return fetch->winding_down ||
           (!queue_has_next(&fetch->wanted) && !queue_has_next(&fetch->retries));
}

/* Out of step: what is not committed yet may be anybody's words. It is thrown away and fetched
 * again by the next connection: one by one, if nobody can tell which message it was. */
static void out_of_step(struct fetch *fetch, const struct pop3_answer *answer,
                        const struct err *why)
{
    bool retrieving = answer->number != 0 && answer->verb == POP3_RETR;
    uint32_t only = fetch->batch.count == 1 ? fetch->batch.items[0].number : 0;
    if (fetch->pending.there)
        blame_break(fetch->job, fetch->listing, fetch->pending.number, why);
    if (retrieving)
        blame_break(fetch->job, fetch->listing, answer->number, why);
    else if (!fetch->pending.there && only != 0)
        blame_break(fetch->job, fetch->listing, only, why);
    else if (!fetch->pending.there)
        fetch->job->careful = true;
    if (fetch->pending.there && fetch->pending.parcel != NULL)
        deliver_drop(fetch->job->deliver, fetch->pending.parcel);
    batch_drop(&fetch->batch);
}

/* The connection is lost. What was complete is kept; a message in mid-answer comes last from now
 * on, since it may be the reason. */
static void broken(struct fetch *fetch, const struct pop3_answer *answer, const struct err *why)
{
    bool in_step = answer->reply.kind != REPLY_JUNK;
    bool in_body = answer->number != 0 && answer->verb == POP3_RETR;
    bool ours = in_body && in_step && answer->given_up && err_keeps_connection(why->kind);
    drop_parcel(fetch);
    if (in_step || (why->kind != ERR_FRAMING && fetch->pending.parcel != NULL))
        confirm(fetch);
    if (ours && why->kind == ERR_MESSAGE)
        blame_fault(fetch->job, fetch->listing, answer->number,
                    &(struct journal_failure){.reason = fetch->fault});
    else if (ours)
        local_trouble(fetch, why);
    else if (why->kind == ERR_FRAMING)
        out_of_step(fetch, answer, why);
    else if (in_body && fetch->job->local.kind == ERR_NONE &&
             (why->kind == ERR_TIMEOUT || why->kind == ERR_CLOSED))
        blame_break(fetch->job, fetch->listing, answer->number, why);
    fetch->pending.there = false;
    if (fetch->odd)
        batch_drop(&fetch->batch);
}

static int run(struct fetch *fetch, struct err *err)
{
    struct pop3_taker taker = {.sink = {.write = write_body, .ctx = fetch}};
    struct pipeline pipe = {
        .pop3 = fetch->pop3, .ctx = fetch, .next = next, .taker = &taker, .answer = on_answer};
    struct pop3_answer answer;
    do {
        int ran = pipe_run(&pipe, &answer, err);
        if (ran < 0)
            broken(fetch, &answer, err);
        commit(fetch);
        if (ran < 0 && err->kind == ERR_MESSAGE)
            err->kind = ERR_FRAMING; /* one message's fault: the others are worth a connection */
        if (ran < 0)
            return -1;
    } while (!is_done(fetch));
    return 0;
}

int fetch_run(struct fetch_job *job, struct pop3 *pop3, struct listing *listing,
              const uint32_t *verified, uint32_t verified_count, uint32_t **deleted,
              uint32_t *deleted_count, struct err *err)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);
    fetch->job = job;
    fetch->pop3 = pop3;
    fetch->listing = listing;
    fetch->room = batch_room();
    fetch->batch = (struct batch){.deliver = job->deliver,
                                  .files = fetch->room < BATCH_ROOM ? fetch->room / 2 : BATCH_FILES,
                                  .journal = job->journal,
                                  .keep = !plan_deletes_new(&job->rules),
                                  .settled = on_settled,
                                  .ctx = fetch};
    plan(fetch, verified, verified_count);
    int result = run(fetch, err);
    *deleted = fetch->deleted.at;
    *deleted_count = fetch->deleted.count;
    free(fetch->wanted.at);
    free(fetch->retries.at);
    free(fetch->dele.at);
    free(fetch);
    return result;
}
