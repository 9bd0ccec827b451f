/* SPDX-License-Identifier: ISC */
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

struct str str_from(const char *text)
{
    return str_of(text, text != NULL ? strlen(text) : 0);
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (str_lower(a.ptr[i]) != str_lower(b.ptr[i]))
            return false;
    return true;
}

bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_from(text));
}

bool str_is_nocase(struct str a, const char *text)
{
    return str_equal_nocase(a, str_from(text));
}

bool str_is_among(struct str a, const char *words)
{
    for (struct str left = str_from(words); left.len > 0;)
        if (str_equal(a, str_word(&left)))
            return true;
    return false;
}

bool str_is_among_nocase(struct str a, const char *words)
{
    for (struct str left = str_from(words); left.len > 0;)
        if (str_equal_nocase(a, str_word(&left)))
            return true;
    return false;
}

static bool cut_to(struct str *a, size_t len)
{
    if (a->len < len)
        return false;
    a->len = len;
    return true;
}

int str_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool str_has_prefix(struct str a, const char *prefix)
{
    struct str want = str_from(prefix);
    return cut_to(&a, want.len) && str_equal(a, want);
}

bool str_has_prefix_nocase(struct str a, const char *prefix)
{
    struct str want = str_from(prefix);
    return cut_to(&a, want.len) && str_equal_nocase(a, want);
}

static bool contains(struct str a, struct str needle)
{
    for (size_t at = 0; at + needle.len <= a.len; at++)
        if (str_equal_nocase(str_of(a.ptr + at, needle.len), needle))
            return true;
    return needle.len == 0;
}

bool str_contains_nocase(struct str a, const char *needle)
{
    return contains(a, str_from(needle));
}

bool str_contains_any_nocase(struct str a, const char *needles)
{
    for (struct str rest = str_from(needles); rest.len > 0;)
        if (contains(a, str_until(&rest, '|')))
            return true;
    return false;
}

bool str_is_made_of(struct str a, const char *also)
{
    for (size_t i = 0; i < a.len; i++)
        if (!str_is_alnum(a.ptr[i]) && (a.ptr[i] == '\0' || strchr(also, a.ptr[i]) == NULL))
            return false;
    return true;
}

bool str_has_control(struct str a)
{
    for (size_t i = 0; i < a.len; i++)
        if ((unsigned char)a.ptr[i] < 0x20 || a.ptr[i] == 0x7f)
            return true;
    return false;
}

