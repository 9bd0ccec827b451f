/* SPDX-License-Identifier: ISC */
/*
 * words: what the records of our files are made of: a word that holds any bytes, bytes in hex, and
 * the checksum of a line. Blanks separate words, LF ends a line; neither is ever inside one.
 */
#ifndef FP_BASE_WORDS_H
#define FP_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Percent-escapes every byte outside 0x21..0x7e, and '%' itself; nothing at all becomes "%-".
 * Writes the word and a NUL (cap >= WORDS_ESCAPED_MAX of the length); returns the word's length. */
#define WORDS_ESCAPED_MAX(n) (3 * (n) + 3)
#define WORDS_EMPTY "%-"
size_t words_escape(struct str in, char *out, size_t cap);
void words_add(struct buf *out, struct str in); /* the same, appended */

/* Undoes it: 0 and *length bytes in out (at most word.len), or -1 if the word is not exactly what
 * words_escape makes of some bytes, or out is too small. */
int words_unescape(struct str word, char *out, size_t cap, size_t *length);

/* The same for a file's name in a folder, with a NUL behind it (cap counts that, too). -1: it is
 * empty, or has a NUL or a slash in it. */
int words_read_name(struct str word, char *out, size_t cap);

/* The same as a malloced text with a NUL; NULL if it is not such a word, or hides a NUL. */
char *words_text(struct str word);

/* True if it is not empty, and words_escape leaves it as it is. */
bool words_is_plain(struct str a);

/* Bytes in lower-case hex and a NUL: out holds 2 n + 1. */
void words_hex(const void *bytes, size_t n, char *out);

/* Exactly n bytes in lower-case hex: 0, or -1. */
int words_read_hex(struct str word, void *out, size_t n);

/* The checksum of a line: its CRC-32 in WORDS_SUM hex digits (no NUL). */
#define WORDS_SUM 8
void words_sum(struct str line, char out[WORDS_SUM]);
int words_read_sum(struct str word, uint32_t *crc);
bool words_is_sum(struct str word, struct str line); /* the word is the checksum of the line */

#endif
