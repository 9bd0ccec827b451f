/* SPDX-License-Identifier: ISC */
/*
 * dot: against a slow and obvious reference, at every split point, with every small buffer.
 */
#include "pop3/dot.h"

#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

#define MOST 4096

struct result {
    char out[MOST];
    size_t len;
    size_t used; /* bytes of the input taken, the terminator included */
    bool ended;
    uint64_t octets;
    bool stuck; /* neither took nor gave */
};

/* --- the reference: whole input at hand, looked at from afar -------------------------------- */

static bool starts(const char *in, size_t len, size_t at, const char *want)
{
    size_t n = strlen(want);
    return at + n <= len && memcmp(in + at, want, n) == 0;
}

static bool line_start(const char *in, size_t at, bool lf_only)
{
    if (at == 0)
        return true;
    return in[at - 1] == '\n' && (lf_only || (at > 1 && in[at - 2] == '\r'));
}

/* Length of the terminator at this place, 0 if none. */
static size_t terminator(const char *in, size_t len, size_t at, bool lf_only)
{
    if (!line_start(in, at, lf_only))
        return 0;
    if (starts(in, len, at, ".\r\n"))
        return 3;
    return lf_only && starts(in, len, at, ".\n") ? 2 : 0;
}

static void reference(const char *in, size_t len, bool lf_only, struct result *r)
{
    memset(r, 0, sizeof *r);
    size_t end = 0, more = 0;
    while (end < len && (more = terminator(in, len, end, lf_only)) == 0)
        end++;
    r->ended = end < len;
    r->used = r->ended ? end + more : len;
    if (!r->ended && end > 0 && in[end - 1] == '\r')
        end--; /* undecided */
    if (!r->ended && end > 0 && in[end - 1] == '.' && line_start(in, end - 1, lf_only))
        end--;
    for (size_t i = 0; i < end; i++) {
        if (in[i] == '.' && line_start(in, i, lf_only))
            continue;
        r->octets++;
        if (!(in[i] == '\r' && i + 1 < end && in[i + 1] == '\n'))
            r->out[r->len++] = in[i];
    }
}

/* --- the real one, driven in pieces ----------------------------------------------------------- */

/* Feeds [from, to) through buffers of `cap` octets; the memory is exactly as large as what is
 * promised to be there, so that a sanitizer sees every step beyond. */
static void feed(struct dot *dot, const char *in, size_t from, size_t to, size_t cap,
                 struct result *r)
{
    while (from < to && !dot->ended) {
        size_t n = to - from, written = 0;
        char *piece = malloc(n), *out = malloc(cap);
        if (piece == NULL || out == NULL)
            abort();
        memcpy(piece, in + from, n);
        size_t took = dot_decode(dot, (struct str){piece, n}, out, cap, &written);
        if ((took == 0 && written == 0) || took > n || written > cap) {
            r->stuck = true;
            dot->ended = true;
        } else {
            memcpy(r->out + r->len, out, written);
        }
        r->len += written;
        r->used += took;
        from += took;
        free(piece);
        free(out);
    }
}

static void decode(const char *in, size_t len, const size_t *cuts, size_t cut_count, size_t cap,
                   bool lf_only, struct result *r)
{
    struct dot dot;
    size_t from = 0;
    memset(r, 0, sizeof *r);
    dot_init(&dot, lf_only);
    for (size_t i = 0; i < cut_count; i++) {
        feed(&dot, in, from, cuts[i], cap, r);
        from = cuts[i];
    }
    feed(&dot, in, from, len, cap, r);
    r->ended = dot.ended;
    r->octets = dot.octets;
}

static bool same(const struct result *a, const struct result *b)
{
    return !a->stuck && !b->stuck && a->len == b->len && memcmp(a->out, b->out, a->len) == 0 &&
           a->used == b->used && a->ended == b->ended && a->octets == b->octets;
}

