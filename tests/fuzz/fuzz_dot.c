/* SPDX-License-Identifier: ISC */
/*
 * The framing of messages, against a reference that is slow and plain: it has the whole answer at
 * once, and looks for the end by its five bytes. The first bytes of an input say how to cut it up.
 */
#include "fuzz/fuzz.h"
#include "pop3/dot.h"

struct body {
    char *bytes;
    size_t len;      /* stored form */
    size_t used;     /* of the input, terminator included */
    uint64_t octets; /* as the server counts */
    bool ended;
};

/* A line end at `at`: its length, or 0. */
static size_t line_end(struct str in, size_t at, bool lf_only)
{
    if (at + 1 < in.len && in.ptr[at] == '\r' && in.ptr[at + 1] == '\n')
        return 2;
    return lf_only && at < in.len && in.ptr[at] == '\n' ? 1 : 0;
}

static struct body reference(struct str in, bool lf_only)
{
    struct body body = {.bytes = fuzz_copy(in.ptr, in.len)};
    bool start = true;
    size_t at = 0;
    while (at < in.len) {
        if (start && in.ptr[at] == '.') {
            size_t end = line_end(in, at + 1, lf_only);
            at += 1 + end;
            body.ended = end > 0;
            if (body.ended)
                break;
            start = false;
            continue;
        }
        size_t end = line_end(in, at, lf_only);
        start = end > 0;
        body.octets += end > 0 ? end : 1;
        body.bytes[body.len++] = end > 0 ? '\n' : in.ptr[at];
        at += end > 0 ? end : 1;
    }
    body.used = at;
    return body;
}

/* The real one, fed in pieces of `in_step` and emptied in pieces of `out_step`. */
static struct body decoded(struct str in, bool lf_only, size_t in_step, size_t out_step)
{
    struct body body = {.bytes = fuzz_copy(in.ptr, in.len)};
    char *out = malloc(out_step);
    struct dot dot;
    dot_init(&dot, lf_only);
    for (size_t end = 0; end < in.len && !dot.ended;) {
        end = in.len - end < in_step ? in.len : end + in_step;
        char *piece = fuzz_copy(in.ptr + body.used, end - body.used);
        size_t at = 0, len = end - body.used, idle = 0;
        while (at < len && !dot.ended) {
            size_t written = 0;
            size_t used = dot_decode(&dot, str_of(piece + at, len - at), out, out_step, &written);
            fuzz_check(written <= out_step && used <= len - at);
            idle = used == 0 && written == 0 ? idle + 1 : 0;
            fuzz_check(idle < 2);
            fuzz_check(body.len + written <= in.len);
            memcpy(body.bytes + body.len, out, written);
            body.len += written;
            at += used;
        }
        body.used += at;
        free(piece);
    }
    free(out);
    body.ended = dot.ended;
    body.octets = dot.octets;
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {data, size};
    bool lf_only = fuzz_byte(&fuzz) & 1;
    size_t in_step = 1 + fuzz_byte(&fuzz), out_step = 1 + fuzz_byte(&fuzz);
    struct str in = fuzz_rest(&fuzz);
    struct body want = reference(in, lf_only);
    struct body got = decoded(in, lf_only, in_step, out_step);
    fuzz_check(got.ended == want.ended);
    if (want.ended) { /* what is held back at the end of a torn body is nobody's business */
        fuzz_check(got.used == want.used && got.octets == want.octets);
        fuzz_check(got.len == want.len && memcmp(got.bytes, want.bytes, got.len) == 0);
    } else {
        fuzz_check(got.len <= want.len && memcmp(got.bytes, want.bytes, got.len) == 0);
    }
    free(want.bytes);
    free(got.bytes);
    return 0;
}
