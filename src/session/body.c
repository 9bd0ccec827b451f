/* SPDX-License-Identifier: ISC */
#include "session/body.h"

#include <assert.h>
#include <stdio.h>

#include "delivery/deliver.h"
#include "session/heading.h"
#include "session/sift.h"

#define BODY_SPARE ((uint64_t)4 * 1024 * 1024) /* more than LIST says, or eightfold: without end, */
#define BODY_TIMES 8
#define BODY_AGAIN 4 /* but after each try it may be so many times more, up to BODY_MAX */

void body_init(struct body *body, struct poll *poll, struct listing *listing)
{
    *body = (struct body){.poll = poll, .listing = listing};
    buf_init(&body->head, FIELDS_MAX);
}

/* LIST may be wrong by much. What has no end in truth costs little before it is held; what is a
 * whole message, of which LIST knows the stub alone, comes at one of its tries. */
static uint64_t longest(uint64_t listed, unsigned tries)
{
    uint64_t spare = BODY_SPARE;
    if (listed == 0)
        return BODY_MAX;
    for (unsigned i = 0; i < tries && spare < BODY_MAX; i++)
        spare *= BODY_AGAIN;
    uint64_t times = listed > UINT64_MAX / BODY_TIMES ? UINT64_MAX : BODY_TIMES * listed;
    return times > listed + spare ? times : listed + spare;
}

static int give_up(struct body *body, enum reason fault, uint64_t limit, struct err *err)
{
    char text[LOG_QUOTE_MAX];
    body->fault = fault;
    snprintf(body->fault_words, sizeof body->fault_words, "%llu", (unsigned long long)limit);
    return err_set(err, ERR_MESSAGE, "%s", reason_text(fault, str_of("", 0), text, sizeof text));
}

static int write_out(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct body *body = ctx;
    struct parcel *parcel = body->arrival.parcel;
    uint64_t max_size = body->poll->run->account->max_size;
    assert(parcel != NULL); /* begin_parcel has made it */
    if (max_size != 0 && parcel->octets + len > max_size)
        return give_up(body, REASON_SURPRISE, max_size, err);
    if (parcel->octets + len > body->max)
        return give_up(body, REASON_NO_END, body->max, err);
    struct sink sink = spool_sink(parcel);
    return sink.write(sink.ctx, bytes, len, err);
}

static int begin_parcel(struct body *body, const struct message *message, struct err *err)
{
    const struct route *route = body->poll->routes.through;
    body->fault = REASON_UNKNOWN;
    body->max = longest(message->size, journal_entry(body->poll->journal, message->entry).tries);
    if (route == NULL)
        route = sift_route(body->poll, body->arrival.verdict);
    return deliver_begin(route->deliver, &body->arrival.parcel, err);
}

static void forget_header(struct body *body)
{
    fields_free(body->fields);
    body->fields = NULL;
    buf_free(&body->head);
}

/* The header decides, or as much of it as came. */
static int judge_header(struct body *body, struct message *message, struct err *err)
{
    const struct sift_facts facts = {
        .size = message->size, .fields = body->fields, .header = buf_str(&body->head)};
    struct poll *poll = body->poll;
    struct arrival *arrival = &body->arrival;
    struct sink sink = {.write = write_out, .ctx = body};
    bool broken_off = !fields_is_done(body->fields);
    fields_end(body->fields);
    if (!arrival->verdict.judged && sift_is_wanted(poll))
        arrival->verdict = sift_judge(poll, body->listing, message, &facts, &arrival->until);
    /* Asked for by name; or a rule may fit only because the rest of the header is missing. */
    if (poll->rules.switches.only != NULL || (broken_off && !arrival->verdict.unsaid))
        arrival->verdict.action = RULE_FETCH;
    int result = begin_parcel(body, message, err);
    if (result == 0)
        result = heading_write(poll->run->account, facts.header, poll->rules.now, sink, err);
    arrival->arrived = heading_arrived(poll->run->account, body->fields, poll->rules.now);
    forget_header(body);
    return result;
}

/* With its first octets, or none if it is empty. */
static int begin(struct body *body, const struct message *message, struct str first,
                 struct err *err)
{
    if (body->arrival.parcel != NULL || body->fields != NULL)
        return 0;
    body->like_status = str_has_prefix(first, "+OK") || str_has_prefix(first, "-ERR");
    body->arrival = (struct arrival){.verdict = sift_verdict(body->poll, body->listing, message)};
    if ((body->arrival.verdict.judged || !sift_is_wanted(body->poll)) &&
        !heading_is_wanted(body->poll->run->account))
        return begin_parcel(body, message, err);
    body->fields = fields_new();
    return 0;
}

int body_write(struct body *body, struct message *message, struct str octets, struct err *err)
{
    if (begin(body, message, octets, err) < 0)
        return -1;
    if (body->fields == NULL)
        return write_out(body, octets.ptr, octets.len, err);
    fields_feed(body->fields, octets.ptr, octets.len);
    bool fits = buf_add(&body->head, octets.ptr, octets.len) == 0;
    if (fits && !fields_is_done(body->fields))
        return 0;
    if (judge_header(body, message, err) < 0)
        return -1;
    return fits ? 0 : write_out(body, octets.ptr, octets.len, err);
}

int body_finish(struct body *body, struct message *message, struct err *err)
{
    if (begin(body, message, str_of("", 0), err) < 0)
        return -1;
    if (body->fields != NULL && judge_header(body, message, err) < 0)
        return -1;
    int result = deliver_finish(body->arrival.parcel, err);
    heading_set_time(body->arrival.parcel, body->arrival.arrived);
    return result;
}

struct arrival body_take(struct body *body)
{
    struct arrival arrival = body->arrival;
    body->arrival.parcel = NULL;
    return arrival;
}

void body_drop(struct body *body)
{
    if (body->arrival.parcel != NULL)
        deliver_drop(body->arrival.parcel);
    body->arrival.parcel = NULL;
    forget_header(body);
}
