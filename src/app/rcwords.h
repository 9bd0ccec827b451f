/* SPDX-License-Identifier: ISC */
/*
 * rcwords: what libconfuse says about a configuration file, in words that tell a person what to do.
 * Pure.
 */
#ifndef FP_APP_RCWORDS_H
#define FP_APP_RCWORDS_H

#include <stddef.h>

#include "app/keys.h"
#include "base/str.h"

/* Writes one clean line to out. `said` are libconfuse's words, which have no codes: test_config
 * pins each text that is looked for here. `line` is where it stopped, in a section of that scope; a
 * word behind a key that takes a secret may be part of it, and is not shown. What is not known is
 * passed on as it is. Returns out. */
char *rcwords_explain(const char *said, struct str line, enum key_scope scope, char *out,
                      size_t cap);

#endif