int str_hex_digit(char c)
{
    char small = (char)(c | 0x20);
    if (str_is_digit(c))
        return c - '0';
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

long str_percent_decode(struct str in, char *out)
{
    size_t to = 0;
    for (size_t i = 0; i < in.len; i++) {
        int byte = (unsigned char)in.ptr[i];
        if (byte == '%') {
            int high = i + 2 < in.len ? str_hex_digit(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? str_hex_digit(in.ptr[i + 2]) : -1;
            byte = low >= 0 ? high << 4 | low : 0;
            i += 2;
        }
        if (byte == 0)
            return -1;
        out[to++] = (char)byte;
    }
    return (long)to;
}

struct str str_word(struct str *rest)
{
    size_t start = 0;
    while (start < rest->len && str_is_blank(rest->ptr[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !str_is_blank(rest->ptr[end]))
        end++;
    if (rest->ptr == NULL)
        return str_of(NULL, 0);
    struct str word = str_of(rest->ptr + start, end - start);
    *rest = str_behind(*rest, end);
    return word;
}

struct str str_until(struct str *rest, char stop)
{
    if (rest->ptr == NULL)
        return str_of(NULL, 0);
    const char *found = memchr(rest->ptr, stop, rest->len);
    size_t len = found != NULL ? (size_t)(found - rest->ptr) : rest->len;
    size_t gone = found != NULL ? len + 1 : len;
    struct str part = str_of(rest->ptr, len);
    *rest = str_behind(*rest, gone);
    return part;
}

static bool is_space(char c)
{
    return str_is_blank(c) || c == '\r' || c == '\n';
}

bool str_split_last(struct str text, char at, struct str *before, struct str *behind)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == at) {
            *before = str_of(text.ptr, i - 1);
            *behind = str_behind(text, i);
            return true;
        }
    }
    return false;
}

struct str str_trim(struct str a)
{
    while (a.len > 0 && is_space(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && is_space(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

#define DIGITS_SAFE 19 /* a number of so many digits is always less than 2^64 */

/* The digits from..end, of any number; -1 if they pass max. */
static int sum_up(const char *from, const char *end, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    for (; from < end; from++) {
        uint64_t digit = (uint64_t)(*from - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    if (sum > max)
        return -1;
    *value = sum;
    return 0;
}

int str_take_number(struct str *rest, uint64_t max, uint64_t *value)
{
    if (rest->len == 0)
        return -1;
    const char *at = rest->ptr, *end = at + rest->len;
    while (at < end && str_is_blank(*at))
        at++;
    const char *from = at;
    uint64_t sum = 0;
    for (unsigned digit; at < end && (digit = (unsigned char)*at - (unsigned)'0') <= 9; at++)
        sum = sum * 10 + digit;
    if (at == from || (at < end && !str_is_blank(*at)))
        return -1;
    if (at - from > DIGITS_SAFE && sum_up(from, at, max, &sum) < 0)
        return -1;
    if (sum > max)
        return -1;
    rest->ptr = at;
    rest->len = (size_t)(end - at);
    *value = sum;
    return 0;
}

int str_number(struct str digits, uint64_t max, uint64_t *value)
{
    if (digits.len == 0 || str_is_blank(digits.ptr[0]) || str_is_blank(digits.ptr[digits.len - 1]))
        return -1;
    struct str rest = digits;
    uint64_t sum;
    if (str_take_number(&rest, max, &sum) < 0 || rest.len > 0)
        return -1;
    *value = sum;
    return 0;
}

/* A number and perhaps one of the letters of `units`, whose i-th is worth factors[i]. */
static int read_scaled(struct str text, const char *units, const uint64_t *factors, uint64_t max,
                       uint64_t *value)
{
    uint64_t factor = 1;
    const char *unit = text.len > 0 ? memchr(units, text.ptr[text.len - 1], strlen(units)) : NULL;
    if (unit != NULL) {
        factor = factors[unit - units];
        text.len--;
    }
    uint64_t number;
    if (str_number(text, max / factor, &number) < 0)
        return -1;
    *value = number * factor;
    return 0;
}

int str_duration(struct str text, int64_t *seconds)
{
    static const uint64_t factors[] = {1, 60, 3600, CLOCK_DAY};
    uint64_t value;
    if (read_scaled(text, "smhd", factors, (uint64_t)STR_DURATION_MAX, &value) < 0)
        return -1;
    *seconds = (int64_t)value;
    return 0;
}

int str_size(struct str text, uint64_t *octets)
{
    static const uint64_t k = 1024;
    const uint64_t factors[] = {k, k * k, k * k * k, k, k * k, k * k * k};
    return read_scaled(text, "KMGkmg", factors, UINT64_MAX, octets);
}

uint64_t str_hash(struct str a)
{
    uint64_t hash = STR_HASH_EMPTY;
    for (size_t i = 0; i < a.len; i++)
        hash = str_hash_add(hash, (unsigned char)a.ptr[i]);
    return hash;
}

char *str_spell_size(uint64_t octets, char out[24])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    uint64_t tenths = octets * 10;
    if (octets > UINT64_MAX / 10 - 500) {
        tenths = octets / 100;
        unit = 1;
    }
    while (tenths >= 10000 && unit < 4) {
        /* Rounding at each step may be off by a tenth, which does not matter. */
        tenths = (tenths + 500) / 1000;
        unit++;
    }
    if (unit == 0 || tenths >= 100)
        snprintf(out, 24, "%" PRIu64 " %s", (tenths + 5) / 10, units[unit]);
    else
        snprintf(out, 24, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    return out;
}
