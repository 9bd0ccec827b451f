/* SPDX-License-Identifier: ISC */
#include "session/fetch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/pipe.h"
#include "session/proof.h"
#include "session/receive.h"
#include "session/stream.h"

/* RETRs on their way to a server that is known to refuse all, until one message has come. */
#define RETR_FIRST 32

struct fetch {
    struct poll *poll;
    struct pop3 *pop3;
    struct listing *listing;
    struct queue wanted;  /* RETR these, first once ... */
    struct queue retries; /* ... then these, one at a time, ... */
    struct queue again;   /* ... likewise what was shown already and has to be seen once more */
    struct fetched *out;
    size_t room;     /* messages that may be open at once */
    bool time_is_up; /* no new message is begun */
    bool quit_sent;
    bool undeleted; /* a DELE was refused */
    struct stream stream;
    struct proof proof;
    struct receiver in;
};

/* ---- asking ---- */

static bool one_at_a_time(const struct fetch *fetch)
{
    return fetch->poll->careful || fetch->poll->alone || destination_is_doubtful(fetch->poll);
}

static bool is_winding_down(const struct fetch *fetch)
{
    return fetch->time_is_up || fetch->poll->local.kind != ERR_NONE ||
           fetch->poll->over.kind != ERR_NONE;
}

static bool has_more(const struct fetch *fetch)
{
    return queue_has_next(&fetch->wanted) || queue_has_next(&fetch->retries) ||
           queue_has_next(&fetch->again);
}

static bool may_begin(struct fetch *fetch)
{
    size_t open = fetch->in.batch.count + fetch->stream.retr;
    if (stop_asked() || clock_left(fetch->poll->deadline) == 0) {
        fetch->time_is_up = true;
        fetch->poll->cut_short = fetch->poll->cut_short || has_more(fetch);
        return false;
    }
    if (open + 1 >= fetch->room)
        return false;
    if (fetch->poll->alone && (fetch->out->deleted.count > 0 || queue_has_next(&fetch->in.dele))) {
        fetch->time_is_up = true; /* what is to be deleted is not put at stake by the next one */
        return false;
    }
    if (one_at_a_time(fetch) && (pop3_outstanding(fetch->pop3) > 0 || fetch->in.batch.count > 0))
        return false;
    /* A command may take long, and the server must not be kept waiting in an answer. */
    return !fetch->in.batch.commands || open < BATCH_COMMANDS;
}

static bool wants_mail(const struct fetch *fetch)
{
    return !is_winding_down(fetch) && has_more(fetch);
}

enum turn {
    SENT,
    WINDOW, /* an answer will open it */
    STUCK,  /* a commit will help, or an empty pipe */
    NONE    /* nothing is wanted */
};

/* The plan counts nothing for what may turn out to be known: only what came tells. What is asked
 * for again was shown already, and may not be shown in another session. */
static bool is_within_limits(const struct fetch *fetch, const struct message *message)
{
    if (message->twice)
        return true;
    struct plan_spent spent = fetch->in.spent;
    spent.messages += fetch->stream.retr;
    spent.octets += fetch->stream.octets;
    if (fetch->in.pending.message != NULL)
        plan_spend(&spent, fetch->in.pending.message->size);
    return plan_has_room(fetch->poll->run->account, message->size, &spent);
}

/* SENT: the message may be asked for, as far as limits and stream go. */
static enum turn look_at_window(struct fetch *fetch, const struct message *message)
{
    bool refuses = !fetch->in.refusals.came && fetch->stream.retr >= RETR_FIRST &&
                   habits_has(&fetch->poll->habits, HABIT_REFUSES);
    if (!is_within_limits(fetch, message)) {
        fetch->time_is_up = fetch->stream.retr == 0 && fetch->in.pending.message == NULL;
        return fetch->time_is_up ? NONE : WINDOW;
    }
    return !refuses && stream_wants_more(&fetch->stream) &&
                   stream_fits(&fetch->stream, message->size)
               ? SENT
               : WINDOW;
}

static struct message *first_of(const struct fetch *fetch, const struct queue *queue)
{
    return listing_find(fetch->listing, queue->at[queue->next]);
}

/* Where the limits leave nothing else, it is the turn of what has to be seen again. */
static struct queue *queue_in_turn(struct fetch *fetch)
{
    struct queue *from = queue_has_next(&fetch->wanted) ? &fetch->wanted : &fetch->retries;
    bool others = queue_has_next(from) && (!queue_has_next(&fetch->again) ||
                                           is_within_limits(fetch, first_of(fetch, from)));
    return others ? from : &fetch->again;
}

