/* SPDX-License-Identifier: ISC */
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t utf8_take(struct str *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text->ptr;
    size_t len = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    uint32_t value = len == 1 ? bytes[0] : bytes[0] & (0xffu >> (len + 1));
    bool good = len <= text->len && bytes[0] < 0xf8 && (bytes[0] & 0xc0) != 0x80;
    for (size_t i = 1; good && i < len; i++) {
        good = (bytes[i] & 0xc0) == 0x80;
        value = value << 6 | (bytes[i] & 0x3fu);
    }
    good = good && value >= least[len] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    len = good ? len : 1;
    *text = str_behind(*text, len);
    return good ? value : UTF8_NONE;
}

bool utf8_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c ||
           character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

unsigned utf8_width(uint32_t character)
{
    static const struct {
        uint32_t from, to;
        unsigned width;
    } ranges[] = {
        {0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},
        {0x200b, 0x200d, 0},   {0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},
        {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},
        {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
        {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (character >= ranges[i].from && character <= ranges[i].to)
            return ranges[i].width;
    return 1;
}

bool utf8_is_valid(struct str text)
{
    while (text.len > 0)
        if (utf8_take(&text) == UTF8_NONE)
            return false;
    return true;
}

bool utf8_is_ascii(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] > 0x7f)
            return false;
    return true;
}

size_t utf8_show(struct str text, char *out, size_t cap)
{
    size_t at = 0;
    while (text.len > 0) {
        char escaped[12];
        const char *from = text.ptr;
        uint32_t character = utf8_take(&text);
        size_t len = (size_t)(text.ptr - from);
        if (character == UTF8_NONE || utf8_is_control(character)) {
            bool octet = character == UTF8_NONE || character < 0x80;
            len = octet ? (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*from)
                        : (size_t)snprintf(escaped, sizeof escaped, "\\u%04" PRIx32, character);
            from = escaped;
        }
        if (at + len >= cap)
            break;
        memcpy(out + at, from, len);
        at += len;
    }
    out[at] = '\0';
    return at;
}
