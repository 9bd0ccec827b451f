/* SPDX-License-Identifier: ISC */
/*
 * fields: every field of a header, in whatever pieces it comes; and the addresses in one.
 */
#include "base/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "tap.h"

static struct fields *read_in(const char *bytes, size_t len, size_t step)
{
    struct fields *fields = fields_new();
    for (size_t at = 0; at < len; at += step)
        fields_feed(fields, bytes + at, len - at < step ? len - at : step);
    return fields;
}

static struct fields *read_text(const char *text)
{
    struct fields *fields = read_in(text, strlen(text), 1000);
    fields_end(fields);
    return fields;
}

/* "name=value|name=value|" of all, or of one name. */
static char *spell(const struct fields *fields, const char *name)
{
    static char out[2000];
    struct field field = {.number = 0};
    size_t at = 0;
    out[0] = '\0';
    while (fields_next(fields, name, &field))
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s=%.*s|", (int)field.name.len,
                               field.name.ptr, (int)field.value.len, field.value.ptr);
    return out;
}

static void holds(const char *text, const char *want, const char *name)
{
    for (size_t step = 1; step < 60; step += 29) {
        struct fields *fields = read_in(text, strlen(text), step);
        fields_end(fields);
        if (step > 1 && strcmp(spell(fields, NULL), want) == 0) {
            fields_free(fields);
            continue;
        }
        is_str(spell(fields, NULL), want, name);
        fields_free(fields);
    }
}

static void test_lines(void)
{
    holds("A: 1\nB: 2\n\nC: 3\n", "A=1|B=2|", "fields up to the empty line");
    holds("A: 1\r\nB:2\r\n\r\nC: 3\r\n", "A=1|B=2|", "the same with CRLF");
    holds("A: 1\n\r\r\nC: 3\n", "A=1|", "a line of nothing but CRs is empty");
    holds("A: 1\r\n  2\r\n\t3\r\nB:\r\n x\r\n", "A=1  2\t3|B=x|", "folded lines, blanks kept");
    holds("A : 1\nB\t:2", "A=1|B=2|", "a blank before the colon, and an end without LF");
    holds("From alice Sat Nov 28 10:00:00\n folded\nA: 1\n", "A=1|", "a From_ line is no field");
    holds(" A: 0\nB\n C: 0\n\rD: 0\n: 0\n\xc3\xbc: 0\nE: 1\n", "E=1|",
          "lines that are no field, with what is folded behind them");
    holds("A:\nB:", "A=|B=|", "fields without a value");
    holds("", "", "nothing");
}

static void test_names(void)
{
    struct fields *fields = read_text("To: 1\nReceived: 2\nto: 3\nX-To: 4\nTO: 5\n");
    is_str(spell(fields, "To"), "To=1|to=3|TO=5|", "the fields of a name, in any case");
    is_str(spell(fields, "Cc"), "", "a name that no field has");
    fields_free(fields);
    ok(fields_is_name(str_from("X-A_1")) && !fields_is_name(str_from("a b")) &&
           !fields_is_name(str_from("a:")) && !fields_is_name(str_from("")) &&
           !fields_is_name(str_from("\xc3\xbc")),
       "what a name may be");
}

static void test_ends(void)
{
    struct fields *fields = read_in("A: 1\n", 5, 5);
    ok(!fields_is_done(fields), "without an empty line the header is not done");
    fields_feed(fields, "\n", 1);
    ok(fields_is_done(fields), "with it, it is");
    fields_feed(fields, "B: 2\n", 5);
    is_str(spell(fields, NULL), "A=1|", "what comes behind it is passed over");
    fields_free(fields);
    fields = read_in("A: 1\n", 5, 5);
    fields_end(fields);
    ok(fields_is_done(fields), "or at the end of the message");
    fields_feed(fields, " 2\n", 3);
    is_str(spell(fields, NULL), "A=1|", "behind which nothing counts");
    fields_free(fields);
}

