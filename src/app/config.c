/* SPDX-License-Identifier: ISC */
#include "app/config.h"

#include <stdlib.h>
#include <string.h>

#include "app/keys.h"
#include "app/rcparse.h"
#include "app/rctext.h"
#include "app/settings.h"
#include "app/twins.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "import/import.h"

#define CHECK_MAX 100              /* mistakes that are told */
#define RECOGNISED ((size_t)65536) /* octets in which another program's file shows what it is */

static const struct rcparse_want all = {0};

/* --- the result ------------------------------------------------------------------------------- */

static int check_twins(const struct rcparse *parsed, const struct config *config, struct err *err)
{
    size_t earlier, later;
    if (twins_find(config->accounts, config->count, TWINS_TITLE, &earlier, &later))
        return err_set(err, ERR_CONFIG, "%s:%u: a second account \"%s\"; give each its own title",
                       parsed->accounts[later].file, parsed->accounts[later].line,
                       config->accounts[later]->title);
    if (twins_find(config->accounts, config->count, TWINS_MAILBOX, &earlier, &later))
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" is the same mailbox as \"%s\" (%s:%u): one "
                       "server and user; remove one of them",
                       parsed->accounts[later].file, parsed->accounts[later].line,
                       config->accounts[later]->title, config->accounts[earlier]->title,
                       parsed->accounts[earlier].file, parsed->accounts[earlier].line);
    return 0;
}

static int convert_all(struct rcparse *parsed, const struct shard *shard, struct config *config,
                       struct err *err)
{
    if (settings_top(&parsed->top, &config->top, err) < 0)
        return -1;
    config->accounts = xcalloc(parsed->account_count, sizeof *config->accounts);
    for (size_t i = 0; i < parsed->account_count; i++) {
        struct account *account;
        if (settings_account(&parsed->accounts[i], parsed->defaults, &account, err) < 0)
            return -1;
        section_clear(&parsed->accounts[i]); /* its place is still needed, its words are not */
        if (shard_has(shard, account->server, account->user)) {
            struct section mine = parsed->accounts[i]; /* at the same index as the account */
            parsed->accounts[i] = parsed->accounts[config->count];
            parsed->accounts[config->count] = mine;
            config->accounts[config->count++] = account;
        } else {
            settings_free(account);
            parsed->other_count++;
        }
    }
    config->complete = parsed->other_count == 0;
    return check_twins(parsed, config, err);
}

/* Takes over the text. other: the program whose file it seems to be, or NULL. */
static int make(struct config *config, struct rctext *text, const struct rcparse_want *want,
                const struct import_program *other, struct err *err)
{
    char *name = xstrdup(text->parts->name);
    struct rcparse parsed;
    *config = (struct config){0};
    int result = rcparse_text(&parsed, text, want, err);
    if (result < 0 && other != NULL)
        err_set(err, ERR_CONFIG,
                "%s: this is a configuration file of %s; fetchpop --import %s %s translates it",
                name, other->name, other->name, strcmp(name, "standard input") == 0 ? "-" : name);
    if (result == 0)
        result = convert_all(&parsed, &want->shard, config, err);
    if (result == 0 && config->count + parsed.other_count == 0)
        result = err_set(err, ERR_CONFIG,
                         "%s: has no account; fetchpoprc(5) begins with an example", name);
    rcparse_free(&parsed);
    free(name);
    if (result != 0)
        config_free(config);
    xtrim(); /* libconfuse's tables are large */
    return result;
}

int config_read(struct config *config, const char *path, const struct rcparse_want *want,
                struct err *err)
{
    struct rctext text;
    *config = (struct config){0};
    if (rctext_read(&text, path, err) < 0)
        return -1;
    size_t seen = text.size < RECOGNISED ? text.size : RECOGNISED;
    return make(config, &text, want, import_recognise(str_of(text.data, seen)), err);
}

