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
    is_str(text_of("a", ""), "null", "no words");
    is_str(text_of("a", "plain ~"), "\"plain ~\"", "ASCII");
    is_str(text_of("a", "\"\\/"), "\"\\\"\\\\/\"", "quote and backslash");
    is_str(text_of("a", "\n\t\x01\x7f"), "\"\\u000a\\u0009\\u0001\\u007f\"", "controls");
    is_str(text_of("a", "\xc3\xa4\xe2\x82\xac"), "\"\\u00e4\\u20ac\"", "two and three octets");
    is_str(text_of("a", "\xf0\x9f\x93\xac"), "\"\\ud83d\\udcec\"", "four: a pair");
    is_str(text_of("a", "\xf4\x8f\xbf\xbf"), "\"\\udbff\\udfff\"", "the last character");
    is_str(text_of("a", "\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "one too far");
    is_str(text_of("a", "\xc0\x80x"), "\"\\ufffd\\ufffdx\"", "longer than need be");
    is_str(text_of("a", "\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"", "a surrogate");
    is_str(text_of("a", "\xe2\x82"), "\"\\ufffd\\ufffd\"", "cut");
    is_str(text_of("a", "\xe2\x82z"), "\"\\ufffd\\ufffdz\"", "cut by another");
    is_str(text_of("a", "\x80\xff\xfe"), "\"\\ufffd\\ufffd\\ufffd\"", "what begins nothing");
}

static void test_longest(void)
{
    char title[65], text[ERR_TEXT_MAX];
    memset(title, 0x81, sizeof title - 1);
    memset(text, 0x01, sizeof text - 1);
    title[sizeof title - 1] = text[sizeof text - 1] = '\0';
    is_int((long long)strlen(text_of(title, text)), (ERR_TEXT_MAX - 1) * 6 + 2, "nothing is cut");
}

int main(void)
{
    test_texts();
    test_longest();
    return tap_done();
}
