/* SPDX-License-Identifier: ISC */
/*
 * str: views and the checked readers over them.
 */
#include "base/str.h"

#include <stdlib.h>

#include "tap.h"

static void test_compare(void)
{
    struct str nul = str_of("a\0b", 3);
    ok(str_equal(nul, str_of("a\0b", 3)), "a NUL is a byte");
    ok(!str_equal(nul, str_of("a\0c", 3)), "the bytes after a NUL are compared too");
    ok(!str_is(nul, "a"), "a NUL does not end a view");
    ok(str_equal(str_from(NULL), str_from("")), "a view of NULL is an empty one");
    ok(str_is_nocase(str_from("UiDl"), "uidl"), "str_is_nocase ignores case");
    ok(!str_is(str_from("UiDl"), "uidl"), "str_is does not ignore case");
    ok(!str_is_nocase(str_from("@"), "`"), "@ and ` are not one letter in two cases");
    ok(!str_is_nocase(str_from("\xc4"), "\xe4"), "letters beyond ASCII have no case");
    ok(str_has_prefix(str_from("+OK x"), "+OK"), "a text begins with its prefix");
    ok(!str_has_prefix(str_from("+O"), "+OK"), "a prefix that is longer than the text is none");
    ok(str_has_prefix_nocase(str_from("+ok"), "+OK"), "str_has_prefix_nocase ignores case");
    ok(!str_has_prefix(str_from("+ok"), "+OK"), "str_has_prefix does not ignore case");
    ok(str_contains_nocase(str_from("maildrop IN USE"), "in use"),
       "a needle is found at the end, in any case");
    ok(str_contains_nocase(str_from("x"), ""), "the empty needle is in every text");
    ok(str_contains_nocase(str_from(""), ""), "the empty needle is in the empty text");
    ok(!str_contains_nocase(str_from("in us"), "in use"), "half a needle is not found");
    ok(str_contains_any_nocase(str_from("maildrop BUSY"), "in use|busy|locked"),
       "one of several needles is enough");
    ok(str_contains_any_nocase(str_from("is locked"), "in use|busy|locked"), "the last one, too");
    ok(!str_contains_any_nocase(str_from("in us|bus"), "in use|busy"),
       "a needle ends before the bar, which is in none");
}

static void is_view(struct str got, const char *want, const char *name)
{
    is_mem(got.ptr, got.len, want, strlen(want), name);
}

static void test_word(void)
{
    struct str rest = str_from(" \t1  abc\tlast");
    is_view(str_word(&rest), "1", "the first word, without the blanks before it");
    is_view(str_word(&rest), "abc", "the second word ends at a tab");
    is_view(rest, "\tlast", "the tab behind a word is left");
    is_view(str_word(&rest), "last", "the last word ends with the text");
    is_view(str_word(&rest), "", "behind the last word there is none");
    is_view(str_word(&rest), "", "and asking again finds none either");
    rest = str_from("   ");
    is_view(str_word(&rest), "", "there is no word among blanks");
    struct str none = {NULL, 0};
    is_view(str_word(&none), "", "a view of NULL has no word");
}

static void test_until(void)
{
    struct str rest = str_from("a::b");
    is_view(str_until(&rest, ':'), "a", "a part ends at the stop");
    is_view(str_until(&rest, ':'), "", "two stops in a row have an empty part between");
    is_view(str_until(&rest, ':'), "b", "without a stop the part is all that is left");
    is_view(rest, "", "after the last part nothing is left");
    struct str none = {NULL, 0};
    is_view(str_until(&none, ':'), "", "a part of a view of NULL is empty");
}

static void test_split(void)
{
    struct str before, behind;
    ok(str_split_last(str_from("a@b@c"), '@', &before, &behind), "a text is split");
    is_view(before, "a@b", "at the last stop: what is before it");
    is_view(behind, "c", "and what is behind it");
    ok(str_split_last(str_from("@"), '@', &before, &behind), "a stop alone splits, too");
    is_view(before, "", "with nothing before it");
    is_view(behind, "", "and nothing behind it");
    ok(!str_split_last(str_from("abc"), '@', &before, &behind) && before.len == 0,
       "without a stop nothing is split");
    ok(!str_split_last(str_of(NULL, 0), '@', &before, &behind), "nor is a view of NULL");
}

static void test_order(void)
{
    const char *texts[] = {"b", "", "a"};
    qsort(texts, 3, sizeof texts[0], str_order);
    ok(texts[0][0] == '\0' && texts[1][0] == 'a' && texts[2][0] == 'b', "texts are put in order");
}

static void test_trim(void)
{
    is_view(str_trim(str_from(" \r\n\t x y\t\r\n")), "x y",
            "blanks and line ends go at both ends only");
    is_view(str_trim(str_from(" \r\n")), "", "of blanks alone nothing is left");
}

