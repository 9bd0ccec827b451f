/* SPDX-License-Identifier: ISC */
#include "session/receive.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "session/dates.h"
#include "session/decide.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/heading.h"
#include "session/identify.h"
#include "session/kept.h"
#include "session/through.h"

#define BODY_MAX ((uint64_t)1024 * 1024 * 1024) /* of a message whose size is not known */
#define BODY_SPARE ((uint64_t)4 * 1024 * 1024)  /* more than LIST says, or eightfold: without end */
#define BODY_TIMES 8
#define PROGRESS_MS 100
#define EMPTY_LISTED 2 /* octets, by LIST, of a message with nothing in it: a line end */

static void tell_progress(struct receiver *in)
{
    struct session_run *run = in->poll->run;
    int64_t now = clock_ms();
    if (run->progress == NULL || now - in->told < PROGRESS_MS)
        return;
    in->told = now;
    struct session_figures figures = run->figures;
    figures.coming = (uint32_t)(in->batch.count - in->batch.told);
    figures.octets_coming = in->batch.octets + (in->parcel != NULL ? in->parcel->octets : 0);
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

void receive_init(struct receiver *in, struct poll *poll, struct pop3 *pop3,
                  struct listing *listing, size_t room)
{
    *in = (struct receiver){.poll = poll, .pop3 = pop3, .listing = listing};
    in->batch.files = batch_files(room);
    in->batch.commands = routes_have_command(&poll->routes);
    in->batch.journal = poll->journal;
    in->batch.policy = plan_keeps_new(&poll->rules) ? JOURNAL_KEEP : JOURNAL_DELETE;
    in->batch.is_shut = is_shut;
    in->batch.settled = on_settled;
    in->batch.ctx = in;
    in->spent = (struct plan_spent){.messages = poll->fetched, .octets = poll->octets};
    refusals_init(&in->refusals, poll, listing);
    buf_init(&in->head, FIELDS_MAX);
}

void receive_end(struct receiver *in)
{
    fields_free(in->fields);
    buf_free(&in->head);
}

void receive_trouble(struct receiver *in, const struct err *err)
{
    if (in->poll->local.kind != ERR_NONE)
        return;
    in->poll->local = *err;
    conn_set_deadline(pop3_conn(in->pop3), clock_in(STOP_GRACE_MS));
}

/* A rule spares this one, and the server did not show it before: it is left, or may be deleted,
 * though it is not delivered. Of one that was told as a failure, filter_command did not say: only
 * the server has it for the next run. */
static void spare(struct receiver *in, const struct batch_item *item)
{
    struct journal *journal = in->poll->journal;
    struct journal_entry known = journal_entry(journal, item->entry);
    /* Without UIDL and TOP it is known only now that another day found the same. */
    bool again = item->due && known.state == JOURNAL_LEFT && known.due != 0 &&
                 known.due < in->poll->rules.now / CLOCK_DAY;
    if ((item->action == RULE_DELETE || again) && !in->poll->rules.switches.never_delete)
        queue_push(&in->dele, item->number);
    else if (!known.tried)
        sift_leave(in->poll, item->entry, item->due, item->until);
    else
        in->poll->owned = false;
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

/* ---- a body comes in ---- */

/* LIST may be wrong by much, but not by any measure. */
static uint64_t longest(uint64_t listed)
{
    if (listed == 0)
        return BODY_MAX;
    uint64_t times = listed > UINT64_MAX / BODY_TIMES ? UINT64_MAX : BODY_TIMES * listed;
    return times > listed + BODY_SPARE ? times : listed + BODY_SPARE;
}

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

bool receive_expect(struct receiver *in, struct message *message, uint64_t on_the_way)
{
    if (message->size + DELIVER_SPARE > in->budget) {
        uint64_t room = routes_room(&in->poll->routes);
        in->budget = room > on_the_way ? room - on_the_way : 0;
    }
    if (message->size + DELIVER_SPARE > in->budget) {
        fault_put_off(in->poll, in->listing, message,
                      &(struct journal_failure){.reason = REASON_NO_ROOM});
        return false;
    }
    in->budget -= message->size;
    queue_push(&in->coming, message->number);
    return true;
}

static int give_up(struct receiver *in, enum reason fault, uint64_t limit, struct err *err)
{
    char text[LOG_QUOTE_MAX];
    in->fault = fault;
    snprintf(in->fault_words, sizeof in->fault_words, "%llu", (unsigned long long)limit);
    return err_set(err, ERR_MESSAGE, "%s", reason_text(fault, str_of("", 0), text, sizeof text));
}

static int write_body(struct receiver *in, const char *bytes, size_t len, struct err *err)
{
    uint64_t max = in->poll->run->account->max_size;
    if (max != 0 && in->parcel->octets + len > max)
        return give_up(in, REASON_SURPRISE, max, err);
    if (in->parcel->octets + len > in->body_max)
        return give_up(in, REASON_NO_END, in->body_max, err);
    tell_progress(in);
    struct sink sink = spool_sink(in->parcel);
    return sink.write(sink.ctx, bytes, len, err);
}

static struct message *coming(const struct receiver *in)
{
    return listing_find(in->listing, in->coming.at[in->coming.next]);
}

static int begin(struct receiver *in, struct err *err)
{
    in->fault = REASON_UNKNOWN;
    in->body_max = longest(coming(in)->size);
    const struct route *through = in->poll->routes.through;
    const struct route *route = through != NULL ? through : sift_route(in->poll, in->verdict);
    return deliver_begin(route->deliver, &in->parcel, err);
}

static int write_head(void *ctx, const char *bytes, size_t len, struct err *err)
{
    return write_body(ctx, bytes, len, err);
}

/* filter_command did not say. */
static bool was_put_off(const struct receiver *in)
{
    uint32_t entry = coming(in)->entry;
    return entry != JOURNAL_NONE && journal_entry(in->poll->journal, entry).tried;
}

/* The header decides, or as much of it as came. */
static int choose(struct receiver *in, struct err *err)
{
    const struct sift_facts facts = {
        .size = coming(in)->size, .fields = in->fields, .header = buf_str(&in->head)};
    const struct poll *poll = in->poll;
    struct sink sink = {.write = write_head, .ctx = in};
    bool broken_off = !fields_is_done(in->fields);
    fields_end(in->fields);
    if (!in->verdict.judged && sift_is_wanted(poll))
        in->verdict = sift_judge(in->poll, in->listing, coming(in), &facts, &in->until);
    /* Asked for by name; or a rule may fit only because the rest of the header is missing. */
    if (poll->rules.switches.only != NULL || (broken_off && !was_put_off(in)))
        in->verdict.action = RULE_FETCH;
    int result = begin(in, err);
    if (result == 0)
        result = heading_write(poll->run->account, facts.header, poll->rules.now, sink, err);
    in->arrived = heading_arrived(poll->run->account, in->fields, poll->rules.now);
    fields_free(in->fields);
    in->fields = NULL;
    buf_free(&in->head);
    return result;
}

/* With its first octets, or none if it is empty. */
static int open_message(struct receiver *in, struct str first, struct err *err)
{
    in->like_status = str_has_prefix(first, "+OK") || str_has_prefix(first, "-ERR");
    in->until = in->arrived = 0;
    in->verdict = sift_verdict(in->poll, in->listing, coming(in));
    if ((in->verdict.judged || !sift_is_wanted(in->poll)) &&
        !heading_is_wanted(in->poll->run->account))
        return begin(in, err);
    in->fields = fields_new();
    return 0;
}

int receive_body(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct receiver *in = ctx;
    if (in->poll->local.kind != ERR_NONE) {
        *err = in->poll->local;
        return -1;
    }
    if (in->parcel == NULL && in->fields == NULL && open_message(in, str_of(bytes, len), err) < 0)
        return -1;
    if (in->fields == NULL)
        return write_body(in, bytes, len, err);
    fields_feed(in->fields, bytes, len);
    bool fits = buf_add(&in->head, bytes, len) == 0;
    if (fits && !fields_is_done(in->fields))
        return 0;
    return choose(in, err) < 0 || (!fits && write_body(in, bytes, len, err) < 0) ? -1 : 0;
}

/* All of a message is here. */
static int close_message(struct receiver *in, struct err *err)
{
    if (in->parcel == NULL && in->fields == NULL && open_message(in, str_of("", 0), err) < 0)
        return -1;
    if (in->fields != NULL && choose(in, err) < 0)
        return -1;
    int result = deliver_finish(in->parcel, err);
    heading_set_time(in->parcel, in->arrived);
    return result;
}

void receive_drop(struct receiver *in)
{
    if (in->parcel != NULL)
        deliver_drop(in->parcel);
    in->parcel = NULL;
    fields_free(in->fields);
    in->fields = NULL;
    buf_free(&in->head);
}

void receive_drop_all(struct receiver *in)
{
    receive_drop(in);
    if (in->pending.message != NULL && in->pending.parcel != NULL)
        deliver_drop(in->pending.parcel);
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
    in->pending.parcel = NULL;
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
        receive_drop(in);
        return 0;
    }
    if (taken < 0 || close_message(in, err) < 0) {
        receive_drop(in);
        in->poll->owned = false;
        if (err->kind == ERR_MESSAGE)
            refuse(in, message, in->fault, in->fault_words);
        else
            receive_trouble(in, err);
        return 0;
    }
    /* A stray status line that took the place of the true one is no more than four octets. */
    if (in->like_status && message->size != answer->octets)
        return err_set(err, ERR_FRAMING,
                       "the server sends two status lines for one answer; tell its administrator");
    /* Some servers count a line end as one octet. */
    if (message->size != answer->octets && message->size != in->parcel->octets)
        *doubtful = true;
    in->parcel->uidl = listing_uidl(in->listing, message);
    in->pending.message = message;
    in->pending.parcel = in->parcel;
    in->pending.verdict = in->verdict;
    in->pending.until = in->until;
    in->pending.arrived = in->arrived;
    in->parcel = NULL;
    return 0;
}

int receive_answer(struct receiver *in, const struct pop3_answer *answer, int taken, bool *doubtful,
                   struct err *err)
{
    int result = take_answer(in, answer, taken, doubtful, err);
    in->coming.next++;
    return result;
}

/* ---- what it is ---- */

/* It is empty, and LIST says so too, or does not know. That is believed only beside other mail; if
 * none has come yet, it is asked for again after the rest. */
static bool waits_for_others(const struct receiver *in, struct message *message,
                             const struct parcel *parcel)
{
    if (parcel->octets > 0 || message->size > EMPTY_LISTED || in->came || message->twice)
        return false;
    message->twice = true;
    return true;
}

/* Empty, or not half of what LIST says (octets has LF line ends): something went wrong on the
 * server, or its LIST is not worth much. The next message may be cut in half all the same, so it
 * is not noted as a habit. */
static bool is_short(const struct receiver *in, const struct message *message,
                     const struct parcel *parcel)
{
    if (parcel->octets > 0)
        return message->size / 2 > parcel->octets;
    return message->size > EMPTY_LISTED || (!in->came && !refusals_are_few(&in->refusals));
}

/* Other mail has come in this poll. */
static bool others_came(const struct receiver *in)
{
    return in->came || in->poll->fetched > 0;
}

/* Only messages that are too short come, and not just one or two: their bodies may be away. That is
 * assumed for a day. */
static bool may_be_away(const struct receiver *in, const struct message *message)
{
    return !others_came(in) && !refusals_are_few(&in->refusals) &&
           !fault_was_seen_a_day_ago(in->poll, message->entry);
}

/* Was it so before? Three or more that came empty have to do so again a day later, beside other
 * mail, since a part of the store may be away. After a day in which all came empty, it has to be
 * seen twice beside other mail, at least a day apart. */
static bool is_believed(const struct receiver *in, const struct message *message,
                        const struct record *record, const struct refusal *refusal)
{
    if (record->reason != refusal->reason)
        return false;
    if (refusal->reason == REASON_SHORT)
        return str_is(record->words, refusal->words) && !may_be_away(in, message) &&
               (in->came || !refusals_are_alike(&in->refusals, message));
    if (journal_entry(in->poll->journal, message->entry).state == JOURNAL_HELD)
        return in->came && fault_is_a_day_old(in->poll, record->words);
    return !refusals_are_many_empty(&in->refusals) ||
           (in->came && fault_was_seen_a_day_ago(in->poll, message->entry));
}

/* It was told before, and for a day nothing more is to be said of it. */
static bool waits_a_day(const struct receiver *in, const struct message *message,
                        const struct refusal *refusal)
{
    if (refusal->reason == REASON_SHORT)
        return may_be_away(in, message) && !refusals_are_alike(&in->refusals, message);
    return others_came(in) &&
           journal_entry(in->poll->journal, message->entry).state != JOURNAL_HELD;
}

/* Not believed at first sight; as short as that in an earlier poll: it is what there is. Another
 * length than then counts as a refusal. */
static bool is_put_aside(struct receiver *in, struct message *message, const struct parcel *parcel)
{
    bool empty = parcel->octets == 0;
    struct refusal refusal = {.reason = empty ? REASON_EMPTY : REASON_SHORT, .later = true};
    struct err err;
    if (!is_short(in, message, parcel) || identify_is_delivered(in->poll->journal, message->entry))
        return false;
    if (!empty)
        snprintf(refusal.words, sizeof refusal.words, "%llu", (unsigned long long)parcel->octets);
    if (message->entry != JOURNAL_NONE) {
        struct record record = journal_record(in->poll->journal, message->entry);
        if (is_believed(in, message, &record, &refusal))
            return false;
        refusal.later = record.reason != REASON_SHORT && record.reason != REASON_EMPTY;
    }
    in->poll->owned = false; /* what came of it is not the whole */
    if (!refusal.later && waits_a_day(in, message, &refusal)) {
        refusals_wait(&in->refusals, message, &refusal);
        return true;
    }
    if (refusals_add(&in->refusals, message, &refusal, in->came, &err) < 0)
        receive_trouble(in, &err);
    return true;
}

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
    unsigned action = in->pending.verdict.action;
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
    struct deliver *to = sift_route(in->poll, in->pending.verdict)->deliver;
    if (through_run(in->poll, parcel, to, &end, &err) < 0) {
        receive_trouble(in, &err);
        in->poll->owned = false;
        deliver_drop(*parcel);
        return false;
    }
    heading_set_time(*parcel, in->pending.arrived);
    item->dropped = end == THROUGH_DROP;
    return true;
}

