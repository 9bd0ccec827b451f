/* SPDX-License-Identifier: ISC */
/* fdm 2: ~/.fdm.conf, as fdm.conf(5) has it. Of its rules only those are taken over that send all
 * mail of an account to one place. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/xalloc.h"
#include "import/import.h"
#include "import/lexer.h"

#define MACRO_MAX 256

static const struct lexer_style style = {
    .gaps = "", .signs = "{}=", .raw_single = true, .commands = true};

static const struct translate_row rows[] = {
    {"server", "server", NULL, NULL},
    {"port", "port", NULL, NULL},
    {"user", "user", NULL, NULL},
    {"pipe", "connect_command", NULL, NULL},
    {"timeout", "timeout", NULL, NULL},
    {"maximum-size", "max_size", NULL, NULL},
    {"type", NULL, NULL, NULL},
    {"pass", NULL, NULL, NULL},
    {"keep", NULL, NULL, NULL},
    {"disabled", NULL, NULL, NULL},
    {"$(command)", "password_command", NULL, NULL},
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
    struct sheets rules; /* see read_match */
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

/* What $(...) prints is not known here, nor a macro that stands elsewhere. */
static void set_value(const struct reader *reader, struct sheet *sheet, const char *name,
                      unsigned line)
{
    char *value = expand(reader, reader->lexer.text);
    size_t len = strlen(value);
    bool known = reader->lexer.token != LEXER_WORD || strchr("$%", value[0]) == NULL || len == 0;
    if (known) {
        sheet_set(sheet, name, value, line);
    } else if (strcmp(name, "pass") == 0 && value[1] == '(' && value[len - 1] == ')') {
        value[len - 1] = '\0';
        sheet_set(sheet, "$(command)", value + 2, line);
    } else {
        sheet_note(sheet, "Left out: %s %s: write here what that stands for.", name, value);
    }
    secret_wipe_bytes(value, len);
    free(value);
}

