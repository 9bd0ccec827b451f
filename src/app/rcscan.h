/* SPDX-License-Identifier: ISC */
/*
 * rcscan: a pure pass over the text of a configuration file, before libconfuse reads it.
 *
 * Blanks `#` comments in place (so that line numbers and comments inside lists come right), notes
 * where sections begin, and refuses what libconfuse would take for something else than it looks
 * like: NUL, a byte order mark, strings without an end, characters that it drops, other kinds of
 * comment, escapes and variables that would silently become nothing.
 */
#ifndef FP_APP_RCSCAN_H
#define FP_APP_RCSCAN_H

#include "app/rctext.h"
#include "base/err.h"

/* Of a text of one file. 0, or -1 with ERR_CONFIG and "NAME:LINE: what; what to do". */
int rcscan_text(struct rctext *text, struct err *err);

#endif
