/* SPDX-License-Identifier: ISC */
#include "session/receive.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/stop.h"
#include "session/belief.h"
#include "session/dates.h"
#include "session/decide.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/heading.h"
#include "session/kept.h"
#include "session/sift.h"
#include "session/through.h"

#define PROGRESS_MS 100

static void tell_progress(struct receiver *in)
{
    struct session_run *run = in->poll->run;
    int64_t now = clock_ms();
    if (run->progress == NULL || now - in->shown < PROGRESS_MS)
        return;
    in->shown = now;
    struct session_figures figures = run->figures;
    figures.coming = (uint32_t)(in->batch.count - in->batch.told);
    figures.octets_coming = in->batch.octets;
    if (in->body.arrival.parcel != NULL)
        figures.octets_coming += in->body.arrival.parcel->octets;
    run->progress(run->ctx, &figures);
}

static void on_settled(void *ctx, const struct batch_item *item, const struct parcel *parcel)
{
    struct receiver *in = ctx;
    struct session_figures *figures = &in->poll->run->figures;
    struct message *message = listing_find(in->listing, item->number);
    char name[LOG_QUOTE_MAX + 40];
    if (parcel->outcome == PARCEL_DELIVERED) {
        journal_mark_tried(in->poll->journal, item->entry); /* not again on a new connection */
        figures->fetched++;
        figures->octets += parcel->octets;
        in->poll->fetched++;
        in->poll->octets += parcel->octets;
        if (plan_deletes_new(&in->poll->rules) && !decide_is_newest(in->poll, in->listing, message))
            queue_push(&in->dele, item->number);
        destination_took(in->poll, parcel);
        if (item->dropped)
            log_line(in->poll->run->log, FP_LOG_NOTE, "%s: pipe_through drops it",
                     listing_name(in->listing, message, in->poll->run->log, name, sizeof name));
        else
            poll_tell_delivered(in->poll, item->entry, parcel);
    } else if (!record_is_here(journal_entry(in->poll->journal, item->entry).state)) {
        fault_put_off(
            in->poll, in->listing, message,
            &(struct journal_failure){.reason = REASON_DESTINATION,
                                      .words = str_from(parcel->why != NULL ? parcel->why : "")});
    } else {
        journal_mark_tried(in->poll->journal, item->entry);
        in->poll->kept_octets += parcel->octets;
        if (parcel->why != NULL) {
            listing_name(in->listing, message, in->poll->run->log, name, sizeof name);
            destination_refused(in->poll, item->entry, name, parcel);
        }
    }
    if (destination_all_shut(in->poll)) {
        destination_conclude(in->poll);
        receive_trouble(in, destination_trouble(in->poll));
    }
    tell_progress(in);
}

static bool is_shut(void *ctx, const struct parcel *parcel)
{
    return destination_is_shut(((struct receiver *)ctx)->poll, parcel);
}

static bool failed(void *ctx, const struct parcel *parcel, const struct err *err)
{
    return destination_failed(((struct receiver *)ctx)->poll, parcel, err);
}

void receive_init(struct receiver *in, struct poll *poll, struct pop3 *pop3,
                  struct listing *listing, size_t room)
{
    *in = (struct receiver){.poll = poll, .pop3 = pop3, .listing = listing};
    in->batch.files = batch_files(room);
    in->batch.commands = routes_have_command(&poll->routes);
    in->batch.journal = poll->journal;
    in->batch.policy = plan_keeps_new(&poll->rules) ? JOURNAL_KEEP : JOURNAL_DELETE;
    in->batch.is_shut = is_shut;
    in->batch.failed = failed;
    in->batch.settled = on_settled;
    in->batch.ctx = in;
    in->spent = (struct plan_spent){.messages = poll->fetched, .octets = poll->octets};
    body_init(&in->body, poll, listing);
    refusals_init(&in->refusals, poll, listing);
}

void receive_trouble(struct receiver *in, const struct err *err)
{
    if (in->poll->local.kind != ERR_NONE)
        return;
    in->poll->local = *err;
    conn_set_deadline(pop3_conn(in->pop3), clock_in(STOP_GRACE_MS));
}