static void take_value(struct reader *reader, struct sheet *sheet, const char *name)
{
    unsigned line = reader->lexer.line;
    lexer_next(&reader->lexer);
    set_value(reader, sheet, name, line);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* $name, %name, $(command) or %(command). */
static bool is_unknown(const struct lexer *lexer)
{
    return lexer->token == LEXER_WORD && (lexer->text[0] == '$' || lexer->text[0] == '%');
}

static bool is_macro(const struct lexer *lexer)
{
    return is_unknown(lexer) && lexer->text[1] != '(';
}

static bool begins(const struct lexer *lexer)
{
    static const char *const commands[] = {"account", "action", "match",  "set",
                                           "include", "ifdef",  "ifndef", "endif"};
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

/* Past what stands in braces; the lexer is on the first of them, and then behind the last. */
static void skip_braces(struct lexer *lexer)
{
    unsigned depth = 0;
    do {
        depth += lexer_is(lexer, "{");
        depth -= lexer_is(lexer, "}");
        lexer_next(lexer);
    } while (depth > 0 && lexer->token != LEXER_END);
}

/* user "a", users { "a" "b" } in front of an action. */
static void skip_users(struct lexer *lexer)
{
    while (lexer_is(lexer, "user") || lexer_is(lexer, "users")) {
        lexer_next(lexer);
        if (lexer_is(lexer, "{"))
            skip_braces(lexer);
        else
            lexer_next(lexer);
    }
}

/* account "name" [disabled] pop3s server "host" ... */
static void read_account(struct reader *reader)
{
    static const char *const with_value[] = {"server", "port", "user", "pass", "cache", "pipe"};
    struct lexer *lexer = &reader->lexer;
    lexer_next(lexer);
    struct sheet *sheet = sheets_add(&reader->raw, lexer->text, &reader->raw.at[0]);
    lexer_next(lexer);
    if (lexer_is(lexer, "user") || lexer_is(lexer, "users"))
        sheet_set(sheet, "users", "", lexer->line);
    skip_users(lexer);
    for (; !begins(lexer); lexer_next(lexer)) {
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

/* maildir "path", and what a person may write in the place of it. The lexer is on the kind. In
 * braces there may be several, of which fetchpop has none. */
static void read_action(struct reader *reader, const char *title)
{
    struct lexer *lexer = &reader->lexer;
    skip_users(lexer);
    bool braces = lexer_is(lexer, "{");
    if (braces)
        lexer_next(lexer);
    struct sheet *action = sheets_add(&reader->actions, title, NULL);
    sheet_set(action, "kind", lexer->text, lexer->line);
    lexer_next(lexer);
    if (lexer->token == LEXER_TEXT || is_unknown(lexer)) {
        set_value(reader, action, "value", lexer->line);
        lexer_next(lexer);
    }
    for (; braces ? lexer->token != LEXER_END && !lexer_is(lexer, "}") : !begins(lexer);
         lexer_next(lexer))
        if (lexer_is(lexer, "compress") || lexer_is(lexer, "continue"))
            sheet_set(action, lexer->text, "", lexer->line);
        else if (braces && lexer->token == LEXER_WORD)
            sheet_set(action, "kind", "{ }", lexer->line);
    while (!begins(lexer)) {
        if (lexer_is(lexer, "continue"))
            sheet_set(action, "continue", "", lexer->line);
        lexer_next(lexer);
    }
}

static void add_pattern(struct reader *reader, struct sheet *rule)
{
    char *name = expand(reader, reader->lexer.text);
    char *entry = xasprintf("=%s", name); /* none of the others begins so */
    sheet_set(rule, entry, "", reader->lexer.line);
    free(entry);
    free(name);
}

/* "a", or { "a" "b" }. The lexer is on the word account, and then on the last of it. */
static void read_patterns(struct reader *reader, struct sheet *rule)
{
    struct lexer *lexer = &reader->lexer;
    lexer_next(lexer);
    bool braces = lexer_is(lexer, "{");
    if (sheet_find(rule, "accounts") != NULL) /* a second one narrows, or widens, the first */
        sheet_set(rule, "some", "", lexer->line);
    sheet_set(rule, "accounts", "", lexer->line);
    if (!braces)
        add_pattern(reader, rule);
    while (braces && lexer_next(lexer) != LEXER_END && !lexer_is(lexer, "}"))
        add_pattern(reader, rule);
}

/* Up to what is to be done. What is more than `all` and names of accounts looks at messages; with
 * `or` and `not` it may be about any account. */
static void read_conditions(struct reader *reader, struct sheet *rule)
{
    struct lexer *lexer = &reader->lexer;
    unsigned line = lexer->line;
    lexer_next(lexer);
    for (; lexer->token != LEXER_END && !lexer_is(lexer, "action") && !lexer_is(lexer, "actions") &&
           !lexer_is(lexer, "{") && !lexer_is(lexer, "match");
         lexer_next(lexer))
        if (lexer_is(lexer, "account") || lexer_is(lexer, "accounts"))
            read_patterns(reader, rule);
        else if (lexer_is(lexer, "or") || lexer_is(lexer, "not"))
            sheet_set(rule, "some", "", lexer->line);
        else if (!lexer_is(lexer, "all") && !lexer_is(lexer, "and") &&
                 !lexer_is(lexer, "unmatched"))
            sheet_set(rule, "hard", "", lexer->line);
    if (sheet_find(rule, "some") != NULL)
        sheet_set(rule, "unread", "a rule with or, not, or two words account", line);
}

/* "x", or { "x" "y" }: a message goes to one place here. */
static void read_names(struct reader *reader, struct sheet *rule)
{
    struct lexer *lexer = &reader->lexer;
    bool braces = lexer_is(lexer, "{");
    if (braces)
        lexer_next(lexer);
    set_value(reader, rule, "action", lexer->line);
    if (braces && lexer_next(lexer) != LEXER_END && !lexer_is(lexer, "}"))
        sheet_set(rule, "unread", "several actions", lexer->line);
    while (braces && lexer->token != LEXER_END && !lexer_is(lexer, "}"))
        lexer_next(lexer);
}

/* match all action "x"; match account "a*" action maildir "x". A sheet of:
 *
 *   =NAME      for each pattern of accounts, and `accounts` if there are any
 *   some       it may be about other accounts, or fewer
 *   hard       it looks at messages
 *   unread     it does what cannot be told here: value is what
 *   action     the name of what it does
 */
static void read_match(struct reader *reader)
{
    struct lexer *lexer = &reader->lexer;
    struct sheet *rule = sheets_add(&reader->rules, "", NULL);
    char title[32];
    unsigned line = lexer->line;
    read_conditions(reader, rule);
    bool many = lexer_is(lexer, "actions");
    if (lexer_is(lexer, "{") || lexer_is(lexer, "match")) {
        sheet_set(rule, "unread", "rules within a rule", line);
        if (lexer_is(lexer, "{"))
            skip_braces(lexer);
        return;
    }
    lexer_next(lexer);
    if (lexer->token == LEXER_WORD || (lexer_is(lexer, "{") && !many)) {
        snprintf(title, sizeof title, "rule %zu", reader->rules.count);
        sheet_set(rule, "action", title, lexer->line);
        read_action(reader, title);
        if (sheet_find(&reader->actions.at[reader->actions.count - 1], "continue") != NULL)
            sheet_set(rule, "hard", "", line);
        return;
    }
    read_names(reader, rule);
    for (lexer_next(lexer); !begins(lexer); lexer_next(lexer))
        if (lexer_is(lexer, "continue"))
            sheet_set(rule, "hard", "", lexer->line);
}

/* A size or a time with its unit, which may be a word of its own: 128 MB, 5 minutes, 20M. What has
 * none gets this one. The lexer is behind the number then. */
static void take_amount(struct reader *reader, struct sheet *sheet, const char *name,
                        const char *unit)
{
    static const struct {
        const char *words;
        unsigned factor;
        const char *ours;
    } units[] = {{"b byte bytes", 1, ""},
                 {"k kb kilobyte kilobytes", 1, "K"},
                 {"m mb megabyte megabytes", 1, "M"},
                 {"g gb gigabyte gigabytes", 1, "G"},
                 {"second seconds", 1, "s"},
                 {"minute minutes", 60, "s"},
                 {"hour hours", 3600, "s"},
                 {"day days", 24, "h"},
                 {"week weeks", 7 * 24, "h"},
                 {"month months", 30 * 24, "h"},
                 {"year years", 365 * 24, "h"}};
    take_value(reader, sheet, name);
    const struct sheet_entry *entry = sheet_find(sheet, name);
    const char *value = entry != NULL ? entry->value : "";
    size_t digits = strspn(value, "0123456789");
    uint64_t number;
    bool numeric = str_number(str_of(value, digits), UINT32_MAX, &number) == 0;
    lexer_next(&reader->lexer);
    bool apart = numeric && value[digits] == '\0' && reader->lexer.token == LEXER_WORD;
    struct str word = str_from(apart ? reader->lexer.text : value + digits);
    const char *ours = unit;
    for (size_t i = 0; numeric && i < sizeof units / sizeof units[0]; i++) {
        if (str_is_among_nocase(word, units[i].words)) {
            number *= units[i].factor;
            ours = units[i].ours;
        }
    }
    if (numeric)
        sheet_setf(sheet, name, "%llu%s", (unsigned long long)number, ours);
}

/* What is set so is as it is here, or is nobody's concern here. */
static const char of_no_use[] =
    "allow-multiple lock-file lock-timeout lock-wait lock-type lock-types "
    "queue-high queue-low verify-certificates ignore-errors";

static void read_set(struct reader *reader, struct sheet *top)
{
    struct lexer *lexer = &reader->lexer;
    lexer_next(lexer);
    if (lexer_is(lexer, "timeout") || lexer_is(lexer, "maximum-size")) {
        bool time = lexer_is(lexer, "timeout");
        take_amount(reader, &reader->raw.at[0], time ? "timeout" : "maximum-size", time ? "s" : "");
    } else if (lexer_is(lexer, "proxy")) {
        take_value(reader, &reader->raw.at[0], "proxy");
        lexer_next(lexer);
    } else {
        if (!str_is_among_nocase(str_from(lexer->text), of_no_use))
            sheet_note(top, "Left out: set %s (line %u): fetchpop has nothing like it.",
                       lexer->text, lexer->line);
        lexer_next(lexer);
    }
    while (!begins(lexer) && !lexer_is(lexer, "cache"))
        lexer_next(lexer);
}

static void read_macro(struct reader *reader)
{
    char *name = xstrdup(reader->lexer.text);
    lexer_next(&reader->lexer);
    if (lexer_is(&reader->lexer, "=")) {
        lexer_next(&reader->lexer);
        char *value = expand(reader, reader->lexer.text);
        sheet_set(&reader->macros.at[0], name, value, reader->lexer.line);
        secret_wipe_bytes(value, strlen(value));
        free(value);
        lexer_next(&reader->lexer);
    }
    free(name);
}

/* What is within ifdef is read in any case. */
static void read_unknown(struct reader *reader, struct sheet *top)
{
    struct lexer *lexer = &reader->lexer;
    bool condition = lexer_is(lexer, "ifdef") || lexer_is(lexer, "ifndef");
    if (lexer->token == LEXER_WORD && !lexer_is(lexer, "endif"))
        sheet_note(top, "Left out: %s (line %u)%s.", lexer->text, lexer->line,
                   condition ? ": what follows is taken over" : "");
    lexer_next(lexer);
    if (condition)
        lexer_next(lexer);
    while (!condition && !begins(lexer) && lexer->token != LEXER_SIGN)
        lexer_next(lexer);
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
        read_set(reader, top);
    } else if (lexer_is(lexer, "include")) {
        lexer_next(lexer);
        sheet_note(top, "Left out: include \"%s\": import that file by itself.", lexer->text);
        lexer_next(lexer);
    } else if (is_macro(lexer)) {
        read_macro(reader);
    } else {
        read_unknown(reader, top);
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

/* Is the rule about this account, or may it be? */
static bool is_about(const struct sheet *rule, const char *account)
{
    if (sheet_find(rule, "some") != NULL || sheet_find(rule, "accounts") == NULL)
        return true;
    for (size_t i = 0; i < rule->count; i++)
        if (rule->entries[i].name[0] == '=' && fnmatch(rule->entries[i].name + 1, account, 0) == 0)
            return true;
    return false;
}

/* The first rule for all mail of this account; *hard: those before it that look at messages. */
static const struct sheet *find_rule(const struct reader *reader, const char *account,
                                     unsigned *hard)
{
    *hard = 0;
    for (size_t i = 0; i < reader->rules.count; i++) {
        const struct sheet *rule = &reader->rules.at[i];
        bool mine = is_about(rule, account);
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

static void translate_action(const struct sheet *action, const struct translate_place *place,
                             struct sheet *to)
{
    static const char *const kinds[][2] = {
        {"maildir", "maildir"}, {"mbox", "mbox"}, {"pipe", "mda"}};
    const char *kind = action != NULL ? sheet_value(action, "kind") : "(none)";
    const char *value = action != NULL ? sheet_value(action, "value") : NULL;
    const char *key = NULL;
    for (size_t i = 0; value != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        key = strcmp(kind, kinds[i][0]) == 0 ? kinds[i][1] : key;
    if (key == NULL) {
        sheet_note(to, "Left out: the action %s: write maildir, mbox or mda.", kind);
        return;
    }
    char *text = fill_value(key, value, place->user);
    sheet_set(to, key, text, 0);
    if (strchr(text, '%') != NULL)
        sheet_note(to, "The %% of %s is a tag of fdm's, which fetchpop does not fill in.", key);
    free(text);
    if (sheet_find(action, "compress") != NULL)
        sheet_note(to, "Left out: compress: an mbox is written as text.");
}

static void translate_delivery(const struct reader *reader, const char *account,
                               const struct translate_place *place, struct sheet *to)
{
    unsigned hard;
    const struct sheet *rule = find_rule(reader, account, &hard);
    const struct sheet_entry *unread = rule != NULL ? sheet_find(rule, "unread") : NULL;
    if (unread != NULL)
        sheet_note(to, "Left out: %s (line %u): write maildir, mbox or mda.", unread->value,
                   unread->line);
    else
        translate_action(rule != NULL ? find_action(reader, sheet_value(rule, "action")) : NULL,
                         place, to);
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
        to->left_out = xasprintf("its type is %s, and fetchpop speaks only POP3",
                                 type != NULL ? type : "not said");
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
    lexer_begin(&reader.lexer, text, &style);
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
    lexer_begin(&lexer, text, &style);
    while (!found && lexer_next(&lexer) != LEXER_END)
        if ((lexer_is(&lexer, "account") && lexer_next(&lexer) == LEXER_TEXT) ||
            lexer_is(&lexer, "match"))
            found = lexer_next(&lexer) == LEXER_WORD;
    lexer_end(&lexer);
    return found;
}

const struct import_program import_fdm = {"fdm", {"~/.fdm.conf"}, "CACHE-FILE",
                                          NULL,  read_text,       looks};