static void test_text(void)
{
    struct fields *fields = read_text("Subject: =?utf-8?q?gr=C3=BC?=\n =?utf-8?q?=C3=9F?= x\n"
                                      "From: gr\xfc\xdf\n");
    struct field field = {.number = 0};
    fields_next(fields, "Subject", &field);
    struct str text = fields_text(fields, &field);
    is_mem(text.ptr, text.len, "gr\xc3\xbc\xc3\x9f x", 8, "encoded words are decoded");
    text = fields_text(fields, &field);
    is_mem(text.ptr, text.len, "gr\xc3\xbc\xc3\x9f x", 8, "and are the same when asked again");
    fields_next(fields, NULL, &field);
    text = fields_text(fields, &field);
    is_mem(text.ptr, text.len, "gr\xc3\xbc\xc3\x9f", 6, "Latin 1 becomes UTF-8");
    fields_free(fields);
}

static void test_long_value(void)
{
    size_t len = 3 * FIELDS_TEXT_MAX;
    char *bytes = malloc(len);
    memset(bytes, '\xfc', len);
    memcpy(bytes, "A:", 2);
    struct fields *fields = read_in(bytes, len, 1000);
    fields_end(fields);
    struct field field = {.number = 0};
    fields_next(fields, "A", &field);
    is_int((long long)field.value.len, (long long)len - 2, "a long value is kept");
    is_int((long long)fields_text(fields, &field).len, 2 * FIELDS_TEXT_MAX,
           "its text is that of the first 8 KB");
    ok(!fields_is_cut(fields), "and it is not cut");
    fields_free(fields);
    free(bytes);
}

static void test_bounds(void)
{
    size_t len = (size_t)FIELDS_MAX + 1000;
    char *bytes = malloc(len);
    memset(bytes, 'x', len);
    memcpy(bytes, "A:", 2);
    struct fields *fields = read_in(bytes, len, 777);
    ok(fields_is_cut(fields), "more than 256 KB: it is cut");
    fields_feed(fields, "\nB: 1\n\n", 7);
    ok(fields_is_done(fields), "and its end is seen");
    struct field field = {.number = 0};
    ok(fields_next(fields, NULL, &field) && field.value.len == FIELDS_MAX - 1,
       "256 KB of it are kept");
    ok(!fields_next(fields, NULL, &field), "and no field behind them");
    fields_free(fields);
    memset(bytes, 'x', len);
    fields = read_in(bytes, len, 777);
    fields_feed(fields, "\nB: 1\n\n", 7);
    is_str(spell(fields, NULL), "B=1|", "a line without a colon takes no room, however long");
    ok(!fields_is_cut(fields), "and nothing is cut for it");
    fields_free(fields);
    free(bytes);
}

static void test_count(void)
{
    struct fields *fields = fields_new();
    for (int i = 0; i < FIELDS_COUNT; i++)
        fields_feed(fields, "A: 1\n", 5);
    ok(!fields_is_cut(fields), "1,000 fields are kept");
    fields_feed(fields, "B: 1\n 2\n", 8);
    ok(fields_is_cut(fields), "one more is not, and it is cut");
    fields_feed(fields, "\n", 1);
    struct field field = {.number = 0};
    size_t count = 0;
    while (fields_next(fields, "A", &field))
        count++;
    is_int((long long)count, FIELDS_COUNT, "all of them are there");
    fields_free(fields);
}

static void addresses(const char *value, const char *want)
{
    char scratch[200], out[400] = "";
    struct str rest = str_from(value);
    while (rest.len > 0) {
        bool ended;
        struct str address = address_take(&rest, scratch, &ended);
        size_t at = strlen(out);
        snprintf(out + at, sizeof out - at, "%.*s%s", (int)address.len, address.ptr,
                 ended ? "," : ".");
    }
    is_str(out, want, value);
}

static void test_addresses(void)
{
    addresses("a@x", "a@x.");
    addresses("a@x, B <b@x>,c@x (C, c)", "a@x,b@x,c@x.");
    addresses("\"B, C\" <b@x> (home), <@r1,@r2:c@x> more, d@x", "b@x,c@x,d@x.");
    addresses("team: a@x, b@x;, c@x", "a@x,b@x,c@x.");
    addresses("nobody:;", ".");
    addresses("B <b@x", ",");
    addresses("\"open <b@x>, c@x", ".");
    addresses("a@[::1], b@x", "a@[::1],b@x.");
}

int main(void)
{
    test_lines();
    test_names();
    test_ends();
    test_text();
    test_long_value();
    test_bounds();
    test_count();
    test_addresses();
    return tap_done();
}
