/* SPDX-License-Identifier: ISC */
/*
 * rows: messages of a mailbox as lines for a person (--list).
 */
#ifndef FP_APP_ROWS_H
#define FP_APP_ROWS_H

#include <stddef.h>

#include "base/buf.h"
#include "session/look.h"

/* Adds "   1 2026-11-28 10:05   12 kB new    Alice    Lunch?" to out, as UTF-8. columns: how many
 * the line may have: long names and subjects are cut, and the UIDL is there if there is room for
 * it; 0: no limit. What would change how the line looks becomes a blank. */
void rows_spell(const struct look_row *row, size_t columns, struct buf *out);

/* Prints to standard output as wide as its terminal is, in the locale's charset; what that lacks
 * becomes a question mark. */
void rows_print(const struct look_row *row);

/* Prints the next bytes of a message as they are; on a terminal, what would change how it looks
 * becomes a question mark. */
int rows_print_body(const char *bytes, size_t len, struct err *err);

#endif