/* Without UIDL and TOP, who it is was not known yet when the failure was told. */
static void wait_for_filter(struct receiver *in, uint32_t number)
{
    const struct journal_failure failure = {.reason = REASON_DESTINATION,
                                            .words = str_from(in->poll->sift.why.text)};
    fault_postpone(in->poll, in->listing, listing_find(in->listing, number), &failure);
    in->poll->owned = false;
}

/* A rule spares this one, and the server did not show it before: it is left, or may be deleted,
 * though it is not delivered. If filter_command did not say, only the server has it for the next
 * run. */
static void spare(struct receiver *in, const struct batch_item *item)
{
    struct journal *journal = in->poll->journal;
    struct journal_entry known = journal_entry(journal, item->entry);
    /* Without UIDL and TOP it is known only now that another day found the same. */
    bool again =
        item->due && known.state == JOURNAL_LEFT && plan_was_due(&in->poll->rules, known.due);
    if ((item->action == RULE_DELETE || again) && !in->poll->rules.switches.never_delete)
        queue_push(&in->dele, item->number);
    else if (!item->unsaid)
        sift_leave(in->poll, item->entry, item->due, item->until);
    else
        wait_for_filter(in, item->number);
    journal_mark_tried(journal, item->entry);
}

static void take_out_spared(struct receiver *in)
{
    for (size_t i = 0; i < in->batch.count;) {
        const struct batch_item item = in->batch.items[i];
        if (item.action != RULE_LEAVE && item.action != RULE_DELETE) {
            i++;
            continue;
        }
        struct parcel *parcel = batch_take_out(&in->batch, i);
        spare(in, &item);
        deliver_drop(parcel);
    }
}

void receive_commit(struct receiver *in)
{
    struct err err;
    take_out_spared(in);
    /* What waits to be sent goes out now, so that the server works while the disk does. */
    if (conn_push(pop3_conn(in->pop3), &err) < 0)
        err_clear(&err); /* the next read will say so */
    if (batch_commit(&in->batch, &in->poll->owned, &err) < 0 ||
        (journal_is_dirty(in->poll->journal) && journal_sync(in->poll->journal, &err) < 0))
        receive_trouble(in, &err);
    in->budget = 0;
}

/* ---- it is asked for, and comes in ---- */

bool receive_may_ask(struct receiver *in, const struct message *message, uint64_t on_the_way)
{
    struct err err;
    uint64_t coming = in->batch.octets + on_the_way;
    switch (kept_has_room(in->poll, coming, message->size, &err)) {
    case KEPT_ROOM:
        return true;
    case KEPT_WAIT:
        return false;
    case KEPT_FULL:
        receive_trouble(in, &err);
        break;
    }
    return false;
}

/* No disk here has had room for it: LIST is probably wrong, as by -1 in 32 bits. */
static void doubt_size(const struct receiver *in, struct message *message)
{
    struct record record;
    if (message->size <= BODY_MAX || message->entry == JOURNAL_NONE)
        return;
    record = journal_record(in->poll->journal, message->entry);
    if (record.reason == REASON_NO_ROOM)
        message->size = 0;
}

bool receive_expect(struct receiver *in, struct message *message, uint64_t on_the_way)
{
    if (message->size + DELIVER_SPARE > in->budget) {
        uint64_t room = routes_room(&in->poll->routes);
        in->budget = room > on_the_way ? room - on_the_way : 0;
    }
    if (message->size + DELIVER_SPARE > in->budget)
        doubt_size(in, message);
    if (message->size + DELIVER_SPARE > in->budget) {
        fault_put_off(in->poll, in->listing, message,
                      &(struct journal_failure){.reason = REASON_NO_ROOM});
        return false;
    }
    in->budget -= message->size;
    queue_push(&in->coming, message->number);
    return true;
}

static struct message *coming(const struct receiver *in)
{
    return listing_find(in->listing, in->coming.at[in->coming.next]);
}

int receive_body(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct receiver *in = ctx;
    if (in->poll->local.kind != ERR_NONE) {
        *err = in->poll->local;
        return -1;
    }
    tell_progress(in);
    return body_write(&in->body, coming(in), str_of(bytes, len), err);
}

