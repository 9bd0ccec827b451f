/* SPDX-License-Identifier: ISC */
/* fdm 2: ~/.fdm.conf, as fdm.conf(5) has it. Of its rules only those are taken over that send all
 * mail of an account to one place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/xalloc.h"
#include "import/import.h"
#include "import/lexer.h"

#define MACRO_MAX 256

static const struct translate_row rows[] = {
    {"server", "server", NULL, NULL},
    {"port", "port", NULL, NULL},
    {"user", "user", NULL, NULL},
    {"pipe", "connect_command", NULL, NULL},
    {"timeout", "timeout", "s", NULL},
    {"maximum-size", "max_size", NULL, NULL},
    {"type", NULL, NULL, NULL},
    {"pass", NULL, NULL, NULL},
    {"keep", NULL, NULL, NULL},
    {"disabled", NULL, NULL, NULL},
    {"starttls", NULL, NULL, NULL},
    {"no-apop", NULL, NULL, NULL},
    {"new-only", NULL, NULL, NULL},
    {"cache", NULL, NULL, NULL},
    {"no-uidl", NULL, NULL, NULL},
    {"no-verify", NULL, NULL,
     "the certificate is always checked; fetchpop --print-pin shows what to write into tls_pin"},
    {"insecure", NULL, NULL, "see tls_min_version"},
    {"old-only", NULL, NULL, "only new mail is fetched"},
    {"users", NULL, NULL, "run fetchpop as that user"},
    {"proxy", NULL, NULL, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

struct reader {
    struct lexer lexer;
    struct sheets macros; /* one sheet */
    struct sheets raw;    /* accounts; what `set` says is the first of them */
    struct sheets actions;
    struct sheets rules; /* title: of the account, or ""; entry "action": its name */
};

/* --- texts ------------------------------------------------------------------------------------ */

/* ${name} and %{name}, and a word that is $name or %name alone. */
static char *expand(const struct reader *reader, const char *text)
{
    const struct sheet *macros = &reader->macros.at[0];
    char *whole = xstrdup(text);
    for (size_t i = 0; i < macros->count; i++) {
        char mark[MACRO_MAX];
        const struct sheet_entry *macro = &macros->entries[i];
        if (reader->lexer.token == LEXER_WORD && strcmp(text, macro->name) == 0) {
            free(whole);
            return xstrdup(macro->value);
        }
        snprintf(mark, sizeof mark, "%c{%s}", macro->name[0], macro->name + 1);
        char *next = translate_fill(whole, mark, macro->value);
        free(whole);
        whole = next;
    }
    return whole;
}

/* Tags that stand for the same with every message; where the user is NULL, its tags stay. */
static char *fill_tags(const char *text, const char *home, const char *user)
{
    const struct translate_mark tags[] = {{"%[home]", home},
                                          {"%h", home},
                                          {user != NULL ? "%[user]" : NULL, user},
                                          {"%u", user},
                                          {NULL, NULL}};
    return translate_fill_all(text, tags);
}

