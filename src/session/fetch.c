#include "session/fetch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/pipe.h"

#define ROOM_SPARE ((uint64_t)1024 * 1024) /* left free on the file system, for names and journal */
#define NAME_MAX_SHOWN (LOG_QUOTE_MAX + 40)
#define HELD_HINT "it is held after so many tries; --retry UIDL releases it"
#define LEFT_HINT "it stays on the server"

struct numbers {
    uint32_t *at, count, next;
};

/* The last answer to a RETR, until what follows it is seen to be in step. */
struct pending {
    bool there;
    uint32_t number;
    struct parcel *parcel; /* complete; NULL for a refusal */
    bool later;            /* of a refusal: it may work later */
    char why[LOG_QUOTE_MAX + 64];
};

struct fetch {
    struct fetch_job *job;
    struct pop3 *pop3;
    struct listing *listing;
    struct numbers wanted;  /* RETR these, first once ... */
    struct numbers retries; /* ... then these, one at a time */
    struct numbers dele;    /* DELE these */
    struct numbers deleted; /* DELE was taken */
    uint32_t retrieving;    /* RETRs outstanding */
    bool winding_down;      /* no new message is begun */
    struct parcel *parcel;  /* being written */
    uint64_t budget;        /* octets there is room for */
    struct pending pending;
    int64_t told;           /* clock_ms() of the last progress */
    struct batch batch;
};

static void push_number(struct numbers *numbers, uint32_t number) {
    if ((numbers->count & (numbers->count - 1)) == 0) /* full at each power of two */
        numbers->at = xreallocarray(numbers->at, numbers->count == 0 ? 1 : 2 * (size_t)numbers->count,
                                    sizeof *numbers->at);
    numbers->at[numbers->count++] = number;
}

static bool has_next(const struct numbers *numbers) {
    return numbers->next < numbers->count;
}

static void tell_progress(struct fetch *fetch) {
    struct session_run *run = fetch->job->run;
    int64_t now = clock_ms();
    if (run->progress == NULL || now - fetch->told < 100)
        return;
    fetch->told = now;
    run->progress(run->ctx, &run->figures);
}

/* ---- what becomes of messages ---- */

static uint32_t entry_of(struct fetch_job *job, struct listing *listing, struct message *message) {
    struct journal_subject subject = listing_subject(listing, message);
    if (message->entry == JOURNAL_NONE) {
        message->entry = journal_add(job->journal, &subject, clock_wall());
        journal_list(job->journal, message->entry, message->number);
    }
    return message->entry;
}

static void count_failure(struct fetch_job *job, struct listing *listing, struct message *message,
                          const char *why, bool *held) {
    uint32_t entry = entry_of(job, listing, message);
    *held = journal_entry(job->journal, entry)->tries + 1 >= job->rules.max_tries;
    if (*held)
        journal_hold(job->journal, entry, why);
    else
        journal_fail(job->journal, entry, why);
}

void fetch_refuse(struct fetch_job *job, struct listing *listing, struct message *message,
                  const char *why) {
    char name[NAME_MAX_SHOWN];
    bool held = false;
    listing_name(listing, message, name, sizeof name);
    job->refused++;
    job->run->figures.failed++;
    /* A message with neither UIDL nor print could not be found again in the journal. */
    if (message->uidl_len > 0 || listing_print(listing, message) != NULL)
        count_failure(job, listing, message, why, &held);
    job->run->figures.held += held;
    log_line(job->run->log, FP_LOG_ERROR, "%s: %s; %s", name, why,
             held ? HELD_HINT : LEFT_HINT);
}

static void put_off(struct fetch *fetch, const struct message *message, const char *why) {
    char name[NAME_MAX_SHOWN];
    listing_name(fetch->listing, message, name, sizeof name);
    fetch->job->later++;
    fetch->job->run->figures.failed++;
    log_line(fetch->job->run->log, FP_LOG_ERROR, "%s: %s; the next run tries again", name, why);
}

