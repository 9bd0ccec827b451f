#include "session/fingerprints.h"

#include <string.h>

#include "session/pipe.h"

struct asking {
    const struct fingerprints *asked;
    size_t next;
    struct header *header;
    uint64_t octets;
};

struct fingerprint fingerprints_of(struct header *header)
{
    struct fingerprint fingerprint = {.known = true};
    fingerprint.has_message_id = header_has_message_id(header);
    header_fingerprint(header, fingerprint.bytes);
    return fingerprint;
}

bool fingerprints_same(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->known && b->known && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool fingerprints_possible(struct pop3 *pop3)
{
    const struct reply_capa *capa = pop3_capabilities(pop3);
    return !capa->known || capa->top;
}

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct asking *asking = ctx;
    (void)err;
    if (asking->next == asking->asked->count)
        return 0;
    *verb = POP3_TOP;
    *number = asking->asked->numbers[asking->next++];
    return 1;
}

static int write_header(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct asking *asking = ctx;
    asking->octets += len;
    if (asking->octets > FINGERPRINTS_HEADER_MAX)
        return err_set(err, ERR_MESSAGE, "its header is too long");
    header_feed(asking->header, bytes, len);
    return 0;
}

static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct asking *asking = ctx;
    struct fingerprint fingerprint = {.known = false};
    (void)err;
    if (taken == 0 && answer->reply.kind == REPLY_OK)
        fingerprint = fingerprints_of(asking->header);
    asking->asked->fingerprint(asking->asked->ctx, answer->number, &fingerprint);
    header_free(asking->header);
    asking->header = header_new();
    asking->octets = 0;
    return 0;
}

int fingerprints_run(const struct fingerprints *asked, struct err *err)
{
    struct asking asking = {.asked = asked, .header = header_new()};
    struct pop3_taker taker = {.sink = {.write = write_header, .ctx = &asking}};
    struct pipeline pipe = {
        .pop3 = asked->pop3, .ctx = &asking, .next = next, .taker = &taker, .answer = answer};
    int result = asked->count == 0 ? 0 : pipe_run(&pipe, NULL, err);
    header_free(asking.header);
    return result;
}
