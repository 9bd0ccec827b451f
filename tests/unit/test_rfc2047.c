/* SPDX-License-Identifier: ISC */
/*
 * rfc2047: encoded words, as the RFC gives them and as mailers write them.
 */
#include "base/rfc2047.h"

#include <string.h>

#include "tap.h"

static void reads(const char *value, const char *want, const char *name)
{
    struct buf out;
    buf_init(&out, 1000);
    rfc2047_decode(str_from(value), &out);
    is_mem(out.data, out.len, want, strlen(want), name);
    buf_free(&out);
}

/* RFC 2047, section 8; the parentheses are a comment's there. */
static void test_rfc(void)
{
    reads("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>",
          "a phrase before an address");
    reads("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xc3\xb8rn Simonsen", "Q in Latin 1");
    reads("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
          " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
          "If you can read this you understand the example.",
          "two charsets, and the blanks between their words go");
    reads("(=?ISO-8859-1?Q?a?= b)", "(a b)", "a blank before plain text stays");
    reads("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)", "blanks between two words go");
    reads("=?ISO-8859-1?Q?a_b?=", "a b", "_ is a blank in Q");
    reads("=?us-ascii*en?q?a?=", "a", "a language (RFC 2231) is passed over");
}

static void test_field(void)
{
    reads("=?utf-8?B?4oI=?= =?UTF-8?B?rA==?=", "\xe2\x82\xac",
          "a character that is broken between two words");
    reads("=?UTF-8?B?4oKs?==?UTF-8?Q?=E2=82=AC?=", "\xe2\x82\xac\xe2\x82\xac",
          "words that touch, in both codings");
    reads("x=?UTF-8?Q?a b?=y", "xa by", "blanks in a word, and none around it");
    reads("=?UTF-8?B?4o Ks?=", "\xe2\x82\xac", "blanks and lack of padding in B");
    reads("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac",
          "a charset with states");
    reads("=?UTF-8?Q?=zz=4?=", "=zz=4", "= without two digits is itself");
    reads("gr\xfc\xdf", "gr\xc3\xbc\xc3\x9f", "raw Latin 1");
    reads("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "raw UTF-8");
    reads("a\r\n\tb\n c", "a\tb c", "a folded field");
    reads("=?utf-8?Q?a=FFb?=",
          "a\xef\xbf\xbd"
          "b",
          "an octet that is none of the charset's");
    reads("=?utf-8?Q?a=F8=B0=B0=B0=B0b?=",
          "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
          "b",
          "a form of five octets, which UTF-8 has no more");
    reads("=?utf-8?Q?a=E2=82?=", "a\xef\xbf\xbd\xef\xbf\xbd", "a character that is cut");
}

static void test_none(void)
{
    reads("", "", "nothing");
    static const char *const same[] = {
        "plain",
        "=?",
        "=?utf-8?q?a",
        "=?utf-8?x?a?=",
        "=?utf-8?q?",
        "a =? b ?=",
        "=?no-such-charset?Q?a=20b?=",
        "=?utf-8//TRANSLIT?q?a?=",
        "=??q?a?=",
        "=?=",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        reads(same[i], same[i], same[i]);
    reads(
        "=?no-such-charset?q?\xfc?=", "=?no-such-charset?q?\xc3\xbc?=", "what stays is UTF-8, too");
    reads("=?bad/name?q?a?= =?utf-8?q?b?=", "=?bad/name?q?a?= b", "only what is none stays");
}

static void test_full(void)
{
    struct buf out;
    buf_init(&out, 4);
    rfc2047_decode(str_from("=?utf-8?q?abc?= =?latin1?q?=FC?= de"), &out);
    ok(out.len <= 4 && memcmp(out.data, "abc", 3) == 0, "no more than fits");
    buf_free(&out);
    buf_init(&out, 40);
    is_int(rfc2047_convert(str_from("/etc/passwd"), str_from("a"), &out), -1,
           "no path is a charset");
    buf_free(&out);
}

int main(void)
{
    test_rfc();
    test_field();
    test_none();
    test_full();
    return tap_done();
}