static void take_value(struct reader *reader, struct sheet *sheet, const char *name)
{
    unsigned line = reader->lexer.line;
    lexer_next(&reader->lexer);
    char *value = expand(reader, reader->lexer.text);
    sheet_set(sheet, name, value, line);
    secret_wipe_bytes(value, strlen(value));
    free(value);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_macro(const struct lexer *lexer)
{
    return lexer->token == LEXER_WORD && (lexer->text[0] == '$' || lexer->text[0] == '%');
}

static bool begins(const struct lexer *lexer)
{
    static const char *const commands[] = {"account", "action", "match", "set", "include"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (lexer_is(lexer, commands[i]))
            return true;
    return lexer->token == LEXER_END || is_macro(lexer);
}

/* "users" or "folders", alone or several in braces: their names are of no use here. */
static void skip_names(struct reader *reader, struct sheet *sheet)
{
    sheet_set(sheet, "users", "", reader->lexer.line);
    lexer_next(&reader->lexer);
    if (lexer_is(&reader->lexer, "{"))
        while (reader->lexer.token != LEXER_END && !lexer_is(&reader->lexer, "}"))
            lexer_next(&reader->lexer);
}

/* account "name" [disabled] pop3s server "host" ... */
static void read_account(struct reader *reader)
{
    static const char *const with_value[] = {"server", "port", "user", "pass", "cache", "pipe"};
    struct lexer *lexer = &reader->lexer;
    lexer_next(lexer);
    struct sheet *sheet = sheets_add(&reader->raw, lexer->text, &reader->raw.at[0]);
    for (lexer_next(lexer); !begins(lexer); lexer_next(lexer)) {
        const char *name = NULL;
        for (size_t i = 0; i < sizeof with_value / sizeof with_value[0]; i++)
            name = lexer_is(lexer, with_value[i]) ? with_value[i] : name;
        if (name != NULL)
            take_value(reader, sheet, name);
        else if (lexer_is(lexer, "users") || lexer_is(lexer, "folders"))
            skip_names(reader, sheet);
        else if (lexer->token == LEXER_WORD && sheet_find(sheet, "type") == NULL &&
                 !lexer_is(lexer, "disabled"))
            sheet_set(sheet, "type", lexer->text, lexer->line);
        else if (lexer->token == LEXER_WORD)
            sheet_set(sheet, lexer->text, "", lexer->line);
    }
}

/* maildir "path", and what a person may write in the place of it. The lexer is on the kind. */
static void read_action(struct reader *reader, const char *title)
{
    struct lexer *lexer = &reader->lexer;
    char *kind = xstrdup(lexer->text);
    struct sheet *action = sheets_add(&reader->actions, title, NULL);
    sheet_set(action, "kind", kind, lexer->line);
    lexer_next(lexer);
    if (lexer->token == LEXER_TEXT || is_macro(lexer)) {
        char *value = expand(reader, lexer->text);
        sheet_set(action, "value", value, lexer->line);
        free(value);
    }
    while (!begins(lexer))
        lexer_next(lexer);
    free(kind);
}

/* Up to the word action. What is more than `all` and an account's name looks at messages. */
static void read_conditions(struct reader *reader, struct sheet *rule)
{
    struct lexer *lexer = &reader->lexer;
    for (lexer_next(lexer); lexer->token != LEXER_END && !lexer_is(lexer, "action");
         lexer_next(lexer)) {
        if (lexer_is(lexer, "account") && lexer_next(lexer) == LEXER_TEXT) {
            free(rule->title);
            rule->title = xstrdup(lexer->text);
        } else if (!lexer_is(lexer, "all")) {
            sheet_set(rule, "hard", "", lexer->line);
        }
    }
}

/* match all action "x"; match account "a" action maildir "x". */
static void read_match(struct reader *reader)
{
    struct lexer *lexer = &reader->lexer;
    struct sheet *rule = sheets_add(&reader->rules, "", NULL);
    char title[32];
    read_conditions(reader, rule);
    lexer_next(lexer);
    if (lexer->token == LEXER_WORD) {
        snprintf(title, sizeof title, "rule %zu", reader->rules.count);
        sheet_set(rule, "action", title, lexer->line);
        read_action(reader, title);
        return;
    }
    sheet_set(rule, "action", lexer->text, lexer->line);
    for (lexer_next(lexer); !begins(lexer); lexer_next(lexer))
        if (lexer_is(lexer, "continue"))
            sheet_set(rule, "hard", "", lexer->line);
}

static void read_set(struct reader *reader)
{
    lexer_next(&reader->lexer);
    static const char *const used[] = {"timeout", "maximum-size", "proxy"};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (lexer_is(&reader->lexer, used[i]))
            take_value(reader, &reader->raw.at[0], used[i]);
    do
        lexer_next(&reader->lexer);
    while (!begins(&reader->lexer));
}

static void read_macro(struct reader *reader)
{
    char *name = xstrdup(reader->lexer.text);
    lexer_next(&reader->lexer);
    if (lexer_is(&reader->lexer, "="))
        take_value(reader, &reader->macros.at[0], name);
    lexer_next(&reader->lexer);
    free(name);
}

static void read_one(struct reader *reader, struct sheet *top)
{
    struct lexer *lexer = &reader->lexer;
    if (lexer_is(lexer, "account")) {
        read_account(reader);
    } else if (lexer_is(lexer, "action")) {
        lexer_next(lexer);
        char *title = xstrdup(lexer->text);
        lexer_next(lexer);
        read_action(reader, title);
        free(title);
    } else if (lexer_is(lexer, "match")) {
        read_match(reader);
    } else if (lexer_is(lexer, "set")) {
        read_set(reader);
    } else if (lexer_is(lexer, "include")) {
        lexer_next(lexer);
        sheet_note(top, "Left out: include \"%s\": import that file by itself.", lexer->text);
        lexer_next(lexer);
    } else if (is_macro(lexer)) {
        read_macro(reader);
    } else {
        lexer_next(lexer);
    }
}

/* --- translating ------------------------------------------------------------------------------ */

static const struct sheet *find_action(const struct reader *reader, const char *title)
{
    for (size_t i = 0; title != NULL && i < reader->actions.count; i++)
        if (strcmp(reader->actions.at[i].title, title) == 0)
            return &reader->actions.at[i];
    return NULL;
}

/* The first rule for all mail of this account; *hard: those before it that look at messages. */
static const struct sheet *find_rule(const struct reader *reader, const char *account,
                                     unsigned *hard)
{
    *hard = 0;
    for (size_t i = 0; i < reader->rules.count; i++) {
        const struct sheet *rule = &reader->rules.at[i];
        bool mine = rule->title[0] == '\0' || strcmp(rule->title, account) == 0;
        if (mine && sheet_find(rule, "hard") == NULL)
            return rule;
        *hard += mine;
    }
    return NULL;
}

/* A shell expands variables in a command; nothing does in a path. */
static char *fill_value(const char *key, const char *value, const char *user)
{
    return strcmp(key, "mda") == 0 ? fill_tags(value, "$HOME", "$LOGNAME")
                                   : fill_tags(value, "~", user);
}

static void translate_delivery(const struct reader *reader, const char *account,
                               const struct translate_place *place, struct sheet *to)
{
    static const char *const kinds[][2] = {
        {"maildir", "maildir"}, {"mbox", "mbox"}, {"pipe", "mda"}};
    unsigned hard;
    const struct sheet *rule = find_rule(reader, account, &hard);
    const struct sheet *action =
        rule != NULL ? find_action(reader, sheet_value(rule, "action")) : NULL;
    const char *kind = action != NULL ? sheet_value(action, "kind") : "(none)";
    const char *value = action != NULL ? sheet_value(action, "value") : NULL;
    const char *key = NULL;
    for (size_t i = 0; value != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        key = strcmp(kind, kinds[i][0]) == 0 ? kinds[i][1] : key;
    if (key != NULL) {
        char *text = fill_value(key, value, place->user);
        sheet_set(to, key, text, 0);
        if (strchr(text, '%') != NULL)
            sheet_note(to, "The %% of %s is a tag of fdm's, which fetchpop does not fill in.", key);
        free(text);
    } else {
        sheet_note(to, "Left out: the action %s: write maildir, mbox or mda.", kind);
    }
    if (hard > 0)
        sheet_note(
            to,
            "Left out: %u rule%s on single messages: rule { ... } of fetchpoprc(5), or an mda "
            "such as maildrop, can sort them.",
            hard, hard == 1 ? "" : "s");
}

/* It may have a password in it. */
static void translate_proxy(const struct sheet *from, const struct translate_place *place,
                            struct sheet *to)
{
    const char *proxy = sheet_value(from, "proxy");
    if (proxy == NULL)
        return;
    bool ok =
        strncmp(proxy, "socks://", 8) == 0 && (place->secret_ok || strchr(proxy, '@') == NULL);
    if (ok)
        sheet_setf(to, "proxy", "socks5://%s", proxy + 8);
    else
        sheet_note(to, "Left out: proxy: write proxy = \"socks5://host:port\".");
}

static void translate(const struct reader *reader, const struct sheet *from,
                      const struct translate_place *place, struct sheet *to)
{
    const char *type = sheet_value(from, "type");
    if (type == NULL || strncmp(type, "pop3", 4) != 0) {
        to->left_out =
            xasprintf("its type is %s, and fetchpop speaks POP3", type != NULL ? type : "not said");
        return;
    }
    bool implicit = strcmp(type, "pop3s") == 0;
    translate_rows(rows, ROWS, from, to);
    translate_port(to);
    sheet_set(to, "tls",
              implicit                               ? "implicit"
              : sheet_find(from, "starttls") != NULL ? "stls"
                                                     : "none",
              0);
    if (sheet_find(from, "server") == NULL)
        sheet_note(to, "fetchpop wants a name for what the command leads to: server = \"...\"");
    if (sheet_find(from, "user") == NULL)
        sheet_note(to, "fdm takes the user from ~/.netrc; fetchpop wants: user = \"...\"");
    translate_secret(from, "pass", place, to);
    translate_proxy(from, place, to);
    sheet_set(to, "keep", sheet_find(from, "keep") != NULL ? "yes" : "no", 0);
    if (sheet_find(from, "disabled") != NULL)
        sheet_set(to, "enabled", "no", 0);
    translate_delivery(reader, from->title, place, to);
    if (sheet_find(from, "cache") != NULL) /* fdm reads it before it knows the user */
        to->seen = fill_tags(sheet_value(from, "cache"), "~", "");
}

static void read_text(struct str text, const struct translate_place *place, struct sheets *to,
                      struct sheet *top)
{
    struct reader reader = {.raw = {0}};
    sheets_add(&reader.raw, "", NULL);
    sheets_add(&reader.macros, "", NULL);
    lexer_begin(&reader.lexer, text, "", "{}=");
    reader.lexer.raw_single = true;
    lexer_next(&reader.lexer);
    while (reader.lexer.token != LEXER_END)
        read_one(&reader, top);
    for (size_t i = 1; i < reader.raw.count; i++) {
        const struct sheet *from = &reader.raw.at[i];
        translate(&reader, from, place, sheets_add(to, from->title, NULL));
    }
    lexer_end(&reader.lexer);
    sheets_free(&reader.macros);
    sheets_free(&reader.raw);
    sheets_free(&reader.actions);
    sheets_free(&reader.rules);
}

/* account "x" with a kind of account behind it, where fetchpop has a brace. */
static bool looks(struct str text)
{
    struct lexer lexer;
    bool found = false;
    lexer_begin(&lexer, text, "", "{}=");
    while (!found && lexer_next(&lexer) != LEXER_END)
        if ((lexer_is(&lexer, "account") && lexer_next(&lexer) == LEXER_TEXT) ||
            lexer_is(&lexer, "match"))
            found = lexer_next(&lexer) == LEXER_WORD;
    lexer_end(&lexer);
    return found;
}

const struct import_program import_fdm = {"fdm", "~/.fdm.conf", "CACHE-FILE",
                                          NULL,  read_text,     looks};
