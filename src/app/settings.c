/* SPDX-License-Identifier: ISC */
#include "app/settings.h"

#include <stdlib.h>
#include <string.h>

#include "app/keys.h"
#include "app/rcrules.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "import/sheet.h"

static const struct setting *setting_of(const struct section *section, const char *name)
{
    return section_find(section, keys_find(name, KEY_ACCOUNT));
}

/* --- checks ----------------------------------------------------------------------------------- */

static int check_title(const struct section *own, struct err *err)
{
    const char *title = own->title;
    if (title[0] == '\0' || title[0] == '-' || title[0] == '.' ||
        strlen(title) > ACCOUNT_TITLE_MAX) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: an account's title has 1 to %d characters and does not begin with "
                       "- or .",
                       own->file, own->line, ACCOUNT_TITLE_MAX);
    }
    if (str_has_control(str_from(title)) || strpbrk(title, "/:") != NULL)
        return err_set(err, ERR_CONFIG,
                       "%s:%u: an account's title has no /, no : and no control character",
                       own->file, own->line);
    return 0;
}

/* The section whose word on this key counts. */
static const struct section *section_of(const struct section *own, const struct section *defaults,
                                        const char *name)
{
    return setting_of(own, name)->count > 0 || defaults == NULL ? own : defaults;
}

/* With the key alone the list is never read, and who sets both believes that it is. */
static int check_revocation(const struct section *own, const struct section *defaults,
                            const struct account *account, struct err *err)
{
    const struct section *from = section_of(own, defaults, "tls_crl_file");
    const struct setting *crl = setting_of(from, "tls_crl_file");
    bool key_alone = account->trust == TLS_TRUST_PIN || account->trust == TLS_TRUST_TOFU;
    if (!key_alone || crl->count == 0 || from != section_of(own, defaults, "tls_trust"))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "%s:%u: tls_crl_file counts only with tls_trust = ca or both; take one of them "
                   "out",
                   crl->file, crl->line);
}

/* A pin that is not checked is a trap, unless the account overrides what `defaults` says. */
static int check_tls(const struct section *own, const struct section *defaults,
                     const struct account *account, struct err *err)
{
    bool pinned = account->tls_pins != NULL;
    bool checked = account->trust == TLS_TRUST_PIN || account->trust == TLS_TRUST_BOTH;
    const struct section *from = section_of(own, defaults, "tls_pin");
    const struct setting *pin = setting_of(from, "tls_pin");
    bool differs = from == defaults && setting_of(own, "tls_trust")->count > 0;
    if (pinned && !checked && !differs)
        return err_set(err, ERR_CONFIG,
                       "%s:%u: tls_pin counts only with tls_trust = pin or both; change tls_trust",
                       pin->file, pin->line);
    if (!pinned && checked)
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" trusts a pin and has none; add tls_pin (--print-pin "
                       "shows it without tls_trust)",
                       own->file, own->line, own->title);
    bool keyed = account->tls_key_file != NULL || account->tls_key_password_command != NULL;
    if (keyed && account->tls_cert_file == NULL)
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" has %s without tls_cert_file; add it", own->file,
                       own->line, own->title,
                       account->tls_key_file != NULL ? "tls_key_file" : "tls_key_password_command");
    return 0;
}

/* An address of one kind cannot reach those of the other. */
static int check_source(const struct section *own, const struct account *account, struct err *err)
{
    bool is_v6 = account->source_address != NULL && strchr(account->source_address, ':') != NULL;
    if (account->source_address != NULL && account->ip == (is_v6 ? ACCOUNT_IP_4 : ACCOUNT_IP_6))
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" has ip = %d, and source_address %s is not of that "
                       "kind; change one of them",
                       own->file, own->line, own->title, is_v6 ? 4 : 6, account->source_address);
    return 0;
}

