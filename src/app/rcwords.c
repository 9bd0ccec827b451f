/* SPDX-License-Identifier: ISC */
#include "app/rcwords.h"

#include <stdio.h>
#include <string.h>

#include "app/near.h"
#include "app/rctext.h"

/* What is between the first quote and the last one of libconfuse's words. */
static bool quoted(const char *words, char *out, size_t cap)
{
    const char *from = strchr(words, '\'');
    const char *to = strrchr(words, '\'');
    if (from == NULL || to == from || (size_t)(to - from) > cap)
        return false;
    size_t len = (size_t)(to - from) - 1;
    memcpy(out, from + 1, len);
    out[len] = '\0';
    return true;
}

/* Where a word that is not known in this scope belongs; NULL: nowhere. */
static const char *place_of(const char *word, enum key_scope scope)
{
    bool is_rule = strcmp(word, "rule") == 0;
    if (scope == KEY_RULE && is_rule)
        return "outside of this rule: close it with } first";
    if (scope == KEY_RULE && keys_find(word, KEY_ACCOUNT) != NULL)
        return "to the account, outside of its rules";
    if (is_rule || keys_find(word, KEY_ACCOUNT) != NULL)
        return "inside an account or defaults";
    if (keys_find(word, KEY_TOP) != NULL)
        return "at the top level, outside of accounts";
    return keys_find(word, KEY_RULE) != NULL ? "inside a rule: rule { ... }" : NULL;
}

static void explain_unknown(enum key_scope scope, const char *word, char *out, size_t cap)
{
    bool path = strchr(word, '|') != NULL; /* as libconfuse has them */
    const char *near = path ? NULL : near_key(word, scope);
    const char *other = !path && scope == KEY_TOP ? near_key(word, KEY_ACCOUNT) : NULL;
    const char *place = place_of(word, scope);
    if (place != NULL)
        snprintf(out, cap, "%s belongs %s", word, place);
    else if (near == NULL && other != NULL)
        snprintf(out, cap, "no such key: \"%s\"; did you mean %s, inside an account?", word, other);
    else if (near != NULL)
        snprintf(out, cap, "no such key: \"%s\"; did you mean %s?", word, near);
    else
        snprintf(out, cap, "no such key: \"%s\"; fetchpoprc(5) lists them", word);
}

/* Behind `password =` and its like a word that makes no sense may be a part of the secret. */
static bool sets_secret(struct str text)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    for (size_t i = 0; i < count; i++)
        if (keys[i].secret && rctext_sets(text, keys[i].name))
            return true;
    return false;
}

/* The line up to where this word stands as a key, before a =; all of it if it does not. */
static struct str before_key(struct str line, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len < line.len; at++) {
        struct str here = str_behind(line, at);
        bool begins = at == 0 || strchr(" \t{}", line.ptr[at - 1]) != NULL;
        if (!begins || !str_has_prefix(here, word))
            continue;
        struct str behind = str_trim(str_behind(here, len));
        if (behind.len > 0 && behind.ptr[0] == '=')
            return str_of(line.ptr, at);
    }
    return line;
}

char *rcwords_explain(const char *said, struct str line, enum key_scope scope, char *out,
                      size_t cap)
{
    char word[120];
    bool named = quoted(said, word, sizeof word);
    struct str text = str_from(said);
    if (sets_secret(named ? before_key(line, word) : line))
        snprintf(
            out, cap,
            "a word makes no sense here (it may be secret, so it is not shown); quote secrets, one "
            "key per line");
    else if (named && str_has_prefix(text, "no such option") && rctext_in_value(line, word))
        snprintf(out, cap,
                 "no such key: \"%s\"; if it belongs to the text before it, put quotes "
                 "around the whole",
                 word);
    else if (named && str_has_prefix(text, "no such option"))
        explain_unknown(scope, word, out, cap);
    else if (str_has_prefix(text, "no sub-section"))
        snprintf(out, cap, "a name with | in it is not a key; fetchpoprc(5) lists them");
    else if (named && str_has_prefix(text, "missing title"))
        snprintf(out, cap, "an account needs a title: account \"work\" { ... }");
    else if (named && str_has_prefix(text, "missing opening brace"))
        snprintf(out, cap, "a { is missing after %s; add it", word);
    else if (named && str_has_prefix(text, "missing parenthesis"))
        snprintf(out, cap, "%s takes parentheses: %s(\"path\")", word, word);
    else if (named && str_has_prefix(text, "missing equal sign"))
        snprintf(out, cap, "a = is missing after %s; add it", word);
    else if (named && str_has_prefix(text, "unexpected token"))
        snprintf(out, cap, "\"%s\" is not expected here; quote the value, and close lists with }",
                 word);
    else
        snprintf(out, cap, "%s", said);
    return out;
}
