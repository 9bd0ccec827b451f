/* SPDX-License-Identifier: ISC */
/*
 * utf8: what is a character, and what of it may be shown.
 */
#include "base/utf8.h"

#include <string.h>

#include "tap.h"

static void shows(const char *text, const char *want, const char *name)
{
    char out[200];
    is_int((long long)utf8_show(str_from(text), out, sizeof out), (long long)strlen(want), name);
    is_str(out, want, name);
}

static void test_show(void)
{
    shows("plain", "plain", "ASCII");
    shows("\xe7\x99\xbb gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7",
          "\xe7\x99\xbb gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7",
          "characters of two, three and four octets");
    shows("a\x1b[2J\x7f\n", "a\\x1b[2J\\x7f\\x0a", "C0 and DEL are escaped");
    shows("\xc2\x9b"
          "31m",
          "\\u009b31m", "so is C1");
    // NOLINTNEXTLINE(misc-misleading-bidirectional): this is what is tried
    shows("\xe2\x80\xae"
          "x\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f",
          "\\u202ex\\u2066\\u061c\\u200f", "so are controls of direction");
    shows("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe7",
          "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe7",
          "so is what is overlong, a surrogate, beyond the end, or cut");
    char out[4];
    is_int((long long)utf8_show(str_from("ab\x1b"), out, sizeof out), 2,
           "an escape is whole or not there");
    is_int((long long)utf8_show(str_from("ab\xc3\xbc"), out, sizeof out), 2,
           "and so is a character");
}

int main(void)
{
    test_show();
    ok(utf8_is_valid(str_from("a\xc3\xbc")) && utf8_is_valid(str_from("")), "what is UTF-8");
    ok(!utf8_is_valid(str_from("a\xc3")) && !utf8_is_valid(str_from("\xfc")), "what is not");
    ok(utf8_is_ascii(str_from("az~")) && !utf8_is_ascii(str_from("\xc3\xbc")), "what is ASCII");
    return tap_done();
}