static void ask_again(struct receiver *in, struct message *message, struct parcel *parcel)
{
    queue_push(in->again, message->number);
    in->owed++;
    deliver_drop(parcel);
}

static void accept_parcel(struct receiver *in, struct message *message, struct parcel *parcel)
{
    enum identify_as known =
        identify_fetched(in->listing, message, parcel->header, in->poll->run->log);
    if (known == IDENTIFY_NEW && waits_for_others(in, message, parcel)) {
        ask_again(in, message, parcel);
        return;
    }
    if (known == IDENTIFY_NEW && is_put_aside(in, message, parcel)) {
        deliver_drop(parcel);
        return;
    }
    in->came = in->came || parcel->octets > 0;
    receive_end_row(in);
    if (known == IDENTIFY_DELIVERED && !owe_again(in, message)) {
        forget_copy(in, message, parcel);
        return;
    }
    if (known == IDENTIFY_ASK_AGAIN) {
        ask_again(in, message, parcel);
        return;
    }
    struct batch_item item = {.number = message->number,
                              .action = (enum rule_action)in->pending.verdict.action,
                              .until = in->pending.until,
                              .due = in->pending.verdict.due};
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

/* ---- in step ---- */

void receive_end_row(struct receiver *in)
{
    struct err err;
    if (refusals_end_row(&in->refusals, in->came, &err) < 0)
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
    if (in->pending.parcel != NULL)
        accept_parcel(in, message, in->pending.parcel);
    else if (refusals_add(&in->refusals, message, &in->pending.refusal, in->came, &err) < 0)
        receive_trouble(in, &err);
}