void receive_drop_all(struct receiver *in)
{
    body_drop(&in->body);
    if (in->pending.message != NULL && in->pending.arrival.parcel != NULL)
        deliver_drop(in->pending.arrival.parcel);
    in->pending.message = NULL;
    in->poll->owned = in->poll->owned && in->batch.count == 0;
    batch_drop(&in->batch);
}

/* ---- its answer is whole ---- */

static bool is_passing(const struct reply *reply)
{
    return reply->code == REPLY_CODE_SYS_TEMP || reply->code == REPLY_CODE_IN_USE ||
           reply->code == REPLY_CODE_LOGIN_DELAY || fault_is_passing(reply->text);
}

static void refuse(struct receiver *in, struct message *message, enum reason reason,
                   const char *words)
{
    in->pending.message = message;
    in->pending.arrival.parcel = NULL;
    in->pending.refusal.later = false;
    in->pending.refusal.reason = reason;
    snprintf(in->pending.refusal.words, sizeof in->pending.refusal.words, "%s", words);
}

static int take_answer(struct receiver *in, const struct pop3_answer *answer, int taken,
                       bool *doubtful, struct err *err)
{
    struct message *message = listing_find(in->listing, answer->number);
    if (taken == 0 && answer->reply.code == REPLY_CODE_UTF8 && !in->poll->utf8) {
        in->poll->wants_utf8 = true;
        return 0;
    }
    if (taken == 0 && answer->reply.kind != REPLY_OK) {
        *doubtful = true;
        refuse(in, message, REASON_REFUSED, "");
        in->pending.refusal.later = is_passing(&answer->reply);
        log_quote(in->poll->run->log, answer->reply.text, in->pending.refusal.words);
        return 0;
    }
    if (taken == 0 && in->poll->local.kind != ERR_NONE) { /* an empty one, while winding down */
        in->poll->owned = false;
        body_drop(&in->body);
        return 0;
    }
    if (taken < 0 || body_finish(&in->body, message, err) < 0) {
        body_drop(&in->body);
        in->poll->owned = false;
        if (err->kind == ERR_MESSAGE)
            refuse(in, message, in->body.fault, in->body.fault_words);
        else
            receive_trouble(in, err);
        return 0;
    }
    /* A stray status line that took the place of the true one is no more than four octets. */
    if (in->body.like_status && message->size != answer->octets)
        return err_set(err, ERR_FRAMING,
                       "the server sends two status lines for one answer; tell its administrator");
    in->pending.message = message;
    in->pending.arrival = body_take(&in->body);
    struct parcel *parcel = in->pending.arrival.parcel;
    parcel->uidl = listing_uidl(in->listing, message);
    /* Some servers count a line end as one octet. */
    bool exact = message->size == answer->octets || message->size == parcel->octets;
    in->pending.arrival.exact = exact;
    *doubtful = *doubtful || !exact;
    return 0;
}

int receive_answer(struct receiver *in, const struct pop3_answer *answer, int taken, bool *doubtful,
                   struct err *err)
{
    int result = take_answer(in, answer, taken, doubtful, err);
    in->coming.next++;
    return result;
}

/* ---- in step: it is genuine ---- */

/* It was delivered by an earlier run, and is wanted again (--all, --fetch). */
static bool is_asked_again(const struct receiver *in, const struct message *message)
{
    const struct session_switches *wish = &in->poll->rules.switches;
    return (wish->fetch_seen || wish->only != NULL) &&
           !journal_entry(in->poll->journal, message->entry).tried;
}

/* Unless a rule spares it, it is owed again. */
static bool owe_again(struct receiver *in, const struct message *message)
{
    unsigned action = in->pending.arrival.verdict.action;
    if (!is_asked_again(in, message) || action == RULE_LEAVE || action == RULE_DELETE)
        return false;
    journal_put_off(in->poll->journal, message->entry,
                    &(struct journal_failure){.reason = REASON_ASKED_AGAIN});
    return true;
}

