/* SPDX-License-Identifier: ISC */
/*
 * keys: the one table of what a configuration file can say.
 *
 * A key is a row in keys.c, a field in struct account (at the top level in struct keys_top, in a
 * rule in struct rule), and the place that reads the field. From the row come libconfuse's options,
 * the conversion of its text, the value that is built in, and what is freed.
 */
#ifndef FP_APP_KEYS_H
#define FP_APP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/section.h"
#include "base/block.h"
#include "base/err.h"

/* What the keys of the top level say. */
struct keys_top {
    unsigned jobs, max_per_server;
    char *state_dir;        /* absolute; NULL: not given */
    char *before, *after;   /* commands around a run; NULL: none */
    char *metrics;          /* file; NULL: none */
    char *accounts_command; /* prints accounts; NULL: none */
};

/* Where a key stands. */
enum key_scope { KEY_ACCOUNT, KEY_TOP, KEY_RULE };

/* Of a group, a section may have one key alone, and an account's own hides those of `defaults`. */
enum key_group { KEY_ALONE, KEY_TARGET, KEY_SECRET, KEY_CONNECTION };

struct key_type;

struct key {
    const char *name;
    const struct key_type *type; /* how its text becomes a field, and how that is freed */
    size_t offset;               /* of the field in the struct of its scope */
    /* For choices: "one|two|three", in the order of the field's values; for numbers: the word
     * for 0. */
    const char *words;
    const char *spelled;  /* for choices: the words as an error names them; NULL: as they are */
    uint64_t low, high;   /* for numbers and durations */
    const char *initial;  /* the text that is built in; NULL: the field is zero */
    enum key_scope scope; /* struct account, struct keys_top or struct rule */
    enum key_group group;
    bool list, secret; /* takes a list; others must not see the value */
};

/* All keys, of all scopes; *count: how many. */
const struct key *keys_all(size_t *count);

/* The key of this name, or NULL. */
const struct key *keys_find(const char *name, enum key_scope scope);

/* The section's first key of a group, or NULL; then ERR_CONFIG if it has another one of any group.
 */
const struct setting *keys_first_of(const struct section *section, enum key_group group);
int keys_check_groups(const struct section *section, struct err *err);

/* Puts what is built in into the zeroed struct of this scope. */
void keys_fill(enum key_scope scope, void *target);

/* Puts the setting into its key's field of `target`. ERR_CONFIG "FILE:LINE: KEY ...". */
int keys_take(const struct setting *setting, void *target, struct err *err);

/* Frees what the fields of keys hold, and zeroes those. Secrets: see account_wipe; rules: see
 * rules_free. */
void keys_clear(enum key_scope scope, void *target);

/* Moves what those fields point to into the block. */
void keys_pack(enum key_scope scope, void *target, struct block *block);

/* Must others not see this value of the key? A password, or a proxy with one:
 * socks5://user:password@host. */
bool keys_hide(const struct key *key, const char *value);

/* A command for /bin/sh that has no %F or %T left from another program: 0, or ERR_CONFIG. */
int keys_check_mda(const char *command, struct err *err);

#endif