static void test_number(void)
{
    static const struct {
        const char *text;
        uint64_t max;
        int want;
        uint64_t value;
    } table[] = {
        {"0", 10, 0, 0},
        {"10", 10, 0, 10},
        {"0000000000000000000000000000010", 10, 0, 10},
        {"11", 10, -1, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -1, 0},
        {"99999999999999999999999", UINT64_MAX, -1, 0},
        {"", 10, -1, 0},
        {"+1", 10, -1, 0},
        {"-1", 10, -1, 0},
        {" 1", 10, -1, 0},
        {"1 ", 10, -1, 0},
        {"1x", 10, -1, 0},
        {"0x1", 10, -1, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t value = 77;
        int got = str_number(str_from(table[i].text), table[i].max, &value);
        uint64_t want = table[i].want == 0 ? table[i].value : 77;
        ok(got == table[i].want && value == want, "number \"%s\"", table[i].text);
    }
    uint64_t value;
    is_int(str_number(str_of("1\0002", 3), 1000, &value), -1, "a NUL is not a digit");
}

/* The same as a word and its number, whatever it is. */
static void test_take_number(void)
{
    static const char *const table[] = {
        "12 rest",
        " \t7\tx",
        "12",
        "12 ",
        "",
        "  ",
        "x",
        "1x 2",
        "-1",
        "18446744073709551615 a",
        "18446744073709551616 a",
        "00000000000000000000001 b",
        "101 c",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t max = i == 12 ? 100 : UINT64_MAX, got = 77, want = 77;
        struct str fast = str_from(table[i]), slow = fast;
        int result = str_take_number(&fast, max, &got);
        is_int(result, str_number(str_word(&slow), max, &want), table[i]);
        ok(got == want && (result < 0 || str_equal(fast, slow)),
           "\"%s\": the number and what is left are as with str_word", table[i]);
    }
    struct str rest = str_from("1 2 3");
    uint64_t first, second;
    ok(str_take_number(&rest, 9, &first) == 0 && str_take_number(&rest, 9, &second) == 0 &&
           first == 1 && second == 2 && str_is(rest, " 3"),
       "three numbers are taken one after the other");
}

static void test_units(void)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no duration */
        int64_t octets;  /* -1: no size */
    } table[] = {
        {"90", 90, 90},
        {"30s", 30, -1},
        {"5m", 300, 5 << 20},
        {"2h", 7200, -1},
        {"30d", 2592000, -1},
        {"20K", -1, 20480},
        {"20k", -1, 20480},
        {"5M", -1, 5 << 20},
        {"2G", -1, INT64_C(2) << 30},
        {"0", 0, 0},
        {"", -1, -1},
        {"s", -1, -1},
        {"K", -1, -1},
        {"-5", -1, -1},
        {"5 m", -1, -1},
        {"5mm", -1, -1},
        {"1.5h", -1, -1},
        {"36525d", STR_DURATION_MAX, -1},
        {"36526d", -1, -1},
        {"99999999999999999999h", -1, -1},
        {"5T", -1, -1},
        {"17179869184G", -1, -1},
        {"18446744073709551616", -1, -1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t seconds = -1;
        uint64_t octets = UINT64_MAX;
        int got = str_duration(str_from(table[i].text), &seconds);
        ok(seconds == table[i].seconds && got == (table[i].seconds < 0 ? -1 : 0), "duration \"%s\"",
           table[i].text);
        got = str_size(str_from(table[i].text), &octets);
        ok(octets == (uint64_t)table[i].octets && got == (table[i].octets < 0 ? -1 : 0),
           "size \"%s\"", table[i].text);
    }
}

static void test_percent(void)
{
    char out[20] = "";
    long len = str_percent_decode(str_from("a%40b%2Fc%2f"), out);
    is_mem(out, (size_t)len, "a@b/c/", 6, "digits of either case are decoded");
    char same[] = "%25%25x";
    len = str_percent_decode(str_from(same), same);
    is_mem(same, (size_t)len, "%%x", 3, "a text may be decoded where it stands");
    ok(str_percent_decode(str_from(""), out) == 0, "the empty text stays empty");
    const char *const bad[] = {"a%", "a%4", "a%4g", "%g1", "%00", "%%41"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(str_percent_decode(str_from(bad[i]), out) == -1, "%s is refused", bad[i]);
}

int main(void)
{
    test_compare();
    test_word();
    test_until();
    test_split();
    test_order();
    test_trim();
    test_number();
    test_take_number();
    test_units();
    test_percent();
    /* The published check values of 64-bit FNV-1a. */
    ok(str_hash(str_from("")) == UINT64_C(0xcbf29ce484222325),
       "the hash of the empty text is FNV-1a's");
    ok(str_hash(str_from("foobar")) == UINT64_C(0x85944171f73967e8),
       "the hash of foobar is FNV-1a's");
    return tap_done();
}