static int check_whole(const struct section *own, const struct section *defaults,
                       const struct account *account, struct err *err)
{
    const char *missing = NULL;
    if (account->server == NULL)
        missing = "server; add server = \"pop.example.com\"";
    else if (account->user == NULL)
        missing = "user; add user = \"alice\"";
    else if (account->where == NULL)
        missing = "destination for its mail; add maildir, mbox, mda or lmtp";
    else if (account->target == DELIVER_LMTP && account->recipient == NULL)
        missing = "recipient; add lmtp_recipient = \"alice@example.com\"";
    if (missing != NULL)
        return err_set(err, ERR_CONFIG, "%s:%u: account \"%s\" has no %s", own->file, own->line,
                       own->title, missing);
    if (check_tls(own, defaults, account, err) < 0 ||
        check_revocation(own, defaults, account, err) < 0)
        return -1;
    return check_source(own, account, err);
}

/* --- from sections to accounts ---------------------------------------------------------------- */

/* The one whose word counts; its count is 0 if there is none. */
static const struct setting *setting_that_counts(const struct section *own,
                                                 const struct section *defaults,
                                                 const struct key *key)
{
    const struct setting *setting = section_find(own, key);
    bool hidden = key->group != KEY_ALONE && keys_first_of(own, key->group) != NULL;
    return setting->count == 0 && defaults != NULL && !hidden ? section_find(defaults, key)
                                                              : setting;
}

static int fill(struct account *account, const struct section *own, const struct section *defaults,
                struct err *err)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    keys_fill(KEY_ACCOUNT, account);
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = setting_that_counts(own, defaults, &keys[i]);
        if (setting->count > 0 && keys_take(setting, account, err) < 0)
            return -1;
    }
    bool says_trust = setting_of(section_of(own, defaults, "tls_trust"), "tls_trust")->count > 0;
    if (account->tls_pins != NULL && !says_trust)
        account->trust = TLS_TRUST_PIN;
    if (account->port == 0)
        account->port = account->tls == ACCOUNT_TLS_IMPLICIT ? ACCOUNT_PORT_TLS : ACCOUNT_PORT;
    return 0;
}

int settings_account(const struct section *own, const struct section *defaults,
                     struct account **account, struct err *err)
{
    if (check_title(own, err) < 0 || keys_check_groups(own, err) < 0 ||
        (defaults != NULL && keys_check_groups(defaults, err) < 0))
        return -1;
    struct account *made = xcalloc(1, sizeof *made);
    made->title = xstrdup(own->title);
    if (fill(made, own, defaults, err) < 0 || check_whole(own, defaults, made, err) < 0 ||
        rcrules_make(own, defaults, made, err) < 0) {
        settings_free(made);
        return -1;
    }
    *account = made;
    return 0;
}

static void free_text(struct account *account)
{
    keys_clear(KEY_ACCOUNT, account);
    free(account->title);
    free(account->journal_name);
    free(account->former);
    free(account);
}

void settings_free(struct account *account)
{
    if (account == NULL)
        return;
    rules_free(&account->rules);
    account_wipe(account);
    free_text(account);
}

int settings_top(const struct section *top, struct keys_top *result, struct err *err)
{
    *result = (struct keys_top){0};
    keys_fill(KEY_TOP, result);
    for (size_t i = 0; i < top->count; i++) {
        if (keys_take(&top->settings[i], result, err) < 0) {
            keys_clear(KEY_TOP, result);
            return -1;
        }
    }
    return 0;
}

/* --- in one piece of memory ------------------------------------------------------------------- */

static struct account *fill_block(struct block *block, const struct account *account)
{
    struct account counted = *account;
    struct account *copy = block_add(block, account, sizeof *account);
    struct account *to = copy != NULL ? copy : &counted;
    keys_pack(KEY_ACCOUNT, to, block);
    block_move_text(block, &to->title);
    block_move_text(block, &to->journal_name);
    block_move_text(block, &to->former);
    return copy;
}

size_t settings_size(const struct account *account)
{
    struct block block = {NULL, 0};
    fill_block(&block, account);
    return block.used;
}

