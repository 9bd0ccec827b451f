#include "session/top.h"

#include "session/pipe.h"

struct run {
    const struct top *top;
    size_t next;
    struct header *header;
    uint64_t octets;
};

bool top_is_possible(struct pop3 *pop3)
{
    const struct reply_capa *capa = pop3_capabilities(pop3);
    return !capa->known || capa->top;
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct run *run = ctx;
    (void)err;
    if (run->next == run->top->count)
        return 0;
    *verb = POP3_TOP;
    *number = run->top->numbers[run->next++];
    return 1;
}

static int write_header(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct run *run = ctx;
    run->octets += len;
    if (run->octets > TOP_HEADER_MAX)
        return err_set(err, ERR_MESSAGE, "its header is too long");
    header_feed(run->header, bytes, len);
    return 0;
}

static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct run *run = ctx;
    struct fingerprint fingerprint = {.known = taken == 0 && answer->reply.kind == REPLY_OK};
    (void)err;
    if (fingerprint.known) {
        fingerprint.has_message_id = header_has_message_id(run->header);
        header_fingerprint(run->header, fingerprint.bytes);
    }
    run->top->fingerprint(run->top->ctx, answer->number, &fingerprint);
    header_free(run->header);
    run->header = header_new();
    run->octets = 0;
    return 0;
}

int top_run(const struct top *top, struct err *err)
{
    struct run run = {.top = top, .header = header_new()};
    struct pop3_taker taker = {.sink = {.write = write_header, .ctx = &run}};
    struct pipeline pipe = {
        .pop3 = top->pop3, .ctx = &run, .next = next, .taker = &taker, .answer = answer};
    int result = top->count == 0 ? 0 : pipe_run(&pipe, NULL, err);
    header_free(run.header);
    return result;
}
