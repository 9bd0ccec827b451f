/* SPDX-License-Identifier: ISC */
/*
 * Small readers: base64, escapes, numbers, durations, sizes; and the one way in which bytes of a
 * server reach a person.
 */
#include "base/digest.h"
#include "base/log.h"
#include "base/words.h"
#include "fuzz/fuzz.h"

static void check_base64(struct str in)
{
    char *text = malloc(4 * ((in.len + 2) / 3) + 1), *back = malloc(in.len + 1);
    size_t len = digest_base64(in, text);
    fuzz_check(digest_unbase64(str_of(text, len), back, in.len) == (long)in.len);
    fuzz_check(in.len == 0 || memcmp(back, in.ptr, in.len) == 0);
    long got = digest_unbase64(in, back, in.len);
    if (got >= 0) { /* strict: there is one way to write it */
        fuzz_check((size_t)got <= in.len);
        char *again = malloc(4 * (((size_t)got + 2) / 3) + 1);
        fuzz_check(digest_base64(str_of(back, (size_t)got), again) == in.len);
        fuzz_check(in.len == 0 || memcmp(again, in.ptr, in.len) == 0);
        free(again);
    }
    char small[16];
    fuzz_check(digest_unbase64(in, small, sizeof small) <= (long)sizeof small);
    free(text);
    free(back);
}

static void check_escape(struct str in)
{
    size_t len = 0, cap = WORDS_ESCAPED_MAX(in.len);
    char *text = malloc(cap), *back = malloc(cap);
    size_t escaped = words_escape(in, text, cap);
    fuzz_check(escaped > 0 && escaped < cap);
    for (size_t i = 0; i < escaped; i++)
        fuzz_check(text[i] > 0x20 && text[i] < 0x7f);
    fuzz_check(words_unescape(str_of(text, escaped), back, in.len, &len) == 0 && len == in.len);
    fuzz_check(in.len == 0 || memcmp(back, in.ptr, len) == 0);
    if (words_unescape(in, back, cap, &len) == 0) {
        fuzz_check(len <= in.len);
        char *again = malloc(WORDS_ESCAPED_MAX(len));
        fuzz_check(words_escape(str_of(back, len), again, WORDS_ESCAPED_MAX(len)) == in.len);
        fuzz_check(memcmp(again, in.ptr, in.len) == 0);
        free(again);
    }
    free(text);
    free(back);
}

static void check_numbers(struct str in)
{
    uint64_t number = 77;
    int64_t seconds = 77;
    if (str_number(in, 1000000, &number) == 0)
        fuzz_check(number <= 1000000);
    else
        fuzz_check(number == 77);
    if (str_duration(in, &seconds) == 0)
        fuzz_check(seconds >= 0 && seconds <= STR_DURATION_MAX);
    number = 77;
    if (str_size(in, &number) != 0)
        fuzz_check(number == 77);
}

/* No hidden secret is left, nor its base64, wherever in the text it begins. */
static void check_quote(struct str in)
{
    static const char hidden[] = "s3cr3t-w0rd";
    struct secret secret = {0};
    struct log log = {.level = FP_LOG_ERROR};
    char shown[LOG_QUOTE_MAX + 4], coded[32];
    fuzz_check(secret_set(&secret, str_from(hidden)) == 0);
    log_hide(&log, &secret);
    log_quote(&log, in, shown);
    size_t len = strlen(shown);
    fuzz_check(len <= LOG_QUOTE_MAX + 3);
    fuzz_check_told(shown);
    fuzz_check(strstr(shown, hidden) == NULL);
    digest_base64(str_from(hidden), coded);
    coded[8 * (sizeof hidden - 1) / 6] = '\0'; /* the digits that hold nothing else */
    fuzz_check(strstr(shown, coded) == NULL);
    log_unhide(&log, &secret);
    secret_wipe(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct str in = str_of(copy, size);
    check_base64(in);
    check_escape(in);
    check_numbers(in);
    check_quote(in);
    free(copy);
    return 0;
}
