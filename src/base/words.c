/* SPDX-License-Identifier: ISC */
#include "base/words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xalloc.h"

static bool is_plain(unsigned char byte)
{
    return byte >= 0x21 && byte <= 0x7e && byte != '%';
}

/* In each of the eight bytes the highest bit: set where all is well. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static bool are_plain(uint64_t eight)
{
    const uint64_t high = EACH(0x80);
    uint64_t low = (eight | high) - EACH(0x21);                /* 0x21 or more */
    uint64_t percent = ((eight ^ EACH('%')) | high) - EACH(1); /* not '%' */
    uint64_t past = (eight & ~high) + EACH(1);                 /* 0x7f and more: set */
    return (low & percent & high) == high && ((past | eight) & high) == 0;
}

bool words_is_plain(struct str a)
{
    size_t i = 0;
    uint64_t eight;
    for (; i + sizeof eight <= a.len; i += sizeof eight) {
        memcpy(&eight, a.ptr + i, sizeof eight);
        if (!are_plain(eight))
            return false;
    }
    while (i < a.len && is_plain((unsigned char)a.ptr[i]))
        i++;
    return a.len > 0 && i == a.len;
}

size_t words_escape(struct str in, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    assert(cap >= WORDS_ESCAPED_MAX(in.len));
    (void)cap;
    char *at = out;
    if (in.len == 0) {
        memcpy(at, WORDS_EMPTY, 2);
        at += 2;
    }
    for (size_t i = 0; i < in.len; i++) {
        unsigned char byte = (unsigned char)in.ptr[i];
        if (is_plain(byte)) {
            *at++ = (char)byte;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    *at = '\0';
    return (size_t)(at - out);
}

void words_add(struct buf *out, struct str in)
{
    char *to = buf_reserve(out, WORDS_ESCAPED_MAX(in.len));
    if (to != NULL)
        out->len += words_escape(in, to, WORDS_ESCAPED_MAX(in.len));
}

/* 1 + the value of each digit that is one in either case. */
static const unsigned char values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* The byte that two digits stand for, none of which lies between `not_from` and `not_from` + 5 (the
 * case of letters that is not ours); -1 if they are not such digits. */
static int byte_of(const char *digits, char not_from)
{
    int byte = 0;
    for (int i = 0; i < 2; i++) {
        unsigned char digit = (unsigned char)digits[i];
        if (values[digit] == 0 || (unsigned)digit - (unsigned char)not_from <= 5)
            return -1;
        byte = byte << 4 | (values[digit] - 1);
    }
    return byte;
}

/* One byte off the front of *text, or -1. */
static int unescape_one(struct str *text)
{
    int byte = (unsigned char)text->ptr[0];
    size_t used = 1;
    if (byte == '%') {
        byte = text->len < 3 ? -1 : byte_of(text->ptr + 1, 'a');
        used = 3;
        if (byte < 0 || is_plain((unsigned char)byte))
            return -1;
    } else if (!is_plain((unsigned char)byte)) {
        return -1;
    }
    *text = str_behind(*text, used);
    return byte;
}

int words_unescape(struct str word, char *out, size_t cap, size_t *length)
{
    size_t at = 0;
    if (word.len == 0)
        return -1;
    if (str_is(word, WORDS_EMPTY))
        word.len = 0;
    while (word.len > 0) {
        int byte = unescape_one(&word);
        if (byte < 0 || at == cap)
            return -1;
        out[at++] = (char)byte;
    }
    *length = at;
    return 0;
}

int words_read_name(struct str word, char *out, size_t cap)
{
    size_t len;
    if (words_unescape(word, out, cap - 1, &len) < 0 || len == 0 || memchr(out, '/', len) != NULL ||
        memchr(out, '\0', len) != NULL)
        return -1;
    out[len] = '\0';
    return 0;
}

char *words_text(struct str word)
{
    char *text = xmalloc(word.len + 1);
    size_t len;
    if (words_unescape(word, text, word.len, &len) < 0 || memchr(text, '\0', len) != NULL) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

void words_hex(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[from[i] >> 4];
        *out++ = digits[from[i] & 15];
    }
    *out = '\0';
}

int words_read_hex(struct str word, void *out, size_t n)
{
    unsigned char *to = out;
    if (word.len != 2 * n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int byte = byte_of(word.ptr + 2 * i, 'A');
        if (byte < 0)
            return -1;
        to[i] = (unsigned char)byte;
    }
    return 0;
}

void words_sum(struct str line, char out[WORDS_SUM])
{
    uint32_t crc = digest_crc32(0, line.ptr, line.len);
    for (int i = WORDS_SUM - 1; i >= 0; i--, crc >>= 4)
        out[i] = "0123456789abcdef"[crc & 15];
}

int words_read_sum(struct str word, uint32_t *crc)
{
    unsigned char bytes[WORDS_SUM / 2];
    if (words_read_hex(word, bytes, sizeof bytes) < 0)
        return -1;
    *crc = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return 0;
}

bool words_is_sum(struct str word, struct str line)
{
    uint32_t crc;
    return words_read_sum(word, &crc) == 0 && digest_crc32(0, line.ptr, line.len) == crc;
}
