/* SPDX-License-Identifier: ISC */
/*
 * words: any bytes are one word and come back; nothing else is taken for a word, hex or checksum.
 */
#include "base/words.h"

#include <stdlib.h>

#include "tap.h"

static void is_escaped(struct str in, const char *want)
{
    char out[WORDS_ESCAPED_MAX(300)], back[300];
    size_t len = words_escape(in, out, sizeof out), read = 999;
    ok(str_is(str_of(out, len), want) && out[len] == '\0', "it is written as %s and a NUL", want);
    ok(words_unescape(str_from(want), back, sizeof back, &read) == 0 &&
           str_equal(str_of(back, read), in),
       "%s gives the same bytes back", want);
}

static void test_escape(void)
{
    is_escaped(str_from(""), WORDS_EMPTY);
    is_escaped(str_from("%-"), "%25-");
    is_escaped(str_from("a b~!"), "a%20b~!");
    is_escaped(str_of("\0\n\x7f\xff", 4), "%00%0A%7F%FF");
}

static void test_all_bytes(void)
{
    char all[256], out[WORDS_ESCAPED_MAX(256)], back[256];
    size_t len;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    size_t escaped = words_escape(str_of(all, 256), out, sizeof out);
    ok(memchr(out, ' ', escaped) == NULL && strlen(out) == escaped,
       "all bytes there are become one word without a NUL");
    is_int(words_unescape(str_of(out, escaped), back, 256, &len), 0, "it can be read");
    is_mem(back, len, all, 256, "and all bytes come back");
    is_int(words_unescape(str_of(out, escaped), back, 255, &len), -1,
           "nothing is written past the room for them");
}

static void test_no_words(void)
{
    static const char *const bad[] = {"",    "%",    "%4",  "%zz", "%2f",  "%41", "a b",
                                      "a\n", "\x80", "%-x", "x%-", "%-%-", "%%"};
    char back[10];
    size_t len;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(words_unescape(str_from(bad[i]), back, sizeof back, &len) == -1,
           "no word of ours is taken for one (number %zu)", i);
}

static void test_plain(void)
{
    ok(words_is_plain(str_from("a~!")), "printable bytes are written as they are");
    ok(!words_is_plain(str_from("")), "nothing needs an escape");
    ok(!words_is_plain(str_from("a%")), "a percent sign needs an escape");
    ok(!words_is_plain(str_from("a b")), "a blank needs an escape");
    ok(!words_is_plain(str_from("123456\x7f")), "DEL needs an escape, in a rest of eight");
    ok(!words_is_plain(str_from("1234567\x7f")), "and in a whole eight");
}

static void test_text(void)
{
    char *text = words_text(str_from("a%20b"));
    is_str(text, "a b", "a text is read with its NUL");
    free(text);
    ok(words_text(str_from("a%00b")) == NULL, "a text that hides a NUL is none");
    ok(words_text(str_from("a b")) == NULL, "two words are no text");
}

static void test_name(void)
{
    char name[8];
    ok(words_read_name(str_from("a%20b"), name, sizeof name) == 0 && strcmp(name, "a b") == 0,
       "a name is unescaped, with a NUL behind it");
    ok(words_read_name(str_from("1234567"), name, sizeof name) == 0, "one that just fits");
    ok(words_read_name(str_from("12345678"), name, sizeof name) < 0, "one octet more does not fit");
    ok(words_read_name(str_from("a/b"), name, sizeof name) < 0, "a path is no name");
    ok(words_read_name(str_from("a%00b"), name, sizeof name) < 0, "nor is what hides a NUL");
    ok(words_read_name(str_from(WORDS_EMPTY), name, sizeof name) < 0, "nor is nothing");
}

static void test_hex(void)
{
    unsigned char bytes[3] = {0x00, 0xaf, 0x19}, back[3] = {1, 1, 1};
    char hex[7];
    words_hex(bytes, 3, hex);
    is_str(hex, "00af19", "bytes are written in lower-case hex");
    is_int(words_read_hex(str_from(hex), back, 3), 0, "hex is read back");
    is_mem(back, 3, bytes, 3, "as they were");
    is_int(words_read_hex(str_from("00af1"), back, 3), -1, "five digits are not three bytes");
    is_int(words_read_hex(str_from("00AF19"), back, 3), -1, "capitals are not ours");
    is_int(words_read_hex(str_from("00ag19"), back, 3), -1, "g is no digit");
}

static void test_sum(void)
{
    /* The published check value of CRC-32 (IEEE 802.3). */
    struct str line = str_from("123456789");
    char sum[WORDS_SUM];
    uint32_t crc;
    words_sum(line, sum);
    is_mem(sum, WORDS_SUM, "cbf43926", 8, "the checksum of a line is its CRC-32");
    ok(words_read_sum(str_of(sum, WORDS_SUM), &crc) == 0 && crc == 0xcbf43926, "as a number, too");
    ok(words_is_sum(str_of(sum, WORDS_SUM), line), "it is the line's");
    ok(!words_is_sum(str_of(sum, WORDS_SUM), str_from("123456780")), "and no other line's");
    ok(!words_is_sum(str_of(sum, WORDS_SUM - 1), line), "seven digits are no checksum");
}

int main(void)
{
    test_name();
    test_escape();
    test_all_bytes();
    test_no_words();
    test_plain();
    test_text();
    test_hex();
    test_sum();
    return tap_done();
}
