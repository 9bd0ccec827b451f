/* SPDX-License-Identifier: ISC */
/*
 * rcrules: the rules of a configuration file, and what is refused in them.
 */
#include "app/rcrules.h"

#include <stdlib.h>

#include "app/settings.h"
#include "kit_config.h"
#include "tap.h"

/* An account of WHOLE with these rules in lines of their own. */
static const struct rules *rules_of(struct config *config, const char *own, const char *defaults)
{
    char text[2000];
    snprintf(text, sizeof text, "account a { " WHOLE "\n%s\n}\ndefaults {\n%s\n}\n", own, defaults);
    struct account *account = one(config, text);
    return account != NULL ? &account->rules : NULL;
}

static void test_keys(void)
{
    struct config config;
    setenv("HOME", "/home/alice", 1);
    const struct rules *rules = rules_of(
        &config,
        "rule { from = f to = t subject = s header = { \"A: a\", 'B: /b\\.c/' } not_from = nf\n"
        "not_to = nt not_subject = ns not_header = \"C: c\" older = 2d newer = 3d\n"
        "larger = 1K smaller = 1M action = leave }",
        "");
    if (rules == NULL)
        return;
    is_int((long long)rules->count, 1, "there is one rule");
    const struct rule *rule = &rules->at[0];
    is_str(pattern_text(rule->fits.from), "f", "from is read");
    is_str(pattern_text(rule->fits.to), "t", "to is read");
    is_str(pattern_text(rule->fits.subject), "s", "subject is read");
    is_int((long long)rule->fits.header_count, 2, "both headers are read");
    is_str(rule->fits.headers[1].name, "B", "the name of the second");
    is_str(pattern_text(rule->fits.headers[1].pattern), "/b\\.c/", "and its pattern");
    is_str(pattern_text(rule->unfit.from), "nf", "not_from is read");
    is_str(pattern_text(rule->unfit.to), "nt", "not_to is read");
    is_str(pattern_text(rule->unfit.subject), "ns", "not_subject is read");
    is_int((long long)rule->unfit.header_count, 1, "not_header is read");
    is_int(rule->older, 2 * 86400, "older is read");
    is_int(rule->newer, 3 * 86400, "newer is read");
    is_int((long long)rule->larger, 1024, "larger is read");
    is_int((long long)rule->smaller, 1024 * 1024, "smaller is read");
    ok(rule->action == RULE_LEAVE && !rule->has_target, "action is read");
    config_free(&config);
}

static void test_targets(void)
{
    struct config config;
    const struct rules *rules = rules_of(&config,
                                         "rule { to = a maildir = \"~/Mail/a/\" }\n"
                                         "rule { to = b mbox = \"~/b\" }\n"
                                         "rule { to = c mda = \"cat >c\" }\n"
                                         "rule { to = d lmtp = \"unix:/l\" lmtp_recipient = d }\n"
                                         "rule { to = e }",
                                         "");
    static const struct {
        enum deliver_kind kind;
        const char *where;
    } want[] = {{DELIVER_MAILDIR, "/home/alice/Mail/a"},
                {DELIVER_MBOX, "/home/alice/b"},
                {DELIVER_MDA, "cat >c"},
                {DELIVER_LMTP, "unix:/l"}};
    for (size_t i = 0; rules != NULL && i < 4; i++) {
        ok(rules->at[i].has_target && rules->at[i].target == want[i].kind,
           "each has its destination");
        is_str(rules->at[i].where, want[i].where, "and its place");
    }
    if (rules == NULL)
        return;
    is_str(rules->at[3].recipient, "d", "and its recipient");
    ok(!rules->at[4].has_target && rules->at[4].action == RULE_FETCH,
       "none, and the action is fetch");
    config_free(&config);
}

static void test_recipients(void)
{
    struct config config;
    struct account *account = one(&config, "account a { server = s user = u lmtp = \"l:24\"\n"
                                           "lmtp_recipient = me\n"
                                           "rule { to = a lmtp_recipient = a }\n"
                                           "rule { to = b lmtp = \"other:24\" }\n}");
    if (account == NULL)
        return;
    const struct rule *rule = account->rules.at;
    ok(rule[0].has_target && rule[0].target == DELIVER_LMTP, "a recipient alone is a destination");
    is_str(rule[0].where, "l:24", "at the account's server");
    is_str(rule[0].recipient, "a", "with its own recipient");
    is_str(rule[1].where, "other:24", "the second goes to another server");
    is_str(rule[1].recipient, "me", "has the account's recipient");
    config_free(&config);
}

static void test_order(void)
{
    struct config config;
    const struct rules *rules =
        rules_of(&config, "\nrule {\n # first\n from = a }\nrule { action = leave }",
                 "\n rule { from = c }\n rule { from = d\n }");
    if (rules == NULL)
        return;
    static const struct {
        const char *from;
        unsigned line;
    } want[] = {{"a", 3}, {NULL, 6}, {"c", 10}, {"d", 11}};
    is_int((long long)rules->count, 4, "the account's rules, and those of defaults");
    for (size_t i = 0; i < 4; i++) {
        const struct pattern *from = rules->at[i].fits.from;
        is_str(from != NULL ? pattern_text(from) : NULL, want[i].from, "they stand in order");
        is_int(rules->at[i].line, want[i].line, "with the line in which it begins");
    }
    is_str(rules->at[0].file, "rc", "and the file");
    config_free(&config);
}

