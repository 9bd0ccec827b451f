/*
 * prep: names and passwords as SASL wants them (RFC 4013), through GNU libidn where configure found
 * it.
 */
#ifndef FP_POP3_PREP_H
#define FP_POP3_PREP_H

#include <stddef.h>

#include "base/str.h"

#define PREP_GROWTH 4 /* so many times as long, at most, is what comes of a text */

/* Writes text prepared by SASLprep to out, which has room for PREP_GROWTH times its octets and a
 * NUL, and returns its length. ASCII, what SASLprep forbids, what is no UTF-8, and all where there
 * is no libidn, stay as they are. */
size_t prep_sasl(struct str text, char *out);

#endif
