/* SPDX-License-Identifier: ISC */
#include "app/rcrules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/keys.h"
#include "base/xalloc.h"

static const struct setting *setting_of(const struct section *rule, const char *name)
{
    return section_find(rule, keys_find(name, KEY_RULE));
}

__attribute__((format(printf, 3, 4))) static int refuse(const struct setting *setting,
                                                        struct err *err, const char *fmt, ...)
{
    char words[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return err_set(err, ERR_CONFIG, "%s:%u: %s", setting->file, setting->line, words);
}

/* Conditions that exclude each other. */
static int check_conditions(const struct section *section, const struct rule *rule, struct err *err)
{
    if (rule->newer > 0 && rule->older >= rule->newer)
        return refuse(setting_of(section, "older"), err,
                      "no message is both older than %s and newer than %s; change one of them",
                      setting_of(section, "older")->items, setting_of(section, "newer")->items);
    if (rule->smaller > 0 && rule->larger + 1 >= rule->smaller)
        return refuse(setting_of(section, "smaller"), err,
                      "no message is both larger than %s and smaller than %s; change one of them",
                      rule->larger > 0 ? setting_of(section, "larger")->items : "0",
                      setting_of(section, "smaller")->items);
    return 0;
}

static int check_action(const struct section *section, const struct rule *rule,
                        const struct account *account, struct err *err)
{
    const struct setting *action = setting_of(section, "action");
    const struct setting *target = keys_first_of(section, KEY_TARGET);
    if (target == NULL && rule->recipient != NULL)
        target = setting_of(section, "lmtp_recipient");
    if (rule->action != RULE_FETCH && target != NULL)
        return refuse(target, err,
                      "%s goes with action = fetch alone, not with %s; remove one of them",
                      target->key->name, action->items);
    if (rule->action == RULE_DELETE && !account->allow_delete)
        return refuse(
            action, err,
            "action = delete removes messages that nobody has fetched; add allow_delete = "
            "yes to account \"%s\"",
            account->title);
    return 0;
}

/* A recipient alone is another one at the account's LMTP server; an LMTP server alone gets the
 * account's recipient. */
static int complete_target(const struct section *section, struct rule *rule,
                           const struct account *account, struct err *err)
{
    bool lmtp = rule->has_target ? rule->target == DELIVER_LMTP : account->target == DELIVER_LMTP;
    if (rule->recipient != NULL && !lmtp)
        return refuse(setting_of(section, "lmtp_recipient"), err,
                      "lmtp_recipient goes with lmtp; add it, or remove this");
    if (rule->recipient != NULL && !rule->has_target) {
        rule->has_target = true;
        rule->target = DELIVER_LMTP;
        rule->where = xstrdup(account->where);
    }
    if (rule->has_target && lmtp && rule->recipient == NULL)
        rule->recipient = xstrdup(account->recipient);
    if (rule->has_target && lmtp && rule->recipient == NULL)
        return refuse(setting_of(section, "lmtp"), err,
                      "lmtp has no recipient; add lmtp_recipient = \"alice@example.com\"");
    return 0;
}

static int fill(struct rule *rule, const struct section *section, const struct account *account,
                struct err *err)
{
    rule->file = xstrdup(section->file);
    rule->line = section->line;
    if (keys_check_groups(section, err) < 0)
        return -1;
    for (size_t i = 0; i < section->count; i++)
        if (keys_take(&section->settings[i], rule, err) < 0)
            return -1;
    if (check_conditions(section, rule, err) < 0 || check_action(section, rule, account, err) < 0)
        return -1;
    return complete_target(section, rule, account, err);
}

/* Those of defaults may stand behind a rule of the account that takes all: it is there for that. */
static int add_all(const struct section *section, struct account *account, struct err *err)
{
    struct rules *rules = &account->rules;
    const struct rule *takes_all = NULL;
    rules->at = xreallocarray(rules->at, rules->count + section->rule_count, sizeof *rules->at);
    for (size_t i = 0; i < section->rule_count; i++) {
        const struct section *from = &section->rules[i];
        if (takes_all != NULL)
            return err_set(err, ERR_CONFIG,
                           "%s:%u: no message comes here: the rule in line %u has no condition; "
                           "put that one last",
                           from->file, from->line, takes_all->line);
        struct rule *rule = &rules->at[rules->count++];
        *rule = (struct rule){.action = RULE_FETCH};
        if (fill(rule, from, account, err) < 0)
            return -1;
        takes_all = rules_takes_all(rule) ? rule : NULL;
    }
    return 0;
}

/* True if an account has no part in what the rules of defaults say, see complete_target. */
static bool is_the_same_for_all(const struct section *defaults)
{
    for (size_t i = 0; i < defaults->rule_count; i++) {
        const struct section *rule = &defaults->rules[i];
        if ((setting_of(rule, "lmtp")->count > 0) !=
            (setting_of(rule, "lmtp_recipient")->count > 0))
            return false;
    }
    return true;
}

static bool deletes(const struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rules->at[i].action == RULE_DELETE)
            return true;
    return false;
}

int rcrules_make(const struct section *own, const struct section *defaults, struct account *account,
                 struct err *err)
{
    if (own->rule_count > 0 && add_all(own, account, err) < 0)
        return -1;
    if (defaults == NULL || defaults->rule_count == 0)
        return 0;
    bool shares = own->rule_count == 0 && is_the_same_for_all(defaults);
    if (shares && defaults->shared->count > 0 &&
        (account->allow_delete || !deletes(defaults->shared))) {
        account->rules = rules_share(defaults->shared);
        return 0;
    }
    if (add_all(defaults, account, err) < 0)
        return -1;
    if (shares)
        *defaults->shared = rules_share(&account->rules);
    return 0;
}
