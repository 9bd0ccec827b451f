/* SPDX-License-Identifier: ISC */
#include "session/fingerprints.h"

#include <string.h>

#include "session/headers.h"

struct asking {
    const struct fingerprints *asked;
    struct header *header;
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

static bool has_identity(const struct fingerprint *fingerprint)
{
    return fingerprint->known && (fingerprint->retrieved || fingerprint->kind != HEADER_ANONYMOUS);
}

enum fingerprints_verdict fingerprints_compare_identity(const struct fingerprint *a,
                                                        const struct fingerprint *b)
{
    if (!has_identity(a) || !has_identity(b))
        return FINGERPRINTS_UNSURE;
    bool one = a->kind == b->kind && memcmp(a->identity, b->identity, sizeof a->identity) == 0;
    return one ? FINGERPRINTS_SAME : FINGERPRINTS_OTHER;
}

enum fingerprints_verdict fingerprints_compare(const struct fingerprint *a,
                                               const struct fingerprint *b)
{
    bool equal = fingerprints_equal(a, b);
    if (!a->known || !b->known)
        return FINGERPRINTS_UNSURE;
    if (fingerprints_compare_identity(a, b) == FINGERPRINTS_SAME &&
        (a->kind != HEADER_ANONYMOUS || equal))
        return FINGERPRINTS_SAME;
    if (equal && !(a->retrieved && b->retrieved))
        return FINGERPRINTS_ALIKE;
    return a->retrieved == b->retrieved ? FINGERPRINTS_OTHER : FINGERPRINTS_UNSURE;
}

static bool feed(void *ctx, const char *bytes, size_t len)
{
    struct asking *asking = ctx;
    header_feed(asking->header, bytes, len);
    return header_is_done(asking->header);
}

static void answer(void *ctx, uint32_t number, bool came)
{
    struct asking *asking = ctx;
    struct fingerprint fingerprint = {.known = false};
    if (came)
        fingerprint = fingerprints_of(asking->header, false);
    if (asking->asked->date != NULL)
        asking->asked->date(asking->asked->ctx, number, header_value(asking->header, "Date"));
    asking->asked->fingerprint(asking->asked->ctx, number, &fingerprint);
    header_free(asking->header);
    asking->header = header_new();
}

int fingerprints_run(const struct fingerprints *asked, struct err *err)
{
    struct asking asking = {.asked = asked, .header = header_new()};
    const struct headers headers = {.pop3 = asked->pop3,
                                    .numbers = asked->numbers,
                                    .count = asked->count,
                                    .feed = feed,
                                    .answer = answer,
                                    .ctx = &asking};
    int result = 0;
    if (headers_may_ask(asked->pop3, asked->habits))
        result = headers_run(&headers, err);
    else
        for (size_t i = 0; i < asked->count; i++)
            answer(&asking, asked->numbers[i], false);
    header_free(asking.header);
    return result;
}