/* No message is asked for that there is no room for. */
static enum turn next_message(struct fetch *fetch, struct message **message)
{
    while (wants_mail(fetch)) {
        struct queue *from = queue_in_turn(fetch);
        /* What failed before is asked for alone, so that its next failure is its own. */
        if (from != &fetch->wanted && pop3_outstanding(fetch->pop3) > 0)
            return STUCK;
        *message = first_of(fetch, from);
        enum turn turn = look_at_window(fetch, *message);
        if (turn != SENT)
            return turn;
        if (!may_begin(fetch) || !receive_may_ask(&fetch->in, *message, fetch->stream.octets))
            return fetch->time_is_up || is_winding_down(fetch) ? NONE : STUCK;
        from->next++;
        if (receive_expect(&fetch->in, *message, fetch->stream.octets))
            return SENT;
    }
    return NONE;
}

/* Proof is asked for behind a RETR that fills a batch, and for one that is full or old. */
static bool mark_is_due(const struct fetch *fetch)
{
    const struct proof *proof = &fetch->proof;
    const struct batch *batch = &fetch->in.batch;
    if (proof->unproved >= batch->files || proof->octets >= BATCH_OCTETS)
        return true;
    return proof->marks == 0 &&
           (batch_is_full(batch) || (batch->count > 0 && one_at_a_time(fetch)));
}

/* Only answers to DELE are outstanding, all is well, and there is nothing left to ask for. */
static bool quit_is_due(const struct fetch *fetch)
{
    const struct poll *poll = fetch->poll;
    const struct proof *proof = &fetch->proof;
    bool in_order = poll->owned && poll->local.kind == ERR_NONE && poll->refused == 0 &&
                    poll->later == 0 && !journal_is_dirty(poll->journal);
    bool settled = fetch->stream.retr == 0 && proof->marks == 0 && proof->unproved == 0 &&
                   !proof_in_series(proof) && fetch->in.batch.count == 0 &&
                   fetch->in.pending.message == NULL && fetch->in.owed == 0;
    return fetch->stream.dele > 0 && !queue_has_next(&fetch->in.dele) && settled && in_order &&
           !one_at_a_time(fetch);
}

static int send_dele(struct fetch *fetch, enum pop3_verb *verb, uint32_t *number)
{
    struct queue *dele = &fetch->in.dele;
    *verb = POP3_DELE;
    *number = dele->at[dele->next++];
    stream_dele_sent(&fetch->stream);
    return 1;
}

static int send_retr(struct fetch *fetch, const struct message *message, enum pop3_verb *verb,
                     uint32_t *number)
{
    *verb = POP3_RETR;
    *number = message->number;
    stream_retr_sent(&fetch->stream, message->size);
    proof_retr(&fetch->proof, message);
    return 1;
}

static int send_quit(struct fetch *fetch, enum pop3_verb *verb)
{
    *verb = POP3_QUIT;
    fetch->quit_sent = true;
    return 1;
}

/* No RETR can be sent now. */
static int next_without_mail(struct fetch *fetch, enum turn turn, enum pop3_verb *verb,
                             uint32_t *number)
{
    if (turn == WINDOW)
        return 0;
    if ((turn == NONE || fetch->proof.marks == 0) &&
        proof_ask(&fetch->proof, fetch->listing, verb, number))
        return 1;
    if (queue_has_next(&fetch->in.dele) && stream_wants_dele(&fetch->stream, false))
        return send_dele(fetch, verb, number);
    return turn == NONE && quit_is_due(fetch) ? send_quit(fetch, verb) : 0;
}

static int next_in_turn(struct fetch *fetch, enum pop3_verb *verb, uint32_t *number)
{
    struct proof *proof = &fetch->proof;
    const struct batch *batch = &fetch->in.batch;
    struct message *message;
    if (proof->left > 0) { /* in one piece */
        *number = batch->items[proof_choose(proof, batch->count)].number;
        *verb = proof_ask_by_chance(proof, fetch->listing, listing_find(fetch->listing, *number));
        return 1;
    }
    if (mark_is_due(fetch) && proof_ask(proof, fetch->listing, verb, number))
        return 1;
    if (queue_has_next(&fetch->in.dele) && stream_wants_dele(&fetch->stream, wants_mail(fetch)))
        return send_dele(fetch, verb, number);
    enum turn turn = next_message(fetch, &message);
    return turn == SENT ? send_retr(fetch, message, verb, number)
                        : next_without_mail(fetch, turn, verb, number);
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct fetch *fetch = ctx;
    if (fetch->quit_sent)
        return 0;
    if (pop3_outstanding(fetch->pop3) == 0 && fetch->in.pending.message != NULL) {
        if (pop3_check_silence(fetch->pop3, err) < 0)
            return -1;
        receive_confirm(&fetch->in);
    }
    return next_in_turn(fetch, verb, number);
}