static void on_settled(void *ctx, const struct batch_item *item, enum parcel_outcome outcome,
                       const char *why) {
    struct fetch *fetch = ctx;
    struct session_figures *figures = &fetch->job->run->figures;
    struct message *message = listing_find(fetch->listing, item->number);
    if (outcome == PARCEL_DELIVERED) {
        figures->fetched++;
        figures->octets += item->parcel->octets;
        if (plan_deletes_new(&fetch->job->rules))
            push_number(&fetch->dele, item->number);
    } else if (outcome == PARCEL_REFUSED) {
        fetch_refuse(fetch->job, fetch->listing, message, why);
    } else {
        put_off(fetch, message, why);
    }
    tell_progress(fetch);
}

/* Trouble on our side is trouble for every message: no new one is begun. */
static void local_trouble(struct fetch *fetch, const struct err *err) {
    if (fetch->job->local.kind == ERR_NONE)
        fetch->job->local = *err;
    fetch->winding_down = true;
    conn_set_deadline(pop3_conn(fetch->pop3), clock_in(STOP_GRACE_MS));
}

static void commit(struct fetch *fetch) {
    struct err err;
    /* What waits to be sent goes out now, so that the server works while the disk does. */
    if (conn_push(pop3_conn(fetch->pop3), &err) < 0)
        err_clear(&err); /* the next read will say so */
    if (batch_commit(&fetch->batch, &err) < 0 ||
        (journal_is_dirty(fetch->job->journal) && journal_sync(fetch->job->journal, &err) < 0))
        local_trouble(fetch, &err);
    fetch->budget = 0;
}

/* A message that had to be fetched to be known, and turns out to be one that we have. */
static bool is_known(struct fetch *fetch, struct message *message, struct parcel *parcel) {
    struct journal_print print = {.known = true};
    print.has_message_id = header_has_message_id(parcel->header);
    header_fingerprint(parcel->header, print.bytes);
    if (listing_print(fetch->listing, message) != NULL || message->entry != JOURNAL_NONE) {
        listing_set_print(fetch->listing, message, &print);
        return false;
    }
    uint32_t id = listing_recognise(fetch->listing, fetch->job->journal, message, &print);
    if (id == JOURNAL_NONE)
        return false;
    const struct journal_entry *entry = journal_entry(fetch->job->journal, id);
    return entry->state == JOURNAL_DONE || entry->state == JOURNAL_GONE;
}

struct plan_message fetch_plan_message(const struct journal *journal,
                                       const struct message *message) {
    struct plan_message plan = {.size = message->size, .known = JOURNAL_FREE};
    if (message->entry == JOURNAL_NONE)
        return plan;
    const struct journal_entry *entry = journal_entry(journal, message->entry);
    plan.known = entry->state;
    plan.keep = entry->keep;
    plan.first_seen = entry->first_seen;
    return plan;
}

static void forget_copy(struct fetch *fetch, struct message *message, struct parcel *parcel) {
    struct plan_rules rules = fetch->job->rules;
    uint32_t fetched = 0;
    rules.fetch_seen = false;
    fetch->job->run->figures.seen++;
    struct plan_message known = fetch_plan_message(fetch->job->journal, message);
    if (plan_decide(&rules, &known, &fetched) == PLAN_DELETE)
        push_number(&fetch->dele, message->number);
    deliver_drop(fetch->job->deliver, parcel);
}

static void accept_parcel(struct fetch *fetch, struct message *message, struct parcel *parcel) {
    if (is_known(fetch, message, parcel)) {
        forget_copy(fetch, message, parcel);
        return;
    }
    uint32_t entry = entry_of(fetch->job, fetch->listing, message);
    struct journal_subject subject = listing_subject(fetch->listing, message);
    journal_learn(fetch->job->journal, entry, &subject);
    batch_add(&fetch->batch, parcel, message->number, entry);
#ifdef FP_CONTROL_DELE_EARLY
    if (plan_deletes_new(&fetch->job->rules))
        push_number(&fetch->dele, message->number);
#endif
    if (batch_is_full(&fetch->batch) && deliver_unit(fetch->job->deliver) != 1)
        commit(fetch);
}

