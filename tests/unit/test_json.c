/* SPDX-License-Identifier: ISC */
/*
 * A result as a line of JSON. That the lines are JSON is asked of a parser in test_json.py.
 */
#include "app/json.h"

#include "tap.h"

static const char *text_of(const char *title, const char *text)
{
    static char line[JSON_MAX + 1];
    struct buf out;
    buf_init(&out, JSON_MAX);
    struct session_figures figures = {0};
    json_result(&out, title, SESSION_POLL, &figures, ERR_LOGIN, text);
    memcpy(line, out.data, out.len);
    line[out.len] = '\0';
    buf_free(&out);
    char *from = strstr(line, "\"error\": ");
    char *to = strstr(line, ", \"listed\"");
    ok(from != NULL && to != NULL, "an error is there");
    if (from == NULL || to == NULL)
        return "";
    *to = '\0';
    return from + strlen("\"error\": ");
}

static void test_texts(void)
{
    is_str(text_of("a", ""), "null", "an empty text is null");
    is_str(text_of("a", "plain ~"), "\"plain ~\"", "ASCII stays as it is");
    is_str(text_of("a", "\"\\/"), "\"\\\"\\\\/\"",
           "a quote and a backslash are escaped, a slash is not");
    is_str(text_of("a", "\n\t\x01\x7f"), "\"\\u000a\\u0009\\u0001\\u007f\"",
           "control characters are escaped");
    is_str(text_of("a", "\xc3\xa4\xe2\x82\xac"), "\"\\u00e4\\u20ac\"", "two and three octets");
    is_str(text_of("a", "\xf0\x9f\x93\xac"), "\"\\ud83d\\udcec\"",
           "a character of four octets is a surrogate pair");
    is_str(text_of("a", "\xf4\x8f\xbf\xbf"), "\"\\udbff\\udfff\"", "U+10FFFF is a character");
    is_str(text_of("a", "\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"",
           "U+110000 is not a character: U+FFFD for each octet");
    is_str(text_of("a", "\xc0\x80x"), "\"\\ufffd\\ufffdx\"", "longer than need be");
    is_str(text_of("a", "\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"",
           "an encoded surrogate is not a character");
    is_str(text_of("a", "\xe2\x82"), "\"\\ufffd\\ufffd\"",
           "a character that the end cuts off is U+FFFD for each octet");
    is_str(text_of("a", "\xe2\x82z"), "\"\\ufffd\\ufffdz\"",
           "and so is one that the next character cuts off");
    is_str(text_of("a", "\x80\xff\xfe"), "\"\\ufffd\\ufffd\\ufffd\"",
           "octets that begin no character are U+FFFD each");
}

static void test_longest(void)
{
    char title[65], text[ERR_TEXT_MAX];
    memset(title, 0x81, sizeof title - 1);
    memset(text, 0x01, sizeof text - 1);
    title[sizeof title - 1] = text[sizeof text - 1] = '\0';
    is_int((long long)strlen(text_of(title, text)), (ERR_TEXT_MAX - 1) * 6 + 2,
           "the longest title and text fit whole");
}

/* Fields of the header are cut by json.c, and need no header here. */
static void test_message(void)
{
    char title[65], uidl[70], where[3 * JSON_WHERE_MAX];
    struct buf out;
    memset(title, 0x81, sizeof title - 1);
    memset(uidl, '"', sizeof uidl);
    memset(where, 0x01, sizeof where - 1);
    title[sizeof title - 1] = where[sizeof where - 1] = '\0';
    const struct session_message message = {.uidl = str_of(uidl, sizeof uidl),
                                            .octets = UINT64_MAX,
                                            .name = "1.a",
                                            .target = {DELIVER_MDA, where}};
    buf_init(&out, JSON_MESSAGE_MAX);
    json_message(&out, title, &message);
    size_t fields = 3 * 6 * (size_t)JSON_FIELD_MAX;
    ok(out.len > 6 * (size_t)JSON_WHERE_MAX && out.len + fields < JSON_MESSAGE_MAX,
       "the longest record has room, with its header too: %zu", out.len);
    ok(out.data[out.len - 1] == '}', "it is whole");
    buf_free(&out);
    const struct session_message bare = {.uidl = str_from("u"), .name = "", .target = {0}};
    buf_init(&out, JSON_MESSAGE_MAX);
    json_message(&out, "a", &bare);
    buf_addf(&out, "%c", 0);
    ok(strstr(out.data, "\"date\": null, \"kind\": \"maildir\", \"destination\": null, "
                        "\"name\": null, \"time\": ") != NULL,
       "what is not known is null: %s", out.data);
    buf_free(&out);
}

int main(void)
{
    test_texts();
    test_longest();
    test_message();
    return tap_done();
}
