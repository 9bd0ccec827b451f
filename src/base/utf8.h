/* SPDX-License-Identifier: ISC */
/*
 * utf8: characters of UTF-8, taken one by one (RFC 3629).
 */
#ifndef FP_BASE_UTF8_H
#define FP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UTF8_NONE UINT32_MAX

/* Takes one character off the front of text, which is not empty. UTF8_NONE, with one octet taken,
 * if there is none (surrogates, overlong forms and anything beyond U+10FFFF do not count). */
uint32_t utf8_take(struct str *text);

/* True for what changes how a line looks, and shows nothing itself: C0, DEL, C1, the ends of lines
 * and paragraphs, and the controls of direction. */
bool utf8_is_control(uint32_t character);

/* How many columns of a terminal a character takes: 2 for East Asian wide ones and most pictures, 0
 * for marks that go on the one before, else 1. */
unsigned utf8_width(uint32_t character);

/* True if all of it is UTF-8. */
bool utf8_is_valid(struct str text);

/* True if all of it is ASCII. */
bool utf8_is_ascii(struct str text);

/* Copies text as it may be shown: controls and what is not UTF-8 as \x1b, \x9b or \u202e. As much
 * as fits, and a NUL; cap is at least 1. Returns its length. */
size_t utf8_show(struct str text, char *out, size_t cap);

#endif
