/* SPDX-License-Identifier: ISC */
/*
 * prep: names and passwords as SASL wants them (RFC 4013), through GNU libidn where configure found
 * it.
 */
#ifndef FP_POP3_PREP_H
#define FP_POP3_PREP_H

#include <stddef.h>

#include "base/str.h"

#define PREP_GROWTH 4 /* the result is at most this many times as long as the text */

/* Writes text prepared by SASLprep to out, which has room for PREP_GROWTH times its octets and a
 * NUL, and returns its length. ASCII, what SASLprep forbids and what is not UTF-8 stay as they are,
 * and so does everything without libidn. */
size_t prep_sasl(struct str text, char *out);

#endif
