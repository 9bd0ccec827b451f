/* SPDX-License-Identifier: ISC */
/*
 * TAP for unit tests in C: call ok() and its sisters, end with `return tap_done();`.
 * The plan is printed at the end; the exit status is 0 only if every point was ok. A test that
 * dies on the way prints no plan, which the harness reports as an error.
 */
#ifndef FP_TESTS_TAP_H
#define FP_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* One test point, named like printf. Returns `good`, so that a caller may print more. */
__attribute__((format(printf, 2, 3))) static inline bool ok(bool good, const char *name, ...)
{
    va_list ap;

    tap_count++;
    tap_failed += !good;
    printf("%sok %d - ", good ? "" : "not ", tap_count);
    va_start(ap, name);
    vprintf(name, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    return good;
}

/* Points that cannot be tried here, and why: counted as one, for all to see. */
static inline void tap_skip(const char *name, const char *reason)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_count, name, reason);
    fflush(stdout);
}

static inline bool is_int(long long got, long long want, const char *name)
{
    if (!ok(got == want, "%s", name))
        printf("#      got: %lld\n# expected: %lld\n", got, want);
    return got == want;
}

/* Either may be NULL; two NULLs are equal. */
static inline bool is_str(const char *got, const char *want, const char *name)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;

    if (!ok(same, "%s", name))
        printf("#      got: %s\n# expected: %s\n", got ? got : "(null)", want ? want : "(null)");
    return same;
}

static inline void tap_bytes(const char *label, const void *data, size_t len)
{
    const unsigned char *byte = data;

    printf("# %s: %zu bytes:", label, len);
    for (size_t i = 0; i < len && i < 64; i++)
        printf(byte[i] > 0x20 && byte[i] < 0x7f ? " %c" : " %02x", byte[i]);
    puts(len > 64 ? " ..." : "");
}

static inline bool is_mem(const void *got, size_t got_len, const void *want, size_t want_len,
                          const char *name)
{
    bool same = got_len == want_len && (want_len == 0 || memcmp(got, want, want_len) == 0);

    if (!ok(same, "%s", name)) {
        tap_bytes("     got", got, got_len);
        tap_bytes("expected", want, want_len);
    }
    return same;
}

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
