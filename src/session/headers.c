/* SPDX-License-Identifier: ISC */
#include "session/headers.h"

#include "base/clock.h"
#include "session/pipe.h"

struct asking {
    const struct headers *asked;
    size_t next;
    uint64_t octets;
    bool done;
};

bool headers_possible(struct pop3 *pop3)
{
    const struct reply_capa *capa = pop3_capabilities(pop3);
    return !capa->known || capa->top;
}

bool headers_may_ask(struct pop3 *pop3, const struct habits *habits)
{
    return headers_possible(pop3) && !habits_has(habits, HABIT_TOP);
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct asking *asking = ctx;
    (void)err;
    int64_t until = asking->asked->until;
    if (asking->next == asking->asked->count || (until != 0 && clock_left(until) == 0))
        return 0;
    *verb = POP3_TOP;
    *number = asking->asked->numbers[asking->next++];
    return 1;
}

static int take(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct asking *asking = ctx;
    asking->octets += len;
    if (asking->octets > (asking->done ? HEADERS_BODY_MAX : HEADERS_MAX))
        return err_set(err, ERR_MESSAGE, "TOP has no end");
    asking->done = asking->done || asking->asked->feed(asking->asked->ctx, bytes, len);
    return 0;
}

static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct asking *asking = ctx;
    bool came = taken == 0 && answer->reply.kind == REPLY_OK && asking->octets > 0;
    (void)err;
    asking->octets = 0;
    asking->done = false;
    asking->asked->answer(asking->asked->ctx, answer->number, came);
    return 0;
}

int headers_run(const struct headers *asked, struct err *err)
{
    struct asking asking = {.asked = asked};
    struct pop3_taker taker = {.sink = {.write = take, .ctx = &asking}};
    struct pipeline pipe = {
        .pop3 = asked->pop3, .ctx = &asking, .next = next, .taker = &taker, .answer = answer};
    return asked->count == 0 ? 0 : pipe_run(&pipe, NULL, err);
}