/* What follows is in step: the pending answer is what it seems to be. */
static void confirm(struct fetch *fetch) {
    struct pending pending = fetch->pending;
    fetch->pending.there = false;
    if (!pending.there)
        return;
    struct message *message = listing_find(fetch->listing, pending.number);
    if (pending.parcel != NULL)
        accept_parcel(fetch, message, pending.parcel);
    else if (pending.later)
        put_off(fetch, message, pending.why);
    else
        fetch_refuse(fetch->job, fetch->listing, message, pending.why);
}

/* ---- the pipe ---- */

/* No message is asked for that there is no room for. */
static bool has_room(struct fetch *fetch, struct message *message) {
    if (message->size + ROOM_SPARE > fetch->budget)
        fetch->budget = deliver_room(fetch->job->deliver);
    if (message->size + ROOM_SPARE > fetch->budget) {
        put_off(fetch, message, "there is no room for it on the disk");
        return false;
    }
    fetch->budget -= message->size;
    return true;
}

static bool may_begin(struct fetch *fetch) {
    if (fetch->winding_down)
        return false;
    if (stop_asked() || clock_left(fetch->job->deadline) == 0) {
        fetch->winding_down = true;
        fetch->job->cut_short = has_next(&fetch->wanted) || has_next(&fetch->retries);
        return false;
    }
    /* A command may take long, and the server must not be kept waiting in mid-answer. */
    return deliver_unit(fetch->job->deliver) != 1 ||
           fetch->batch.count + fetch->retrieving < BATCH_COMMANDS;
}

static bool next_message(struct fetch *fetch, uint32_t *number) {
    for (;;) {
        struct numbers *from = has_next(&fetch->wanted) ? &fetch->wanted : &fetch->retries;
        if (!has_next(from))
            return false;
        /* What failed before is asked for alone, so that its next failure is its own. */
        if (from == &fetch->retries && pop3_outstanding(fetch->pop3) > 0)
            return false;
        *number = from->at[from->next++];
        if (has_room(fetch, listing_find(fetch->listing, *number)))
            return true;
    }
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err) {
    struct fetch *fetch = ctx;
    if (pop3_outstanding(fetch->pop3) == 0 && fetch->pending.there) {
        if (pop3_check_silence(fetch->pop3, err) < 0)
            return -1;
        confirm(fetch);
    }
    if (has_next(&fetch->dele)) {
        *verb = POP3_DELE;
        *number = fetch->dele.at[fetch->dele.next++];
        return 1;
    }
    *verb = POP3_RETR;
    if (!may_begin(fetch) || !next_message(fetch, number))
        return 0;
    fetch->retrieving++;
    return 1;
}

static int begin(struct fetch *fetch, struct err *err) {
    return fetch->parcel != NULL ? 0 : deliver_begin(fetch->job->deliver, &fetch->parcel, err);
}

static int write_body(void *ctx, const char *bytes, size_t len, struct err *err) {
    struct fetch *fetch = ctx;
    uint64_t max = fetch->job->rules.max_size;
    if (fetch->job->local.kind != ERR_NONE) {
        *err = fetch->job->local;
        return -1;
    }
    if (begin(fetch, err) < 0)
        return -1;
    if (max != 0 && fetch->parcel->octets + len > max)
        return err_set(err, ERR_MESSAGE, "it is longer than max_size, whatever LIST says");
    tell_progress(fetch);
    struct sink sink = spool_sink(fetch->parcel);
    return sink.write(sink.ctx, bytes, len, err);
}

static void drop_parcel(struct fetch *fetch) {
    if (fetch->parcel != NULL)
        deliver_drop(fetch->job->deliver, fetch->parcel);
    fetch->parcel = NULL;
}

/* A body that we could not take: the message's own fault, or ours. */
static void body_failed(struct fetch *fetch, uint32_t number, const struct err *why) {
    drop_parcel(fetch);
    if (why->kind != ERR_MESSAGE) {
        local_trouble(fetch, why);
        return;
    }
    fetch->pending = (struct pending){.there = true, .number = number};
    snprintf(fetch->pending.why, sizeof fetch->pending.why, "%.*s",
             (int)sizeof fetch->pending.why - 1, why->text);
}