static void test_shared(void)
{
    struct config config;
    struct account *first = one(&config, "defaults { " WHOLE " rule { from = a } }\n"
                                         "account a { }\naccount b { user = v }\n"
                                         "account c { user = w rule { from = c } }\n");
    if (first == NULL)
        return;
    const struct account *second = config.accounts[1], *third = config.accounts[2];
    ok(first->rules.count == 1 && first->rules.at == second->rules.at,
       "accounts share the rules of defaults");
    ok(third->rules.count == 2 && third->rules.at != first->rules.at,
       "but not with rules of their own");
    settings_free(config.accounts[0]);
    config.accounts[0] = NULL;
    is_str(pattern_text(second->rules.at[0].fits.from), "a", "which stay while one has them");
    config_free(&config);
}

static void test_not_shared(void)
{
    struct config config;
    struct account *first = one(&config, "defaults { server = s lmtp = \"l:24\"\n"
                                         "rule { from = a lmtp = \"m:24\" } }\n"
                                         "account a { user = u lmtp_recipient = me }\n"
                                         "account b { user = v lmtp_recipient = you }\n");
    if (first == NULL)
        return;
    is_str(first->rules.at[0].recipient, "me", "each account is its own recipient");
    is_str(config.accounts[1]->rules.at[0].recipient, "you", "where a rule of defaults names none");
    config_free(&config);
    refused("delete in defaults, which one account may and the next may not",
            "defaults { maildir = m server = s\nrule { action = delete } }\n"
            "account a { user = u allow_delete = yes }\naccount b { user = v }\n",
            2, "add allow_delete = yes to account \"b\"");
}

static void test_delete(void)
{
    struct config config;
    const struct rules *rules = rules_of(&config, "allow_delete = yes", "rule { action = delete }");
    ok(rules != NULL && rules->at[0].action == RULE_DELETE, "allow_delete allows it");
    if (rules != NULL)
        config_free(&config);
    rules = rules_of(&config, "", "allow_delete = yes rule { action = stub }");
    ok(rules != NULL && config.accounts[0]->allow_delete, "also in defaults");
    if (rules != NULL)
        config_free(&config);
    refused("allow_delete = no of its own",
            "defaults { allow_delete = yes\n rule { action = delete } }\n"
            "account a { allow_delete = no " WHOLE "}",
            2, "allow_delete = yes to account \"a\"");
}

static void test_refusals(void)
{
    refused("a rule at the top", "\nrule { action = leave }", 2, "inside an account or defaults");
    refused("a rule in defaults", "defaults {\n rule { subject = '/(/' } }\naccount a { " WHOLE "}",
            2, "subject is not a regular expression");
    refused_setting("rule { subjct = x }", "no such key: \"subjct\"; did you mean subject?");
    refused_setting("rule { recipient = x }", "did you mean lmtp_recipient?");
    refused_setting("rle { subject = x }", "did you mean rule?");
    refused_setting("subject = x", "belongs inside a rule");
    refused_setting("rule { server = x }", "to the account, outside of its rules");
    refused_setting("rule { jobs = 1 }", "at the top level");
    refused_setting("rule { rule { from = x } }", "outside of this rule");
    refused_setting("rule { }", "an empty list or rule");
    refused_setting("rule = x", "a { is missing after rule");
    refused_setting("rule \"x\" { from = x }", "a { is missing after rule");
    refused_setting("rule { include(\"x\") }", "include belongs at the top level");
    refused_setting("rule { from = a from = b }", "from is there already (line 2)");
    refused_setting("rule { subject = \"  \" }", "subject is empty");
    refused_setting("rule { to = '/(a)\\1/' }", "to has a back-reference");
    refused_setting("rule { header = x }", "header must be a field's name, a colon");
    refused_setting("rule { not_header = { \"A: b\", \"A:\" } }", "not_header is empty");
    refused_setting("rule { action = bounce }", "action must be fetch, leave, stub or delete");
    refused_setting("rule { from = x maildir = a mbox = b }", "both mbox and maildir (line 2)");
    refused_setting("rule { from = x maildir = a action = leave }",
                    "maildir goes with action = fetch");
    refused_setting("rule { from = x action = delete }", "add allow_delete = yes to account \"a\"");
    refused_setting("rule { from = x lmtp = \"l:24\" }", "lmtp has no recipient");
    refused_setting("rule { from = x lmtp_recipient = r }", "lmtp_recipient goes with lmtp");
    refused_setting("rule { from = x maildir = a lmtp_recipient = r }", "goes with lmtp");
    refused_setting("rule { from = x mda = \"x %T\" }", "$FETCHPOP_RECIPIENT");
    refused_setting("rule { older = 2d newer = 2d }", "both older than 2d and newer than 2d");
    refused_setting("rule { larger = 10 smaller = 11 }", "both larger than 10 and smaller than 11");
    refused_setting("rule { older = 0 }", "older must be a duration");
    refused_setting("rule { larger = 0 }", "larger must be a size");
    refused_setting("rule { maildir = \"m\" } rule { from = x }",
                    "the rule in line 2 has no condition");
}

int main(void)
{
    test_keys();
    test_targets();
    test_recipients();
    test_order();
    test_shared();
    test_not_shared();
    test_delete();
    test_refusals();
    return tap_done();
}
