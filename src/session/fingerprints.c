#include "session/fingerprints.h"

#include <string.h>

#include "session/pipe.h"

struct asking {
    const struct fingerprints *asked;
    size_t next;
    struct header *header;
    uint64_t octets;
};

struct fingerprint fingerprints_of(struct header *header, bool retrieved)
{
    struct fingerprint fingerprint = {.known = true, .retrieved = retrieved};
    header_fingerprint(header, fingerprint.bytes);
    fingerprint.kind = header_kind(header);
    if (retrieved || fingerprint.kind != HEADER_ANONYMOUS)
        header_identity(header, fingerprint.identity);
    return fingerprint;
}

bool fingerprints_equal(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->known && b->known && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_one_identity(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->kind == b->kind && memcmp(a->identity, b->identity, sizeof a->identity) == 0 &&
           (a->kind != HEADER_ANONYMOUS || fingerprints_equal(a, b));
}

enum fingerprints_verdict fingerprints_compare(const struct fingerprint *a,
                                               const struct fingerprint *b)
{
    bool retrieved = a->retrieved && b->retrieved;
    if (!a->known || !b->known)
        return FINGERPRINTS_UNSURE;
    if ((retrieved || a->kind != HEADER_ANONYMOUS) && is_one_identity(a, b))
        return FINGERPRINTS_SAME;
    if (!retrieved && fingerprints_equal(a, b))
        return FINGERPRINTS_ALIKE;
    return a->retrieved == b->retrieved ? FINGERPRINTS_OTHER : FINGERPRINTS_UNSURE;
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
    bool done = header_is_done(asking->header);
    asking->octets += len;
    if (asking->octets > (done ? FINGERPRINTS_BODY_MAX : FINGERPRINTS_HEADER_MAX))
        return err_set(err, ERR_MESSAGE, "TOP has no end");
    if (!done)
        header_feed(asking->header, bytes, len);
    return 0;
}

static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct asking *asking = ctx;
    struct fingerprint fingerprint = {.known = false};
    (void)err;
    if (taken == 0 && answer->reply.kind == REPLY_OK)
        fingerprint = fingerprints_of(asking->header, false);
    if (asking->asked->date != NULL)
        asking->asked->date(asking->asked->ctx, answer->number,
                            header_value(asking->header, "Date"));
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