/* Every pair of cuts for short inputs, every single cut for all; caps 1 to 5 and one large. */
static bool sweep(const char *in, size_t len, bool lf_only, const struct result *want)
{
    static const size_t caps[] = {1, 2, 3, 4, 5, MOST};
    static struct result got;
    for (size_t c = 0; c < sizeof caps / sizeof caps[0]; c++) {
        for (size_t a = 0; a <= len; a++) {
            for (size_t b = a; b <= (len <= 24 ? len : a); b++) {
                decode(in, len, (size_t[]){a, b}, 2, caps[c], lf_only, &got);
                if (!same(&got, want)) {
                    printf("# cap %zu, cuts %zu %zu: %zu out, %zu used, ended %d, octets %llu\n",
                           caps[c], a, b, got.len, got.used, got.ended,
                           (unsigned long long)got.octets);
                    return false;
                }
            }
        }
    }
    return true;
}

/* --- by hand -------------------------------------------------------------------------------- */

struct row {
    const char *name;
    bool lf_only;
    const char *in;
    const char *out;
    bool ended;
    size_t behind; /* bytes of the input that are none of the body's */
    uint64_t octets;
};

static const struct row rows[] = {
    {"empty message", false, ".\r\n+OK", "", true, 3, 0},
    {"one line", false, "a\r\n.\r\n", "a\n", true, 0, 3},
    {"one empty line", false, "\r\n.\r\n", "\n", true, 0, 2},
    {"stuffed dots", false, "..\r\n...\r\n..x\r\n.\r\n", ".\n..\n.x\n", true, 0, 3 + 4 + 4},
    {"dot not doubled is taken away", false, ".x\r\n.\r\n", "x\n", true, 0, 3},
    {"dot inside a line stays", false, "a.\r\nb.c\r\n.\r\n", "a.\nb.c\n", true, 0, 4 + 5},
    {"CR CR LF keeps one CR", false, "a\r\r\n.\r\n", "a\r\n", true, 0, 4},
    {"bare CR stays", false, "a\rb\r\n.\r\n", "a\rb\n", true, 0, 5},
    {"bare LF stays and is no line end", false, "a\n.\nb\r\n.\r\n", "a\n.\nb\n", true, 0, 7},
    {"LF . CRLF is no end", false, "a\n.\r\nb\r\n.\r\n", "a\n.\nb\n", true, 0, 8},
    {"CR . CR is no end", false, "a\r.\rb\r\n.\r\n", "a\r.\rb\n", true, 0, 7},
    {"CRLF . LF is no end", false, "a\r\n.\nb\r\n.\r\n", "a\n\nb\n", true, 0, 7},
    {"CRLF . CR x strips one dot", false, "a\r\n.\rx\r\n.\r\n", "a\n\rx\n", true, 0, 7},
    {"CRLF . CR CR LF is no end", false, "a\r\n.\r\r\n.\r\n", "a\n\r\n", true, 0, 6},
    {"stops behind the first end", false, "a\r\n.\r\n.\r\n", "a\n", true, 3, 3},
    {"NUL and 8-bit pass", false, "\200\377\r\n.\r\n", "\200\377\n", true, 0, 4},
    {"no end yet", false, "abc\r\n.", "abc\n", false, 0, 5},
    {"no end yet, CR held", false, "abc\r", "abc", false, 0, 3},
    {"LF answer", true, "a\n.\n+OK", "a\n", true, 3, 2},
    {"LF answer, empty", true, ".\n", "", true, 0, 0},
    {"LF answer, CRLF in it", true, "a\r\nb\n.\r\n", "a\nb\n", true, 0, 5},
    {"LF answer, stuffing", true, "..\n.x\n.\n", ".\nx\n", true, 0, 4},
    {"LF answer, . CR x", true, ".\rx\n.\n", "\rx\n", true, 0, 3},
    {"LF answer, CR . CR", true, "\r.\ra\n.\n", "\r.\ra\n", true, 0, 5},
};

