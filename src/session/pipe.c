/* SPDX-License-Identifier: ISC */
#include "session/pipe.h"

static int top_up(const struct pipeline *pipe, struct err *err)
{
    while (pop3_has_room(pipe->pop3)) {
        enum pop3_verb verb;
        uint32_t number = 0;
        int there = pipe->next(pipe->ctx, &verb, &number, err);
        if (there <= 0)
            return there;
        if (pop3_put(pipe->pop3, verb, number, err) < 0)
            return -1;
    }
    return 0;
}

int pipe_run(const struct pipeline *pipe, struct pop3_answer *broken, struct err *err)
{
    struct pop3_answer unused;
    if (broken == NULL)
        broken = &unused;
    for (;;) {
        struct pop3_answer *answer = broken;
        *answer = (struct pop3_answer){.reply.kind = REPLY_JUNK};
        if (top_up(pipe, err) < 0)
            return -1;
        if (pop3_outstanding(pipe->pop3) == 0)
            return 0;
        int taken = pop3_take(pipe->pop3, pipe->taker, answer, err);
        if (taken < 0 && answer->given_up)
            return -1;
        if (pipe->answer(pipe->ctx, answer, taken, err) < 0)
            return -1;
    }
}
