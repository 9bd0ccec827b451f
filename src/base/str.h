/* SPDX-License-Identifier: ISC */
/*
 * str: a view of bytes that another owns, and checked readers of them.
 *
 * Nothing here needs a NUL. A view into a connection's buffer lives until the next conn_ call.
 */
#ifndef FP_BASE_STR_H
#define FP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

struct str str_from(const char *text); /* of a NUL-terminated text of our own; NULL is empty */
/* Of bytes with a length, which stay the caller's. */
static inline struct str str_of(const void *ptr, size_t len)
{
    return (struct str){ptr != NULL ? ptr : "", ptr != NULL ? len : 0};
}
/* Without its first n bytes, of which it has that many. */
static inline struct str str_behind(struct str text, size_t n)
{
    return n == 0 ? text : str_of(text.ptr + n, text.len - n);
}
/* The same bytes. */
static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool str_equal_nocase(struct str a, struct str b);  /* ASCII */
bool str_is(struct str a, const char *text);        /* exactly these bytes */
bool str_is_nocase(struct str a, const char *text); /* ASCII */
/* True if it is one of `words`, which have blanks between them. */
bool str_is_among(struct str a, const char *words);
bool str_is_among_nocase(struct str a, const char *words); /* ASCII */
/* For qsort(3) and bsearch(3) of char pointers to texts with a NUL. */
int str_order(const void *a, const void *b);
/* Begins with exactly these bytes. */
bool str_has_prefix(struct str a, const char *prefix);
/* The same, ASCII case ignored. */
bool str_has_prefix_nocase(struct str a, const char *prefix);
/* True if the needle occurs anywhere in a, ASCII case ignored; an empty one always does. */
bool str_contains_nocase(struct str a, const char *needle);
/* The same of one of several, which have | between them. */
bool str_contains_any_nocase(struct str a, const char *needles);

/* Characters of ASCII, whatever the locale. */
static inline bool str_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool str_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
static inline bool str_is_alnum(char c)
{
    return str_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline char str_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
static inline char str_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}
/* True if all bytes are such letters and digits, or one of `also`. */
bool str_is_made_of(struct str a, const char *also);
/* True if a byte is a control character (below 0x20, or 0x7f). */
bool str_has_control(struct str a);
/* The value of a hexadecimal digit of either case, or -1. */
int str_hex_digit(char c);

/* Decodes %41 and the like (RFC 3986, section 2.1) into out, which has room for in.len octets and
 * may be in.ptr. Returns their number; -1: a % without two digits behind it, or a NUL. */
long str_percent_decode(struct str in, char *out);

/* Takes the next word (run of bytes other than blank and tab) off the front of *rest, skipping
 * blanks and tabs before it. Returns an empty view at the end. */
struct str str_word(struct str *rest);

/* Takes everything up to the first `stop` byte (which is dropped), or all, off the front. */
struct str str_until(struct str *rest, char stop);

/* What stands before the last `at` byte, and what behind it; false if there is none. */
bool str_split_last(struct str text, char at, struct str *before, struct str *behind);

/* Without blanks, tabs, CR and LF at both ends. */
struct str str_trim(struct str a);

/* The one reader of numbers: decimal digits only, at least one, no sign, at most `max`. Returns 0
 * and sets *value, or -1 and leaves it alone. */
int str_number(struct str digits, uint64_t max, uint64_t *value);

/* Takes the next word off the front, as str_word, and reads it as str_number, in one go: lists and
 * journals are long. -1: it is not such a number; *rest is then anywhere behind it. */
int str_take_number(struct str *rest, uint64_t max, uint64_t *value);

/* A duration such as 90, 30s, 5m, 2h, 30d (no letter: seconds; small letters; up to 100 years, so
 * that it may be counted in milliseconds) and a size such as 500, 20K, 5M, 2G (powers of 1024, the
 * letter large or small). 0, or -1 and the value is left alone. */
#define STR_DURATION_MAX ((int64_t)36525 * 24 * 60 * 60)
int str_duration(struct str text, int64_t *seconds);
int str_size(struct str text, uint64_t *octets);

/* "12 kB", "3.4 MB": 1 kB is 1000 octets. Returns out. */
char *str_spell_size(uint64_t octets, char out[24]);

/* FNV-1a over the bytes; whoever chooses them can make two texts collide. str_hash_add goes on from
 * an earlier result with one more byte. */
#define STR_HASH_EMPTY UINT64_C(0xcbf29ce484222325)
static inline uint64_t str_hash_add(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}
uint64_t str_hash(struct str a);

#endif
