/*
 * settings: from the words of a run file to accounts.
 *
 * The parser hands over each value as text with the place where it stood. Here the words are
 * checked and converted, an account's own over those of `defaults` over what is built in, and every
 * refusal names file and line of the very value. Pure, but for the home folder that `~` stands for.
 */
#ifndef FP_APP_SETTINGS_H
#define FP_APP_SETTINGS_H

#include <stddef.h>

#include "base/err.h"
#include "session/account.h"

/* One key's value: a single text, or the items of a list. */
struct setting {
    char *items;            /* one behind the other, each with its NUL; see settings_next */
    unsigned count, octets; /* 0: the key is not there */
    const char *file;       /* borrowed from whoever made the section */
    unsigned line;
    int key; /* as settings_key tells it */
};

/* Only what stands in the file takes room: there may be thousands of these at a time. */
struct section {
    char *title; /* NULL for defaults and the top level */
    const char *file;
    unsigned line;
    size_t count;
    struct setting *settings; /* in the order of the file */
};

/* What the keys of the top level say. */
struct settings_top {
    unsigned jobs, max_per_server;
    char *state_dir; /* absolute; NULL: not given */
};

/* The index of a key of this name (`top`: of the top level, else of an account), or -1. */
int settings_key(const char *name, bool top);

/* For a word that is no key: the key (at the top level also the section) that was probably meant,
 * or NULL. */
const char *settings_near(const char *name, bool top);

/* What the section says of a key; a setting without items if it says nothing. */
const struct setting *settings_of(const struct section *section, int key);

/* The item behind this one, NULL behind the last; item NULL: the first. */
const char *settings_next(const struct setting *setting, const char *item);

/* Adds one item to a key; places are those of the first one. */
void settings_add(struct section *section, int key, const char *text, const char *file,
                  unsigned line);

/* Wipes and frees what the section holds, not the section itself. */
void settings_clear(struct section *section);

/* Makes the account; defaults may be NULL. ERR_CONFIG, and *account stays as it was. */
int settings_account(const struct section *own, const struct section *defaults,
                     struct account **account, struct err *err);

/* Reads the top level; the caller frees state_dir. */
int settings_read_top(const struct section *top, struct settings_top *result, struct err *err);

/* A path as a person writes it: `~` is the home folder, and a relative one is relative to it.
 * Malloced; NULL with ERR_CONFIG if the home folder is not known, or for `~user`. */
char *settings_path(const char *path, struct err *err);

/* A text for /bin/sh that has no %F or %T left from another program: 0, or ERR_CONFIG. */
int settings_check_mda(const char *command, struct err *err);

#endif
