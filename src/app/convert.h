/*
 * convert: the table of keys, and how the text of each becomes a field.
 */
#ifndef FP_APP_CONVERT_H
#define FP_APP_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "app/settings.h"

struct take; /* one value under conversion */

struct key {
    const char *name;
    int (*take)(const struct take *take, const char *text);
    size_t offset;      /* of the field in struct account, or in struct settings_top */
    const char *words;  /* for choices: "one|two|three", in the order of the field's values */
    uint64_t low, high; /* for numbers, durations and sizes */
};

/* The keys of the top level, or those of an account; *count: how many. */
const struct key *convert_keys(bool top, size_t *count);

/* Puts the setting into its field of `target`. ERR_CONFIG with file, line and key. */
int convert_take(const struct key *key, const struct setting *setting, void *target,
                 struct err *err);

#endif