int config_parse(struct config *config, const char *name, const char *bytes, size_t size,
                 struct err *err)
{
    struct rctext text;
    *config = (struct config){0};
    return rctext_from(&text, name, bytes, size, err) == 0 ? make(config, &text, &all, NULL, err)
                                                           : -1;
}

/* --- looking at it ---------------------------------------------------------------------------- */

/* Takes the line out, so that what follows it can be looked at; not if braces would go with it. */
static bool blank_line(struct rctext *text, unsigned number)
{
    struct str line = rctext_line(text, number);
    int depth = 0;
    for (size_t i = 0; i < line.len; i++)
        depth += (line.ptr[i] == '{') - (line.ptr[i] == '}');
    bool blank = str_trim(line).len == 0;
    memset(text->data + (line.ptr - text->data), ' ', line.len);
    return depth == 0 && !blank;
}

static void copy_text(struct rctext *to, const struct rctext *from)
{
    struct err none;
    const struct rctext_part *part = from->parts;
    (void)rctext_from(to, part->name, from->data, from->size, &none); /* it fits: `from` did */
    to->parts->others_read = part->others_read;
    to->parts->is_input = part->is_input;
    to->parts->device = part->device;
    to->parts->inode = part->inode;
}

struct telling {
    void (*tell)(void *ctx, const char *text);
    void *ctx;
    unsigned count;
};

static void tell(void *ctx, const char *text)
{
    struct telling *telling = ctx;
    telling->count++;
    telling->tell(telling->ctx, text);
}

/* The files could be read as sections; is what these say right? */
static void check_sections(struct rcparse *parsed, struct telling *telling)
{
    struct config config = {0};
    struct err err;
    unsigned before = telling->count;
    if (parsed->defaults != NULL)
        settings_check(parsed->defaults, NULL, tell, telling);
    for (size_t i = 0; i < parsed->account_count; i++)
        settings_check(&parsed->accounts[i], parsed->defaults, tell, telling);
    if (telling->count == before && convert_all(parsed, &all.shard, &config, &err) < 0)
        tell(telling, err.text);
    if (telling->count == before && parsed->account_count == 0)
        tell(telling, "no account is configured; fetchpoprc(5) begins with an example");
    config_free(&config);
}

/* True if another look may find more. */
static bool check_once(struct rctext *text, struct telling *telling)
{
    struct err err = {0};
    struct rcparse parsed;
    struct rctext copy;
    copy_text(&copy, text);
    int result = rcparse_text(&parsed, &copy, &all, &err);
    if (result < 0)
        tell(telling, err.text);
    else
        check_sections(&parsed, telling);
    unsigned fault = parsed.fault;
    rcparse_free(&parsed);
    return result < 0 && fault != 0 && blank_line(text, fault);
}

unsigned config_check(const char *path, void (*to)(void *ctx, const char *text), void *ctx)
{
    struct telling telling = {to, ctx, 0};
    struct rctext text;
    struct err err;
    if (rctext_read(&text, path, &err) < 0) {
        tell(&telling, err.text);
        return telling.count;
    }
    while (telling.count < CHECK_MAX && check_once(&text, &telling))
        ;
    rctext_free(&text);
    return telling.count;
}

int config_spell(const char *path, struct buf *out, struct err *err)
{
    struct rctext text;
    struct rcparse parsed;
    struct config config = {0};
    if (rctext_read(&text, path, err) < 0)
        return -1;
    int result = rcparse_text(&parsed, &text, &all, err);
    for (size_t i = 0; i < parsed.account_count && result == 0; i++)
        settings_spell(&parsed.accounts[i], parsed.defaults, out);
    if (result == 0)
        result = convert_all(&parsed, &all.shard, &config, err);
    rcparse_free(&parsed);
    config_free(&config);
    return result;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->count; i++)
        settings_free(config->accounts[i]);
    free(config->accounts);
    keys_clear(KEY_TOP, &config->top);
    *config = (struct config){0};
}