static void message_refused(struct fetch *fetch, const struct pop3_answer *answer) {
    char shown[LOG_QUOTE_MAX + 4];
    const struct reply *reply = &answer->reply;
    fetch->pending = (struct pending){.there = true, .number = answer->number};
    fetch->pending.later = reply->code == REPLY_CODE_SYS_TEMP || reply->code == REPLY_CODE_IN_USE;
    snprintf(fetch->pending.why, sizeof fetch->pending.why, "the server refuses it: \"%s\"",
             log_quote(fetch->job->run->log, reply->text, shown));
}

static void retrieved(struct fetch *fetch, const struct pop3_answer *answer, int taken,
                      struct err *err) {
    fetch->retrieving--;
    if (taken == 0 && answer->reply.kind != REPLY_OK) {
        message_refused(fetch, answer);
        return;
    }
    if (taken == 0 && fetch->job->local.kind != ERR_NONE) { /* an empty one, while winding down */
        drop_parcel(fetch);
        return;
    }
    if (taken < 0 || begin(fetch, err) < 0 ||
        deliver_finish(fetch->job->deliver, fetch->parcel, err) < 0) {
        body_failed(fetch, answer->number, err);
        return;
    }
    struct message *message = listing_find(fetch->listing, answer->number);
    fetch->parcel->uidl = listing_uidl_text(fetch->listing, message);
    fetch->pending = (struct pending){
        .there = true, .number = answer->number, .parcel = fetch->parcel};
    fetch->parcel = NULL;
}

static void dele_answered(struct fetch *fetch, const struct pop3_answer *answer) {
    char shown[LOG_QUOTE_MAX + 4];
    if (answer->reply.kind == REPLY_OK) {
        push_number(&fetch->deleted, answer->number);
        return;
    }
    fetch->job->later++;
    log_line(fetch->job->run->log, FP_LOG_WARNING,
             "message %u was delivered, but the server will not delete it: \"%s\"", answer->number,
             log_quote(fetch->job->run->log, answer->reply.text, shown));
}

static int on_answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err) {
    struct fetch *fetch = ctx;
    confirm(fetch);
    if (answer->verb == POP3_RETR)
        retrieved(fetch, answer, taken, err);
    else
        dele_answered(fetch, answer);
    return 0;
}

/* ---- the whole ---- */

static void plan_numbers(struct fetch *fetch, const uint32_t *verified, uint32_t count) {
    for (uint32_t i = 0; i < fetch->listing->count; i++) {
        const struct message *message = &fetch->listing->messages[i];
        if (message->action == PLAN_FETCH)
            push_number(&fetch->wanted, message->number);
        else if (message->action == PLAN_RETRY)
            push_number(&fetch->retries, message->number);
    }
    for (uint32_t i = 0; i < count; i++)
        push_number(&fetch->dele, verified[i]);
}

static bool is_done(const struct fetch *fetch) {
    if (has_next(&fetch->dele) || fetch->pending.there)
        return false;
    return fetch->winding_down || (!has_next(&fetch->wanted) && !has_next(&fetch->retries));
}

/* The message is asked for last and alone by the next connection; what it counts as is seen when
 * there is no next connection any more. */
static void suspect(struct fetch *fetch, uint32_t number, const struct err *why) {
    struct fetch_job *job = fetch->job;
    struct message *message = listing_find(fetch->listing, number);
    struct fetch_suspect suspect = {.entry = JOURNAL_NONE};
    if (job->suspect_count == FETCH_SUSPECTS)
        return;
    if (message->uidl_len > 0 || listing_print(fetch->listing, message) != NULL)
        suspect.entry = entry_of(job, fetch->listing, message);
    listing_name(fetch->listing, message, suspect.name, sizeof suspect.name);
    snprintf(suspect.why, sizeof suspect.why, "%.*s", (int)sizeof suspect.why - 1, why->text);
    log_line(job->run->log, FP_LOG_NOTE, "%s: %s", suspect.name, suspect.why);
    for (uint32_t i = 0; i < job->suspect_count; i++)
        if (suspect.entry != JOURNAL_NONE && job->suspects[i].entry == suspect.entry)
            return; /* one try for each poll */
    if (suspect.entry != JOURNAL_NONE)
        journal_doubt(job->journal, suspect.entry, suspect.why);
    job->suspects[job->suspect_count++] = suspect;
}

