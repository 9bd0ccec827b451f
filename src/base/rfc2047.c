/* SPDX-License-Identifier: ISC */
#include "base/rfc2047.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/digest.h"
#include "base/utf8.h"

#define CHARSET_MAX 40
#define PIECE 256
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* ---- charsets ---- */

/* A slash would give iconv_open orders, and a name is looked for in files. */
static bool is_charset(struct str name)
{
    static const char marks[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:+()";
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\0' || strchr(marks, name.ptr[i]) == NULL)
            return false;
    return name.len > 0 && name.len <= CHARSET_MAX;
}

#if defined __GNUC__ && !defined __clang__ /* gcc's analyzer takes -1 of iconv_open for memory */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Whole characters as iconv(3) gave them: glibc's lets the forms of five and six octets pass that
 * UTF-8 once had. False: out is full. */
static bool add_converted(struct buf *out, struct str piece)
{
    if (utf8_is_valid(piece))
        return buf_add(out, piece.ptr, piece.len) == 0;
    while (piece.len > 0) {
        const char *from = piece.ptr;
        bool good = utf8_take(&piece) != UTF8_NONE;
        if (buf_add(out, good ? from : REPLACEMENT,
                    good ? (size_t)(piece.ptr - from) : strlen(REPLACEMENT)) < 0)
            return false;
    }
    return true;
}

/* False: out is full. */
static bool convert_all(iconv_t converter, struct str text, struct buf *out)
{
    char *in;
    memcpy(&in, &text.ptr, sizeof in); /* iconv(3) does not write there, but its type says so */
    size_t left = text.len;
    for (bool end = false; !end;) {
        char piece[PIECE], *to = piece;
        size_t room = sizeof piece;
        end = left == 0; /* then what the converter still holds comes out */
        size_t result = iconv(converter, end ? NULL : &in, end ? NULL : &left, &to, &room);
        int why = result == (size_t)-1 ? errno : 0;
        if (!add_converted(out, str_of(piece, (size_t)(to - piece))))
            return false;
        if (why == 0 || why == E2BIG || end)
            continue;
        if (buf_add(out, REPLACEMENT, strlen(REPLACEMENT)) < 0)
            return false;
        in += left > 0; /* EILSEQ, or EINVAL at its end */
        left -= left > 0;
    }
    return true;
}

int rfc2047_convert(struct str charset, struct str text, struct buf *out)
{
    char name[CHARSET_MAX + 1];
    if (!is_charset(charset))
        return -1;
    memcpy(name, charset.ptr, charset.len);
    name[charset.len] = '\0';
    iconv_t converter = iconv_open("UTF-8", name);
    if (converter == (iconv_t)-1) // NOLINT(performance-no-int-to-ptr): as iconv(3) says it
        return -1;
    (void)convert_all(converter, text, out);
    iconv_close(converter);
    return 0;
}

/* ---- plain text ---- */

/* Not UTF-8, so in practice Windows-1252; where iconv(3) does not know that, only ASCII counts. */
static void add_octets(struct buf *out, struct str line)
{
    if (rfc2047_convert(str_from("WINDOWS-1252"), line, out) == 0)
        return;
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < 0x80)
            (void)buf_add(out, &line.ptr[i], 1);
        else
            (void)buf_add(out, REPLACEMENT, strlen(REPLACEMENT));
}

/* Without the ends of its lines. */
static void add_plain(struct buf *out, struct str text)
{
    bool good = utf8_is_valid(text);
    while (text.len > 0) {
        size_t len = 0;
        while (len < text.len && text.ptr[len] != '\r' && text.ptr[len] != '\n')
            len++;
        struct str line = str_of(text.ptr, len);
        if (good)
            (void)buf_add(out, line.ptr, line.len);
        else
            add_octets(out, line);
        len += len < text.len;
        text = str_behind(text, len);
    }
}

/* ---- encoded words ---- */

struct word {
    struct str charset, text;
    bool base64;
};

/* Takes "=?charset?b?text?=" off the front; false: there is none, and *rest is as it was. Blanks in
 * the text are not allowed, and common. */
static bool take_word(struct str *rest, struct word *word)
{
    struct str at = *rest;
    if (!str_has_prefix(at, "=?"))
        return false;
    at = str_behind(at, 2);
    struct str charset = str_until(&at, '?'), coding = str_until(&at, '?');
    const char *end = at.ptr;
    while (end + 1 < at.ptr + at.len && !(end[0] == '?' && end[1] == '='))
        end++;
    bool q = str_is_nocase(coding, "q");
    charset = str_until(&charset, '*'); /* the language behind it says nothing here */
    if (end + 1 >= at.ptr + at.len || !(q || str_is_nocase(coding, "b")) || !is_charset(charset) ||
        memchr(at.ptr, '\n', (size_t)(end - at.ptr)) != NULL)
        return false;
    *word = (struct word){charset, str_of(at.ptr, (size_t)(end - at.ptr)), !q};
    *rest = str_of(end + 2, at.len - word->text.len - 2);
    return true;
}

/* Padding that is missing and blanks in between do no harm. */
static int add_base64(struct buf *out, struct str text)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        int digit = digest_base64_value(text.ptr[i]);
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        char octet = (char)(bits >> count & 0xff);
        if (buf_add(out, &octet, 1) < 0)
            return -1;
    }
    return 0;
}

static int add_quoted(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char octet = text.ptr[i] == '_' ? ' ' : text.ptr[i];
        int high = i + 2 < text.len && octet == '=' ? str_hex_digit(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? str_hex_digit(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            octet = (char)(high * 16 + low);
            i += 2;
        }
        if (buf_add(out, &octet, 1) < 0)
            return -1;
    }
    return 0;
}

static void skip_blanks(struct str *text)
{
    while (text->len > 0 && strchr(" \t\r\n", text->ptr[0]) != NULL && text->ptr[0] != '\0')
        *text = str_behind(*text, 1);
}

/* A word, and those behind it that go on in its charset. What stands in *rest afterwards is behind
 * them, and behind the blanks before a word of another charset. */
static void decode_words(struct str *rest, struct word word, const char *begin, struct buf *out)
{
    struct buf octets;
    buf_init(&octets, out->max);
    struct str charset = word.charset;
    bool same = true, full = false;
    while (same && !full) {
        full = (word.base64 ? add_base64 : add_quoted)(&octets, word.text) < 0;
        struct str next = *rest, after;
        skip_blanks(&next);
        after = next;
        same = take_word(&after, &word);
        if (same && !str_equal_nocase(word.charset, charset)) {
            *rest = next;
            break;
        }
        if (same)
            *rest = after;
    }
    if (rfc2047_convert(charset, buf_str(&octets), out) < 0)
        add_plain(out, str_of(begin, (size_t)(rest->ptr - begin)));
    buf_free(&octets);
}

/* ---- the value ---- */

void rfc2047_decode(struct str value, struct buf *out)
{
    const char *plain = value.ptr;
    while (value.len > 0) {
        struct word word;
        const char *begin = value.ptr;
        if (!take_word(&value, &word)) {
            const char *next = memchr(begin + 1, '=', value.len - 1);
            value = str_behind(value, next != NULL ? (size_t)(next - begin) : value.len);
            continue;
        }
        add_plain(out, str_of(plain, (size_t)(begin - plain)));
        decode_words(&value, word, begin, out);
        plain = value.ptr;
    }
    add_plain(out, str_of(plain, (size_t)(value.ptr - plain)));
}
