/* SPDX-License-Identifier: ISC */
/*
 * pattern: what a person writes to say which texts are meant, compiled once and tried on many.
 *
 * A glob, in which * stands for any characters and ? for one, and nothing else is special; or,
 * between slashes, an extended regular expression of POSIX (regex(7)) without back-references,
 * since a sender could make those take very long. Case is ignored, and the characters are those of
 * UTF-8, as far as the system has a locale C.UTF-8; without it, only ASCII letters have a case. A
 * glob fits the whole text, an expression any part of it.
 */
#ifndef FP_BASE_PATTERN_H
#define FP_BASE_PATTERN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define PATTERN_MAX 1000     /* octets of a pattern */
#define PATTERN_REPEATS 1000 /* product of the {bounds} of an expression: regcomp(3) makes copies */
#define PATTERN_TEXT_MAX 8192 /* octets of a text that are looked at */

struct pattern; /* opaque */

/* The caller's until pattern_free; or NULL with ERR_CONFIG, whose text follows the name of what
 * holds the pattern: "is empty; ...". */
struct pattern *pattern_new(const char *text, struct err *err);
/* NULL is fine. */
void pattern_free(struct pattern *pattern);
const char *pattern_text(const struct pattern *pattern); /* as it was written */

/* Octets of the text that are not UTF-8 fit * and ?, and nothing else. */
bool pattern_fits(const struct pattern *pattern, struct str text);

#endif