void fetch_tell_suspects(struct fetch_job *job) {
    for (uint32_t i = 0; i < job->suspect_count; i++) {
        const struct fetch_suspect *suspect = &job->suspects[i];
        bool held = false;
        if (suspect->entry != JOURNAL_NONE) {
            const struct journal_entry *entry = journal_entry(job->journal, suspect->entry);
            if (entry->state != JOURNAL_FAILED)
                continue;
            held = entry->tries + 1 >= job->rules.max_tries;
            (held ? journal_hold : journal_fail)(job->journal, suspect->entry, suspect->why);
        }
        job->refused++;
        job->run->figures.failed++;
        job->run->figures.held += held;
        log_line(job->run->log, FP_LOG_ERROR, "%s: %s; %s", suspect->name, suspect->why,
                 held ? HELD_HINT : LEFT_HINT);
    }
}

/* It broke off in this message's answer, which may be the network's fault: no try is counted. */
static void doubt(struct fetch *fetch, uint32_t number, const struct err *why) {
    struct message *message = listing_find(fetch->listing, number);
    if (message->uidl_len > 0 || listing_print(fetch->listing, message) != NULL)
        journal_doubt(fetch->job->journal, entry_of(fetch->job, fetch->listing, message),
                      why->text);
}

/* The connection is lost. What was complete and followed by something sensible is kept; if it broke
 * for a reason that a message may have, that message comes last from now on. */
static void broken(struct fetch *fetch, const struct pop3_answer *answer, const struct err *why) {
    bool framing = why->kind == ERR_FRAMING;
    bool in_step = answer->reply.kind != REPLY_JUNK;
    bool retrieving = answer->number != 0 && answer->verb == POP3_RETR;
    drop_parcel(fetch);
    if (in_step || (!framing && fetch->pending.parcel != NULL))
        confirm(fetch);
    if (fetch->pending.there && framing)
        suspect(fetch, fetch->pending.number, why);
    if (fetch->pending.there && fetch->pending.parcel != NULL)
        deliver_drop(fetch->job->deliver, fetch->pending.parcel);
    fetch->pending.there = false;
    if (retrieving && framing)
        suspect(fetch, answer->number, why);
    else if (retrieving && (why->kind == ERR_TIMEOUT || why->kind == ERR_CLOSED))
        doubt(fetch, answer->number, why);
}

static int run(struct fetch *fetch, struct err *err) {
    struct pop3_taker taker = {.sink = {.write = write_body, .ctx = fetch}};
    struct pipe pipe = {.pop3 = fetch->pop3,
                        .ctx = fetch,
                        .next = next,
                        .taker = &taker,
                        .answer = on_answer};
    struct pop3_answer answer;
    do {
        int ran = pipe_run(&pipe, &answer, err);
        if (ran < 0)
            broken(fetch, &answer, err);
        commit(fetch);
        if (ran < 0)
            return -1;
    } while (!is_done(fetch));
    return 0;
}

int fetch_run(struct fetch_job *job, struct pop3 *pop3, struct listing *listing,
              const uint32_t *verified, uint32_t verified_count, uint32_t **deleted,
              uint32_t *deleted_count, struct err *err) {
    struct fetch *fetch = xcalloc(1, sizeof *fetch);
    fetch->job = job;
    fetch->pop3 = pop3;
    fetch->listing = listing;
    fetch->batch = (struct batch){.deliver = job->deliver,
                                  .journal = job->journal,
                                  .keep = !plan_deletes_new(&job->rules),
                                  .settled = on_settled,
                                  .ctx = fetch};
    plan_numbers(fetch, verified, verified_count);
    int result = run(fetch, err);
    *deleted = fetch->deleted.at;
    *deleted_count = fetch->deleted.count;
    free(fetch->wanted.at);
    free(fetch->retries.at);
    free(fetch->dele.at);
    free(fetch);
    return result;
}
