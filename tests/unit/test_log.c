/* SPDX-License-Identifier: ISC */
/*
 * log: levels, and what a person gets to see of a server's bytes.
 */
#include "base/log.h"

#include <stdlib.h>

#include "base/digest.h"
#include "tap.h"

struct heard {
    int count;
    enum log_level level;
    char line[4096];
};

static void hear(void *ctx, enum log_level level, const char *line)
{
    struct heard *heard = ctx;
    heard->count++;
    heard->level = level;
    snprintf(heard->line, sizeof heard->line, "%s", line);
}

static void test_levels(void)
{
    struct heard heard = {0};
    struct log log = {.level = FP_LOG_WARNING, .write = hear, .ctx = &heard};
    ok(!log_wants(NULL, FP_LOG_ERROR), "without a log no level is wanted");
    log_line(NULL, FP_LOG_ERROR, "x");
    log_line(&log, FP_LOG_NOTE, "too low");
    is_int(heard.count, 0, "a line below the level is not written");
    log_line(&log, FP_LOG_WARNING, "%s %d", "number", 5);
    is_int(heard.count, 1, "a line of the level is written");
    is_int(heard.level, FP_LOG_WARNING, "a line keeps its level");
    is_str(heard.line, "number 5", "a line is formatted");
    log.level = FP_LOG_TRACE;
    log_line(&log, FP_LOG_TRACE, "%5000s", "x");
    ok(strlen(heard.line) < sizeof heard.line - 1, "a giant line is cut");
}

static void quoted(const struct log *log, struct str text, const char *want, const char *name)
{
    char out[LOG_QUOTE_MAX + 4];
    memset(out, 'Z', sizeof out);
    ok(log_quote(log, text, out) == out, "gives its own buffer");
    is_str(out, want, name);
}

static void test_bytes(void)
{
    quoted(NULL, str_from(""), "", "nothing");
    quoted(NULL, str_from(" plain ~ text "), " plain ~ text ", "plain text stays");
    quoted(NULL, str_from("a\nb"), "a\\x0ab", "a line end, which would begin a line of the log");
    quoted(NULL, str_of("a\0b\r\x1b[2J\xc3\xa4", 10), "a\\x00b\r\x1b[2J\xc3\xa4",
           "so do controls and UTF-8, but for a NUL");
    quoted(NULL, str_from("\xb5\xc7\xc2\xbc x"), "\\xb5\\xc7\\xc2\\xbc x",
           "what is no UTF-8 is escaped, also where it might be");
    char text[LOG_QUOTE_MAX + 2];
    char want[LOG_QUOTE_MAX + 4];
    memset(text, 'a', sizeof text);
    memset(want, 'a', sizeof want);
    want[LOG_QUOTE_MAX] = '\0';
    quoted(NULL, str_of(text, LOG_QUOTE_MAX), want, "the most that is shown");
    memcpy(want + LOG_QUOTE_MAX, "...", 4);
    quoted(NULL, str_of(text, LOG_QUOTE_MAX + 1), want, "one more is cut");
}

static void test_secrets(void)
{
    struct log log = {.level = FP_LOG_ERROR};
    struct secret word = {NULL, 0};
    struct secret longer = {NULL, 0};
    struct secret tiny = {NULL, 0};
    secret_set(&word, str_from("secr\xe4t"));
    secret_set(&longer, str_from("secr\xe4t-and-more"));
    secret_set(&tiny, str_from("abc"));
    struct str text = str_from("<secr\xe4tsecr\xe4t secr\xe4t-and-more abc secr?t>");
    quoted(&log, text, "<secr\\xe4tsecr\\xe4t secr\\xe4t-and-more abc secr?t>",
           "nothing is hidden yet");
    log_hide(&log, &word);
    log_hide(&log, &word);
    quoted(&log, text, "<****** ***-and-more abc secr?t>",
           "every occurrence of each secret is blanked");
    log_hide(&log, &longer);
    log_hide(&log, &tiny);
    quoted(&log, text, "<****** *** abc secr?t>", "the longest one; none that is tiny");
    quoted(&log, str_from("x secr\xe4t-a"), "x ***", "the front of one, at the end of the text");
    quoted(&log, str_from("x secr"), "x secr", "unless that is too short to tell");
    log_unhide(&log, &word);
    log_unhide(&log, &longer);
    log_hide(&log, &longer);
    log_hide(&log, &word);
    quoted(&log, text, "<****** *** abc secr?t>", "in whatever order they came");
    log_unhide(&log, &word);
    quoted(&log, str_from("secr\xe4t."), "secr\\xe4t.", "shown again, though it was hidden twice");
    log_unhide(&log, &longer);
    log_unhide(&log, &tiny);
    log_unhide(&log, &tiny);
    for (size_t i = 0; i < LOG_SECRETS; i++)
        log_hide(&log, &(&word)[0]);
    ok(log.hidden[1] == NULL, "one secret takes one place");
    secret_wipe(&word);
    secret_wipe(&longer);
    secret_wipe(&tiny);
}

/* Whatever stands before the secret, its base64 may show neither it nor most of it. */
static void test_base64(void)
{
    static const char bytes[] = "\0bob\0hunter22";
    struct log log = {.level = FP_LOG_ERROR};
    struct secret secret = {NULL, 0};
    secret_set(&secret, str_from("hunter22"));
    log_hide(&log, &secret);
    for (size_t from = 0; from <= 5; from++) {
        char encoded[40];
        char out[LOG_QUOTE_MAX + 4];
        size_t len = digest_base64(str_of(bytes + from, 13 - from), encoded);
        /* The digits that hold bits of the user's name too may be shown. */
        size_t before = ((5 - from) * 8 + 5) / 6;
        char want[48];
        snprintf(want, sizeof want, "%.*s***", (int)before, encoded);
        log_quote(&log, str_of(encoded, len), out);
        is_str(out, want, "base64 at another offset");
    }
    secret_wipe(&secret);
}

static void test_cut(void)
{
    struct log log = {.level = FP_LOG_ERROR};
    struct secret secret = {NULL, 0};
    char text[LOG_QUOTE_MAX + 100];
    secret_set(&secret, str_from("0123456789"));
    log_hide(&log, &secret);
    bool good = true;
    for (size_t at = LOG_QUOTE_MAX - 12; at <= LOG_QUOTE_MAX + 2; at++) {
        char out[LOG_QUOTE_MAX + 4];
        memset(text, 'a', sizeof text);
        memcpy(text + at, "0123456789", 10);
        log_quote(&log, str_of(text, sizeof text), out);
        good = good && strchr(out, '0') == NULL && strlen(out) <= LOG_QUOTE_MAX + 3;
    }
    ok(good, "a secret across the cut shows no part of itself");
    char *big = malloc(SECRET_MAX);
    memset(big, 'q', SECRET_MAX);
    secret_set(&secret, str_of(big, SECRET_MAX));
    quoted(&log, str_of(big, 3000), "***", "a token that is longer than the text");
    free(big);
    secret_wipe(&secret);
}

int main(void)
{
    test_levels();
    test_bytes();
    test_secrets();
    test_base64();
    test_cut();
    return tap_done();
}