/* ---- answers ---- */

static void dele_answered(struct fetch *fetch, const struct pop3_answer *answer)
{
    struct poll *poll = fetch->poll;
    if (answer->reply.kind == REPLY_OK) {
        queue_push(&fetch->out->deleted, answer->number);
        return;
    }
    if (!fetch->undeleted) { /* an earlier connection asked for the same ones */
        fetch->undeleted = true;
        poll->undeleted.count = 0;
        poll->undeleted.number = answer->number;
        log_quote(poll->run->log, answer->reply.text, poll->undeleted.words);
    }
    poll->later++;
    poll->undeleted.count++;
}

static void quit_answered(struct fetch *fetch, const struct pop3_answer *answer)
{
    struct err why = {.kind = ERR_NONE};
    bool confirmed =
        pop3_quit_confirmed(fetch->pop3, &answer->reply, fetch->out->deleted.count > 0);
    /* If more comes, that was the answer to something else. */
    if (pop3_check_silence(fetch->pop3, &why) < 0 && why.kind == ERR_FRAMING)
        confirmed = false;
    fetch->out->quit = confirmed ? FETCH_QUIT_CONFIRMED : FETCH_QUIT_REFUSED;
}

static int question_answered(struct fetch *fetch, const struct pop3_answer *answer, struct err *err)
{
    int proved =
        proof_check(&fetch->proof, fetch->pop3, fetch->listing, answer, fetch->in.batch.count, err);
    if (proved > 0 && !fetch->in.batch.commands) /* which waits for an empty pipe */
        receive_commit(&fetch->in);
    return proved < 0 ? -1 : 0;
}

static int on_answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct fetch *fetch = ctx;
    receive_confirm(&fetch->in); /* before the proof is looked at: what it proves is complete */
    switch (answer->verb) {
    case POP3_RETR:
        stream_retr_answered(&fetch->stream, listing_find(fetch->listing, answer->number)->size);
        return receive_answer(&fetch->in, answer, taken, &fetch->proof.doubtful, err);
    case POP3_DELE:
        stream_dele_answered(&fetch->stream);
        dele_answered(fetch, answer);
        return 0;
    case POP3_QUIT:
        quit_answered(fetch, answer);
        return 0;
    default:
        return question_answered(fetch, answer, err);
    }
}

/* ---- the connection breaks ---- */

/* Out of step: what is not committed yet may be anybody's words. It is thrown away and fetched
 * again by the next connection: one by one, if nobody can tell which message it was. */
static enum connection_end out_of_step(struct fetch *fetch, struct message *in_body,
                                       const struct err *why)
{
    const struct batch *batch = &fetch->in.batch;
    struct message *pending = fetch->in.pending.message;
    if (in_body == NULL && pending == NULL && batch->count == 1)
        in_body = listing_find(fetch->listing, batch->items[0].number);
    if (pending != NULL)
        fault_break(fetch->poll, fetch->listing, pending, why);
    if (in_body != NULL)
        fault_break(fetch->poll, fetch->listing, in_body, why);
    receive_drop_all(&fetch->in);
    if (pending != NULL || in_body != NULL)
        return CONNECTION_AGAIN_ALL;
    return one_at_a_time(fetch) ? CONNECTION_LOST : CONNECTION_AGAIN_ONE_BY_ONE;
}

/* It ended over a question that can be done without, for the first time. */
static bool ended_over_question(struct fetch *fetch, const struct pop3_answer *answer,
                                const struct err *why)
{
    enum habit habit = answer->verb == POP3_UIDL_ONE ? HABIT_UIDL_N : HABIT_LIST_N;
    struct habits *habits = &fetch->poll->habits;
    bool question = answer->verb == POP3_UIDL_ONE || answer->verb == POP3_LIST_ONE;
    if (answer->number == 0 || !question || habits_has(habits, habit) ||
        (why->kind != ERR_TIMEOUT && why->kind != ERR_CLOSED))
        return false;
    habits->known |= habit;
    return true;
}

