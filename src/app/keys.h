/*
 * keys: the one table of what a configuration file can say.
 *
 * A key is a row in keys.c, a field in struct account (or, at the top level, in struct keys_top),
 * and the place that reads the field. From the row come libconfuse's options, the conversion of its
 * text, the value that is built in, and what is freed.
 */
#ifndef FP_APP_KEYS_H
#define FP_APP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/section.h"
#include "base/err.h"

/* What the keys of the top level say. */
struct keys_top {
    unsigned jobs, max_per_server;
    char *state_dir;        /* absolute; NULL: not given */
    char *before, *after;   /* commands around a run; NULL: none */
    char *metrics;          /* file; NULL: none */
    char *accounts_command; /* prints accounts; NULL: none */
};

/* Of a group, a section may have one key alone, and an account's own hides those of `defaults`. */
enum key_group { KEY_ALONE, KEY_TARGET, KEY_SECRET, KEY_CONNECTION, KEY_GROUPS };

struct key_type;

struct key {
    const char *name;
    const struct key_type *type; /* how its text becomes a field, and how that is freed */
    size_t offset;               /* of the field in struct account, or in struct keys_top */
    const char *words;   /* for choices: "one|two|three", in the order of the field's values;
                                  * for numbers: the word for 0 */
    const char *spelled; /* for choices: the words as an error names them; NULL: as they are */
    uint64_t low, high;  /* for numbers and durations */
    const char *initial; /* the text that is built in; NULL: the field is zero */
    enum key_group group;
    bool top, list, secret; /* of the top level; takes a list; others must not see the value */
};

/* All keys, those of accounts and of the top level; *count: how many. */
const struct key *keys_all(size_t *count);

/* The key of this name (`top`: of the top level, else of an account), or NULL. */
const struct key *keys_find(const char *name, bool top);

/* Puts what is built in into a zeroed struct account, or struct keys_top. */
void keys_fill(bool top, void *target);

/* Puts the setting into its key's field of `target`. ERR_CONFIG "FILE:LINE: KEY ...". */
int keys_take(const struct setting *setting, void *target, struct err *err);

/* Frees what the fields of keys hold, and zeroes those. Secrets: see account_wipe. */
void keys_clear(bool top, void *target);

/* A command for /bin/sh that has no %F or %T left from another program: 0, or ERR_CONFIG. */
int keys_check_mda(const char *command, struct err *err);

#endif
