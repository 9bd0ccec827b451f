/* SPDX-License-Identifier: ISC */
/*
 * section: what one section of a configuration file says, as text and with the line of each key.
 */
#ifndef FP_APP_SECTION_H
#define FP_APP_SECTION_H

#include <stddef.h>

struct key;   /* app/keys.h */
struct rules; /* session/rules.h */

/* One key's value: a single text, or the items of a list. */
struct setting {
    const struct key *key;
    char *items;            /* one behind the other, each with its NUL; see section_next */
    unsigned count, octets; /* count 0: the key is not there */
    const char *file;       /* borrowed from whoever made the section */
    unsigned line;
};

/* Only what stands in the file takes room: there may be thousands of these at a time. */
struct section {
    char *title; /* NULL for defaults, rules and the top level */
    const char *file;
    unsigned line;
    size_t count;
    struct setting *settings; /* in the order of the file */
    size_t rule_count;
    struct section *rules; /* that stand in it, in order */
    struct rules
        *shared; /* where it has rules: what accounts share of them so far (app/rcrules.h) */
};

/* What the section says of a key; a setting without items if it says nothing. */
const struct setting *section_find(const struct section *section, const struct key *key);

/* The item behind this one, NULL behind the last; item NULL: the first. */
const char *section_next(const struct setting *setting, const char *item);

/* Adds one item to a key (the text is copied); file and line are those of its first item. */
void section_add(struct section *section, const struct key *key, const char *text, const char *file,
                 unsigned line);

/* Adds a rule, without settings so far. The result lives until the next one is added. */
struct section *section_add_rule(struct section *section, const char *file, unsigned line);

/* Wipes and removes one setting. */
void section_drop(struct section *section, size_t which);

/* Wipes and frees what the section holds, not the section itself. */
void section_clear(struct section *section);

#endif