static void test_rows(void)
{
    static struct result want, byref;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        size_t len = strlen(row->in);
        memset(&want, 0, sizeof want);
        want.len = strlen(row->out);
        memcpy(want.out, row->out, want.len);
        want.ended = row->ended;
        want.used = len - row->behind;
        want.octets = row->octets;
        reference(row->in, len, row->lf_only, &byref);
        ok(same(&want, &byref), "%s: the reference agrees", row->name);
        ok(sweep(row->in, len, row->lf_only, &want), "%s: every cut, every buffer", row->name);
    }
    static const char nul[] = "a\0.\r\n\0\r\n.\r\n";
    reference(nul, sizeof nul - 1, false, &want);
    is_mem(want.out, want.len, "a\0.\n\0\n", 6, "NUL: the reference agrees");
    ok(sweep(nul, sizeof nul - 1, false, &want), "NUL: every cut, every buffer");
}

/* --- by chance ------------------------------------------------------------------------------ */

static uint32_t seed = 20240229;

static uint32_t chance(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static size_t make(char *in, size_t most)
{
    static const char *const bits[] = {"\r\n",   "\r",    "\n",  ".",       "..",
                                       "x",      "\r\n.", "\n.", "\r\n.\r", "long run of text",
                                       "\r\n..", "\r\r\n"};
    static const uint32_t bit_count = sizeof bits / sizeof bits[0];
    size_t len = 0, goal = chance((uint32_t)most - 20);
    while (len < goal) {
        const char *bit = bits[chance(bit_count)];
        memcpy(in + len, bit, strlen(bit));
        len += strlen(bit);
    }
    return len;
}

static void test_random(bool lf_only)
{
    static char in[MOST];
    static struct result want, got;
    int ended = 0, bad = 0;
    for (int round = 0; round < 20000 && bad == 0; round++) {
        size_t len = make(in, round % 10 == 0 ? 400 : 60), cuts[8];
        size_t n = chance(8);
        for (size_t i = 0, at = 0; i < n; i++) {
            at += chance((uint32_t)(len - at) + 1);
            cuts[i] = at;
        }
        reference(in, len, lf_only, &want);
        decode(in, len, cuts, n, chance(3) == 0 ? MOST : 1 + chance(9), lf_only, &got);
        bad += !same(&got, &want);
        ended += want.ended;
    }
    is_int(bad, 0,
           lf_only ? "random bodies are decoded as the slow way does it, LF answers"
                   : "random bodies are decoded as the slow way does it, CRLF answers");
    ok(ended > 1000 && ended < 19000, "random inputs with and without an end (%d)", ended);
    for (int round = 0; round < 30 && bad == 0; round++) {
        size_t len = make(in, 80);
        reference(in, len, lf_only, &want);
        bad += !sweep(in, len, lf_only, &want);
    }
    is_int(bad, 0, "a random body gives the same, wherever it is cut");
}

/* The promise that lets a caller hand over a whole buffer without a loop. */
static void test_room(void)
{
    static const char *const heads[] = {"", "\r", "\r\n.", "\r\n.\r"};
    static const char *const tails[] = {"x", "\r", "\n", ".", "\r\nx", "xx\r", "..\r\r"};
    bool all = true;
    for (size_t h = 0; h < 4; h++) {
        for (size_t t = 0; t < 7; t++) {
            struct dot dot;
            char out[16];
            size_t written, len = strlen(tails[t]);
            dot_init(&dot, false);
            dot_decode(&dot, (struct str){heads[h], strlen(heads[h])}, out, sizeof out, &written);
            size_t took = dot_decode(&dot, (struct str){tails[t], len}, out, len + 3, &written);
            all = all && (took == len || dot.ended);
        }
    }
    ok(all, "with room for three octets more all of the input is taken");

    struct dot dot;
    size_t written = 9;
    char out[4];
    dot_init(&dot, false);
    is_int((long long)dot_decode(&dot, (struct str){".\r\nabc", 6}, out, 4, &written), 3,
           "the end of a body takes three bytes");
    is_int((long long)dot_decode(&dot, (struct str){"abc", 3}, out, 4, &written), 0,
           "behind the end of a body nothing is taken");
    is_int((long long)written, 0, "behind the end of a body nothing is given out");
}

int main(void)
{
    test_rows();
    test_random(false);
    test_random(true);
    test_room();
    return tap_done();
}
