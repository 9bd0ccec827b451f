/* SPDX-License-Identifier: ISC */
#include "app/near.h"

#include <string.h>

#define WORD_MAX 64

/* What other programs call it, and what to write. */
static const struct {
    const char *word, *key, *line;
} aliases[] = {
    {"host", "server", NULL},
    {"hostname", "server", NULL},
    {"poll", "server", NULL},
    {"username", "user", NULL},
    {"login", "user", NULL},
    {"pass", "password", NULL},
    {"passwd", "password", NULL},
    {"passwordeval", "password_command", NULL},
    {"delivery", "maildir", NULL},
    {"path", "maildir", NULL},
    {"folder", "maildir", NULL},
    {"command", "mda", NULL},
    {"ssl", "tls", "tls = implicit"},
    {"tls_starttls", "tls", "tls = stls"},
    {"starttls", "tls", "tls = stls"},
    {"tls_trust_file", "tls_ca_file", NULL},
    {"tls_fingerprint", "tls_pin", NULL},
    {"tofu", "tls_trust", "tls_trust = tofu"},
    {"trust_on_first_use", "tls_trust", "tls_trust = tofu"},
    {"limit", "max_size", NULL},
    {"fetchlimit", "max_messages", NULL},
    {"delete", "keep", "keep = no"},
    {"nokeep", "keep", "keep = no"},
    {"idfile", "state_dir", NULL},
    {"uidls_file", "state_dir", NULL},
    {"recipient", "lmtp_recipient", NULL},
};

/* How many letters to change, drop or add to make b of a. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t len = strlen(b);
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t change = corner + (a[i] != b[j]);
            corner = row[j + 1];
            size_t other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            row[j + 1] = change < other ? change : other;
        }
    }
    return row[len];
}

struct guess {
    const char *word, *best;
    size_t limit; /* fewer changes than this */
};

static void consider(struct guess *guess, const char *name)
{
    size_t away = distance(guess->word, name);
    if (away < guess->limit) {
        guess->limit = away;
        guess->best = name;
    }
}

const char *near_key(const char *word, enum key_scope scope)
{
    static const struct {
        const char *name;
        enum key_scope scope;
    } sections[] = {
        {"account", KEY_TOP}, {"defaults", KEY_TOP}, {"include", KEY_TOP}, {"rule", KEY_ACCOUNT}};
    struct guess guess = {.word = word, .limit = strlen(word) <= 4 ? 2 : 3};
    if (strlen(word) > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(word, aliases[i].word) == 0 && keys_find(aliases[i].key, scope) != NULL)
            return aliases[i].line != NULL ? aliases[i].line : aliases[i].key;
    size_t count;
    const struct key *keys = keys_all(&count);
    for (size_t i = 0; i < count; i++)
        if (keys[i].scope == scope)
            consider(&guess, keys[i].name);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (sections[i].scope == scope)
            consider(&guess, sections[i].name);
    return guess.best;
}