static void forget_copy(struct receiver *in, struct message *message, struct parcel *parcel)
{
    struct plan_rules rules = in->poll->rules;
    struct plan_spent spent = {0};
    rules.switches.fetch_seen = false;
    in->poll->run->figures.seen++;
    struct plan_message known =
        plan_look_up(&rules, in->poll->journal, message->entry, message->size);
    message->action = plan_decide(&rules, &known, &spent);
    if (is_asked_again(in, message) || decide_is_newest(in->poll, in->listing, message))
        message->action = PLAN_LEAVE;
    dates_note_due(in->poll->journal, &rules, message, &known);
    if (message->action == PLAN_DELETE)
        queue_push(&in->dele, message->number);
    deliver_drop(parcel);
}

/* False: not in this run, for trouble on our side; the server has it still. */
static bool pass_through(struct receiver *in, struct parcel **parcel, struct batch_item *item)
{
    enum through_end end = THROUGH_TAKE;
    struct err err;
    if (in->poll->routes.through == NULL || item->action == RULE_LEAVE ||
        item->action == RULE_DELETE)
        return true;
    struct deliver *to = sift_route(in->poll, in->pending.arrival.verdict)->deliver;
    if (through_run(in->poll, parcel, to, &end, &err) < 0) {
        receive_trouble(in, &err);
        in->poll->owned = false;
        deliver_drop(*parcel);
        return false;
    }
    heading_set_time(*parcel, in->pending.arrival.arrived);
    item->dropped = end == THROUGH_DROP;
    return true;
}

static void add_to_batch(struct receiver *in, struct message *message, struct parcel *parcel)
{
    struct batch_item item = {.number = message->number,
                              .action = (enum rule_action)in->pending.arrival.verdict.action,
                              .until = in->pending.arrival.until,
                              .due = in->pending.arrival.verdict.due,
                              .unsaid = in->pending.arrival.verdict.unsaid};
    if (!pass_through(in, &parcel, &item))
        return;
    uint32_t entry = item.entry = listing_enter(in->listing, message);
    struct journal_subject subject = listing_subject(in->listing, message);
    journal_learn(in->poll->journal, entry, &subject);
    bool told = deliver_is_command(parcel->to) || in->poll->run->delivered != NULL;
    if (!told) { /* nobody wants to know what it says */
        header_free(parcel->header);
        parcel->header = NULL;
    }
    batch_add(&in->batch, parcel, item);
    if (item.action != RULE_LEAVE && item.action != RULE_DELETE)
        plan_spend(&in->spent, message->size);
#ifdef FP_CONTROL_DELE_EARLY
    if (plan_deletes_new(&in->poll->rules))
        queue_push(&in->dele, message->number);
#endif
}

static enum belief believe(struct receiver *in, struct message *message)
{
    enum belief belief;
    struct err err;
    if (belief_form(&in->refusals, message, &in->pending.arrival, &belief, &err) < 0)
        receive_trouble(in, &err);
    return belief;
}

static void accept_parcel(struct receiver *in, struct message *message, struct parcel *parcel)
{
    switch (believe(in, message)) {
    case BELIEF_NEW:
        add_to_batch(in, message, parcel);
        break;
    case BELIEF_DELIVERED:
        if (owe_again(in, message))
            add_to_batch(in, message, parcel);
        else
            forget_copy(in, message, parcel);
        break;
    case BELIEF_ASK_AGAIN:
        queue_push(in->again, message->number);
        in->owed++;
        deliver_drop(parcel);
        break;
    case BELIEF_NONE:
        deliver_drop(parcel);
        break;
    }
}

void receive_end_row(struct receiver *in)
{
    struct err err;
    if (refusals_end_row(&in->refusals, &err) < 0)
        receive_trouble(in, &err);
}

void receive_confirm(struct receiver *in)
{
    struct message *message = in->pending.message;
    struct err err;
    in->pending.message = NULL;
    if (message == NULL)
        return;
    in->owed -= message->twice && in->owed > 0; /* a refusal is an answer, too */
    if (in->pending.arrival.parcel != NULL)
        accept_parcel(in, message, in->pending.arrival.parcel);
    else if (refusals_add(&in->refusals, message, &in->pending.refusal, &err) < 0)
        receive_trouble(in, &err);
}