struct account *settings_pack(const struct account *account, void *room)
{
    struct block block = {room, 0};
    return fill_block(&block, account);
}

struct account *settings_move(struct account *account, void *room)
{
    struct account *packed = settings_pack(account, room);
    free_text(account);
    return packed;
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Tells of each key that cannot be taken, drops it, and returns how many there were. */
static unsigned check_keys(struct section *section, void *target,
                           void (*tell)(void *ctx, const char *text), void *ctx)
{
    struct err err;
    unsigned count = 0;
    for (size_t i = 0; i < section->count;) {
        if (keys_take(&section->settings[i], target, &err) == 0) {
            i++;
            continue;
        }
        tell(ctx, err.text);
        section_drop(section, i);
        count++;
    }
    return count;
}

void settings_check(struct section *own, const struct section *defaults,
                    void (*tell)(void *ctx, const char *text), void *ctx)
{
    struct err err;
    struct account *scratch = xcalloc(1, sizeof *scratch), *whole = NULL;
    unsigned count = check_keys(own, scratch, tell, ctx);
    settings_free(scratch);
    for (size_t i = 0; i < own->rule_count; i++) {
        struct rules rules = {.at = xcalloc(1, sizeof *rules.at), .count = 1};
        count += check_keys(&own->rules[i], rules.at, tell, ctx);
        rules_free(&rules);
    }
    if (own->title != NULL && count == 0 && settings_account(own, defaults, &whole, &err) < 0)
        tell(ctx, err.text);
    settings_free(whole);
}

static void spell_setting(const struct key *key, const struct setting *setting, struct buf *out)
{
    const char *item = NULL;
    bool several = setting->count > 1;
    buf_addf(out, "    %s = %s", key->name, several ? "{ " : "");
    while ((item = section_next(setting, item)) != NULL) {
        sheet_spell_value(keys_hide(key, item) ? "***" : item, out);
        buf_addf(out, "%s", several && section_next(setting, item) != NULL ? ", " : "");
    }
    buf_addf(out, "%s\n", several ? " }" : "");
}

/* A choice's first word is the one that is built in. */
static void spell_built_in(const struct key *key, const struct account *account, struct buf *out)
{
    const char *from = key->initial != NULL ? key->initial : key->words;
    if (strcmp(key->name, "port") == 0 && account != NULL) {
        buf_addf(out, "    port = %u\n", account->port);
    } else if (from != NULL) {
        char *word = xmemdup0(from, strcspn(from, "|"));
        buf_addf(out, "    %s = ", key->name);
        sheet_spell_value(word, out);
        buf_addf(out, "\n");
        free(word);
    }
}

static void spell_rules(const struct section *section, struct buf *out)
{
    for (size_t i = 0; i < section->rule_count; i++) {
        const struct section *rule = &section->rules[i];
        buf_addf(out, "    rule {\n");
        for (size_t j = 0; j < rule->count; j++) {
            buf_addf(out, "    ");
            spell_setting(rule->settings[j].key, &rule->settings[j], out);
        }
        buf_addf(out, "    }\n");
    }
}

void settings_spell(const struct section *own, const struct section *defaults, struct buf *out)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    struct account *account = NULL;
    struct err err;
    (void)settings_account(own, defaults, &account, &err); /* its mistakes are told elsewhere */
    buf_addf(out, "account ");
    sheet_spell_value(own->title, out);
    buf_addf(out, " {\n");
    for (size_t i = 0; i < count; i++) {
        if (keys[i].scope != KEY_ACCOUNT)
            continue;
        const struct setting *setting = setting_that_counts(own, defaults, &keys[i]);
        if (setting->count > 0)
            spell_setting(&keys[i], setting, out);
        else
            spell_built_in(&keys[i], account, out);
    }
    spell_rules(own, out);
    if (defaults != NULL)
        spell_rules(defaults, out);
    buf_addf(out, "}\n");
    settings_free(account);
}