/* What was complete is kept. A message in whose answer the connection broke may be the reason. */
static enum connection_end broken(struct fetch *fetch, const struct pop3_answer *answer,
                                  const struct err *why)
{
    struct receiver *in = &fetch->in;
    if (fetch->quit_sent) /* nothing more can be fetched, and no message is at fault */
        return CONNECTION_LOST;
    bool in_step = answer->reply.kind != REPLY_JUNK;
    struct message *in_body = answer->number != 0 && answer->verb == POP3_RETR
                                  ? listing_find(fetch->listing, answer->number)
                                  : NULL;
    bool ours = in_body != NULL && in_step && answer->given_up && err_keeps_connection(why->kind);
    body_drop(&in->body);
    if (in_step || (why->kind != ERR_FRAMING && in->pending.arrival.parcel != NULL))
        receive_confirm(in);
    if (ours && why->kind == ERR_MESSAGE && in->body.fault == REASON_NO_END) {
        fault_break(fetch->poll, fetch->listing, in_body, why);
        return CONNECTION_AGAIN_ALL;
    }
    if (ours && why->kind == ERR_MESSAGE) {
        fault_refuse(fetch->poll, fetch->listing, in_body,
                     &(struct journal_failure){.reason = in->body.fault,
                                               .words = str_from(in->body.fault_words)});
        return CONNECTION_AGAIN_ALL;
    }
    if (why->kind == ERR_FRAMING)
        return out_of_step(fetch, in_body, why);
    if (ours)
        receive_trouble(in, why);
    else if (in_body != NULL && fetch->poll->local.kind == ERR_NONE &&
             (why->kind == ERR_TIMEOUT || why->kind == ERR_CLOSED)) {
        fault_break(fetch->poll, fetch->listing, in_body, why);
        return CONNECTION_AGAIN_ALL;
    }
    return ended_over_question(fetch, answer, why) ? CONNECTION_AGAIN_ALL : CONNECTION_LOST;
}

/* ---- the whole ---- */

static bool has_doubted(const struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == PLAN_ALONE)
            return true;
    return false;
}

/* What a connection broke over may break this one too: it is asked for on one of its own. That is
 * this one, if there is nothing else to be done, or in their turn: a server may allow no second one
 * soon. */
static void plan(struct fetch *fetch, const struct queue *verified)
{
    struct poll *poll = fetch->poll;
    if (!poll->alone && !poll->only_deletes) {
        queue_push_all(&fetch->wanted, fetch->listing, PLAN_FETCH);
        queue_push_all(&fetch->retries, fetch->listing, PLAN_RETRY);
        bool others = has_more(fetch) || verified->count > 0;
        poll->doubted_first = poll->doubted_first && others && has_doubted(fetch->listing);
        poll->alone = !others || poll->doubted_first;
    }
    if (poll->doubted_first)
        fetch->wanted.count = fetch->retries.count = 0;
    if (poll->alone && !poll->only_deletes)
        queue_push_by_tries(&fetch->retries, fetch->listing, poll->journal);
    for (uint32_t i = 0; i < verified->count && !poll->doubted_first; i++)
        queue_push(&fetch->in.dele, verified->at[i]);
}

static bool is_done(const struct fetch *fetch)
{
    return !queue_has_next(&fetch->in.dele) && fetch->in.pending.message == NULL &&
           !wants_mail(fetch);
}

static enum connection_end run(struct fetch *fetch, struct err *err)
{
    struct pop3_taker taker = {.sink = {.write = receive_body, .ctx = &fetch->in}};
    struct pipeline pipe = {
        .pop3 = fetch->pop3, .ctx = fetch, .next = next, .taker = &taker, .answer = on_answer};
    struct pop3_answer answer;
    enum connection_end end = CONNECTION_DONE;
    do {
        if (pipe_run(&pipe, &answer, err) < 0) {
            end = broken(fetch, &answer, err);
            if (fetch->quit_sent)
                err_prefix(err, "QUIT");
            if (fetch->proof.doubtful)
                receive_drop_all(&fetch->in);
        }
        receive_commit(&fetch->in);
    } while (end == CONNECTION_DONE && !is_done(fetch));
    return end;
}

enum connection_end fetch_run(struct poll *poll, struct pop3 *pop3, struct listing *listing,
                              const struct queue *verified, struct fetched *out, struct err *err)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);
    fetch->poll = poll;
    fetch->pop3 = pop3;
    fetch->listing = listing;
    fetch->out = out;
    fetch->room = batch_room();
    size_t on_the_way = fetch->room - batch_files(fetch->room);
    stream_init(&fetch->stream, on_the_way < STREAM_RETR ? (unsigned)on_the_way : STREAM_RETR);
    receive_init(&fetch->in, poll, pop3, listing, fetch->room);
    fetch->in.again = &fetch->again;
    plan(fetch, verified);
    enum connection_end end = run(fetch, err);
    receive_end_row(&fetch->in);
    poll->owned = poll->owned && fetch->in.owed == 0;
    free(fetch->wanted.at);
    free(fetch->retries.at);
    free(fetch->again.at);
    free(fetch->in.dele.at);
    free(fetch->in.coming.at);
    body_drop(&fetch->in.body);
    free(fetch);
    return end;
}
