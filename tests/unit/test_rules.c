/* SPDX-License-Identifier: ISC */
/*
 * rules: which rule fits a message, by size, header and age.
 */
#include "session/rules.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "tap.h"

#define NOW 1795862480 /* Sat, 28 Nov 2026 10:41:20 +0000 */
#define HOUR 3600

static struct rules rules;
static int64_t until;

static struct pattern *pattern(const char *text)
{
    struct err err;
    return text != NULL ? pattern_new(text, &err) : NULL;
}

/* One more rule. */
static struct rule *add(enum rule_action action)
{
    rules.at = xreallocarray(rules.at, rules.count + 1, sizeof *rules.at);
    rules.at[rules.count] = (struct rule){.action = action};
    return &rules.at[rules.count++];
}

static struct fields *read_header(const char *text)
{
    struct fields *fields = fields_new();
    fields_feed(fields, text, strlen(text));
    fields_end(fields);
    return fields;
}

static size_t find(const char *header, uint64_t size, int64_t now)
{
    struct fields *fields = header != NULL ? read_header(header) : NULL;
    size_t found = rules_find(&rules, &(struct rules_facts){size, now, fields}, &until);
    fields_free(fields);
    return found;
}

/* Does the only rule fit this header? */
static void fits(bool want, const char *header, const char *name)
{
    ok(find(header, 1000, NOW) == (want ? 0 : RULES_NONE), "%s", name);
}

static void test_order(void)
{
    is_int((long long)find("", 1000, NOW), (long long)RULES_NONE, "no rules: none fits");
    add(RULE_FETCH)->fits.subject = pattern("a*");
    add(RULE_LEAVE)->fits.subject = pattern("*b");
    is_int((long long)find("Subject: a b\n", 1, NOW), 0, "the first that fits decides");
    is_int((long long)find("Subject: b\n", 1, NOW), 1, "then the second");
    is_int((long long)find("Subject: c\n", 1, NOW), (long long)RULES_NONE, "none fits");
    add(RULE_STUB);
    is_int((long long)find("Subject: c\n", 1, NOW), 2, "a rule without conditions always fits");
    is_int((long long)until, 0, "and nothing of that changes with time");
    rules_free(&rules);
}

static void test_from(void)
{
    add(RULE_LEAVE)->fits.from = pattern("alice@example.org");
    fits(true, "From: alice@example.org\n", "from fits a bare address");
    fits(true, "From: \"Liddell, Alice\" <Alice@Example.ORG>\n", "an address behind a name");
    fits(true, "From: bob@example.org, Alice <alice@example.org>\n", "one of two addresses");
    fits(false, "From: alice@example.org.evil.example\n", "and no longer one");
    fits(false, "From: \"alice@example.org\" <bob@example.org>\n", "a name is no address");
    fits(false, "Sender: alice@example.org\nReply-To: alice@example.org\n", "only From counts");
    rules_free(&rules);
    add(RULE_LEAVE)->fits.from = pattern("j\xc3\xb6rg*");
    fits(true, "From: =?iso-8859-1?q?J=F6rg?= <j@example.org>\n", "from fits the decoded field");
    rules_free(&rules);
}

static void test_to(void)
{
    static const char *const names[] = {"To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"};
    add(RULE_LEAVE)->fits.to = pattern("shop@example.org");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[200];
        snprintf(header, sizeof header, "%s: me@example.org\n%s: A <shop@example.org>\n", names[i],
                 names[i]);
        ok(find(header, 1000, NOW) == 0, "to looks at each %s", names[i]);
    }
    fits(false, "Bcc: shop@example.org\nFrom: shop@example.org\n", "and at no other field");
    rules_free(&rules);
}

/* What nothing ends is looked at once, not once for each bracket before it. */
static void test_brackets(void)
{
    static char header[200000];
    clock_t begun = clock();
    memset(header, '[', sizeof header - 1);
    memcpy(header, "To: ", 4);
    add(RULE_LEAVE)->fits.to = pattern("shop@example.org");
    fits(false, header, "brackets without end are no address");
    memcpy(header + sizeof header - 30, ", shop@example.org, [[[[\n", 26);
    fits(true, header, "an address between them is one");
    ok(clock() - begun < 5 * CLOCKS_PER_SEC, "and they take no time");
    begun = clock();
    for (size_t i = 5; i + 1 < sizeof header - 1; i += 2)
        memcpy(header + i, "\\[", 2);
    memcpy(header + sizeof header - 30, ", shop@example.org, [[[[\n", 26);
    fits(true, header, "an address between escaped ones is one");
    ok(clock() - begun < 5 * CLOCKS_PER_SEC, "and they take no time either");
    rules_free(&rules);
}

static void test_header(void)
{
    struct err err;
    struct rule *rule = add(RULE_LEAVE);
    is_int(rules_add_header(&rule->fits, "List-Id : *<dev.example.org>", &err), 0,
           "one header is added");
    fits(true, "List-Id: Developers\n <DEV.example.org>\n", "header fits a field of that name");
    fits(false, "Subject: <dev.example.org>\n", "and no other field");
    is_int(rules_add_header(&rule->fits, "X-Flag:/^y/", &err), 0, "and another header");
    fits(false, "List-Id: <dev.example.org>\nX-Flag: no\n", "both have to fit");
    fits(true, "X-Flag: no\nList-Id: <dev.example.org>\nX-Flag: yes\n", "each somewhere");
    rules_free(&rules);
}

static void test_bad_header(void)
{
    static const char *const bad[] = {"List-Id", ": x", "a b: x", "\xc3\xbc: x"};
    struct rule *rule = add(RULE_LEAVE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err;
        ok(rules_add_header(&rule->fits, bad[i], &err) < 0 && err.kind == ERR_CONFIG, "%s: %s",
           bad[i], err.text);
    }
    struct err err;
    ok(rules_add_header(&rule->fits, "List-Id:", &err) < 0 && strstr(err.text, "empty") != NULL,
       "a header without a pattern: %s", err.text);
    ok(rules_add_header(&rule->fits, "List-Id: /(/", &err) < 0, "a bad expression: %s", err.text);
    rules_free(&rules);
}

static void test_not(void)
{
    struct err err;
    struct rule *rule = add(RULE_LEAVE);
    rule->unfit.subject = pattern("*urgent*");
    fits(true, "Subject: lunch\n", "not_subject fits another subject");
    fits(false, "Subject: lunch\nSubject: urgent\n", "no field may fit the pattern");
    fits(true, "From: a@example.org\n", "a message without a subject has none that fits");
    rule->fits.from = pattern("*@example.org");
    fits(false, "Subject: lunch\n", "and the other conditions have to fit");
    fits(true, "Subject: lunch\nFrom: a@example.org\n", "as they do here");
    rules_add_header(&rule->unfit, "X-A: *", &err);
    rules_add_header(&rule->unfit, "X-B: *", &err);
    fits(false, "From: a@example.org\nX-B: 1\n", "of several negated headers none may fit");
    rules_free(&rules);
}

static void test_cut(void)
{
    add(RULE_LEAVE)->unfit.subject = pattern("*urgent*");
    struct fields *fields = fields_new();
    for (int i = 0; i <= FIELDS_COUNT; i++)
        fields_feed(fields, "A: 1\n", 5);
    fields_end(fields);
    struct rules_facts facts = {1000, NOW, fields};
    ok(rules_find(&rules, &facts, &until) == RULES_NONE,
       "of a header that is cut nobody knows what is not in it");
    fields_free(fields);
    rules_free(&rules);
}

static void test_size(void)
{
    struct rule *rule = add(RULE_STUB);
    rule->larger = 1000;
    is_int((long long)find(NULL, 1001, NOW), 0, "larger needs no header");
    is_int((long long)find(NULL, 1000, NOW), (long long)RULES_NONE, "and not this size itself");
    is_int((long long)find(NULL, 0, NOW), (long long)RULES_NONE, "a size that is not known");
    rule->larger = 0;
    rule->smaller = 1000;
    is_int((long long)find(NULL, 999, NOW), 0, "a smaller one fits");
    is_int((long long)find(NULL, 1000, NOW), (long long)RULES_NONE, "and not this size itself");
    is_int((long long)find(NULL, 0, NOW), (long long)RULES_NONE, "a size that is not known");
    rule->fits.subject = pattern("x");
    is_int((long long)find(NULL, 1000, NOW), (long long)RULES_NONE,
           "where the size does not fit, no header is needed");
    is_int((long long)find(NULL, 999, NOW), (long long)RULES_UNKNOWN, "where it does, one is");
    rules_free(&rules);
}

static void test_unknown(void)
{
    add(RULE_LEAVE)->larger = 1000;
    add(RULE_FETCH)->fits.to = pattern("x");
    add(RULE_DELETE);
    is_int((long long)find(NULL, 2000, NOW), 0, "a rule before those that need a header");
    is_int((long long)find(NULL, 500, NOW), (long long)RULES_UNKNOWN, "and one behind them");
    pattern_free(rules.at[1].fits.to);
    rules.at[1].fits.to = NULL;
    rules.at[1].older = HOUR;
    is_int((long long)find(NULL, 500, NOW), (long long)RULES_UNKNOWN, "an age needs the header");
    is_int((long long)find(NULL, 500, 0), (long long)RULES_UNKNOWN, "whatever the clock says");
    rules_free(&rules);
}

/* Header with a Received of so many seconds ago. */
#define RECEIVED_1H "Received: from a by b; Sat, 28 Nov 2026 09:41:20 +0000\n"

static void test_age(void)
{
    struct rule *rule = add(RULE_LEAVE);
    rule->older = HOUR;
    fits(true, RECEIVED_1H, "older than an hour, after an hour");
    is_int(until, 0, "which stays so");
    is_int((long long)find(RECEIVED_1H, 1, NOW - 1), (long long)RULES_NONE, "a second before: not");
    is_int(until, NOW, "and that changes when the hour is over");
    rule->older = 0;
    rule->newer = HOUR;
    fits(false, RECEIVED_1H, "newer than an hour, after an hour");
    is_int(until, 0, "which stays so");
    is_int((long long)find(RECEIVED_1H, 1, NOW - 1), 0, "a second before it is");
    is_int(until, NOW, "and that changes when the hour is over");
    rule->older = HOUR / 2;
    is_int((long long)find(RECEIVED_1H, 1, NOW - HOUR), (long long)RULES_NONE, "not old enough");
    is_int(until, NOW - HOUR / 2, "of two moments the next one counts");
    rules_free(&rules);
}

static void test_date(void)
{
    add(RULE_LEAVE)->older = HOUR;
    fits(true, "Received: a; b; Sat, 28 Nov 2026 09:00:00 +0000\n", "behind the last semicolon");
    fits(false, "Received: a; Sat, 28 Nov 2026 10:40:00 +0000\n" RECEIVED_1H,
         "the topmost Received counts");
    fits(false, "Date: Sat, 28 Nov 2026 09:00:00 +0000\nReceived: a; 28 Nov 2026 10:40 +0000\n",
         "and comes before Date");
    fits(true, "Date: Sat, 28 Nov 2026 09:00:00 +0000\n", "Date, where no Received is");
    fits(true, "Received: who knows\nDate: Sat, 28 Nov 2026 09:00:00 +0000\n",
         "or none that has a date");
    fits(false, "Date: yesterday\n", "without a date it is not older");
    is_int(until, 0, "nor will it be");
    rules.at[0].newer = rules.at[0].older;
    rules.at[0].older = 0;
    fits(false, "Date: yesterday\n", "and not newer");
    rules_free(&rules);
}

static void test_doubt(void)
{
    add(RULE_FETCH)->older = HOUR;
    add(RULE_LEAVE);
    is_int((long long)find(RECEIVED_1H, 1, 0), 1, "with a clock in doubt no age fits");
    is_int(until, NOW, "and the moment at which it may is told");
    rules.at[0].newer = 2 * HOUR;
    rules.at[0].older = 0;
    is_int((long long)find(RECEIVED_1H, 1, 0), 1, "newer does not fit without a clock");
    rules.at[0].fits.subject = pattern("x");
    find(RECEIVED_1H, 1, NOW - 1);
    is_int(until, 0, "age alone changes nothing where something else does not fit");
    rules_free(&rules);
}

static void by_age(bool want, const char *header, int64_t now, const char *why)
{
    struct fields *fields = header != NULL ? read_header(header) : NULL;
    ok(rules_found_by_age(&rules, &(struct rules_facts){2000, now, fields}) == want, "%s", why);
    fields_free(fields);
}

static void test_by_age(void)
{
    struct rule *rule = add(RULE_DELETE);
    rule->older = HOUR;
    rule->larger = 1000;
    add(RULE_DELETE);
    ok(rules_ask_age(&rules), "a rule asks for an age");
    by_age(true, RECEIVED_1H, NOW, "an age that fits has a say");
    by_age(true, RECEIVED_1H, NOW - 1, "so has one that does not fit");
    by_age(true, RECEIVED_1H, 0, "or is not known");
    by_age(false, "Date: yesterday\n", NOW, "but none of a message without a date");
    rules.at[0].larger = 2000;
    by_age(false, RECEIVED_1H, NOW, "nor where another condition does not fit");
    by_age(false, NULL, NOW, "nor where the size is enough");
    rules_free(&rules);
    add(RULE_DELETE);
    ok(!rules_ask_age(&rules), "no rule asks for an age");
    add(RULE_FETCH)->older = HOUR;
    by_age(false, RECEIVED_1H, NOW, "a rule behind the one that fits has no say");
    rules_free(&rules);
}

static void test_skip(void)
{
    ok(!rules_may_skip(&rules, 2000), "no rules: no header is needed");
    add(RULE_STUB)->larger = 1000;
    ok(!rules_may_skip(&rules, 2000), "nor for a size");
    add(RULE_FETCH)->fits.to = pattern("x");
    ok(!rules_may_skip(&rules, 2000), "nor to choose between destinations");
    add(RULE_LEAVE);
    ok(rules_may_skip(&rules, 2000), "but where what comes behind that is left");
    rules_free(&rules);
    struct rule *rule = add(RULE_STUB);
    rule->larger = 1000;
    rule->fits.subject = pattern("x");
    add(RULE_FETCH)->fits.to = pattern("x");
    ok(rules_may_skip(&rules, 1001), "where the size fits, too");
    ok(!rules_may_skip(&rules, 1000), "but not where it does not");
    rules_free(&rules);
    add(RULE_DELETE)->newer = HOUR;
    ok(rules_may_skip(&rules, 2000), "and for an age");
    rules_free(&rules);
}

/* True if the digest is another one than before. */
static bool changed(char digest[RULES_DIGEST + 1])
{
    char now[RULES_DIGEST + 1];
    rules_digest(&rules, now);
    bool other = strcmp(now, digest) != 0;
    memcpy(digest, now, sizeof now);
    return other;
}

static void test_digest(void)
{
    char digest[RULES_DIGEST + 1] = "x";
    struct err err;
    rules_digest(&rules, digest);
    is_str(digest, "", "no rules: no digest");
    struct rule *rule = add(RULE_LEAVE);
    ok(changed(digest) && strlen(digest) == RULES_DIGEST, "a rule has one: %s", digest);
    ok(!changed(digest), "always the same");
    rule->action = RULE_STUB;
    ok(changed(digest), "its action counts");
    rule->fits.from = pattern("a");
    ok(changed(digest), "and each pattern");
    rule->fits.subject = rule->fits.from;
    rule->fits.from = NULL;
    ok(changed(digest), "and of which field it is");
    rule->unfit.subject = rule->fits.subject;
    rule->fits.subject = NULL;
    ok(changed(digest), "and that it is negated");
    rules_add_header(&rule->fits, "A: b", &err);
    ok(changed(digest), "and a header");
    rule->older = HOUR;
    ok(changed(digest), "and an age");
    rule->smaller = HOUR;
    ok(changed(digest), "and a size");
    rule->has_target = true;
    rule->where = xstrdup("/home/alice/Mail");
    rule->line = 3;
    ok(!changed(digest), "but not where a message goes, or where the rule stands");
    add(RULE_FETCH);
    ok(changed(digest), "and one more rule does");
    rules_free(&rules);
}

int main(void)
{
    test_order();
    test_from();
    test_to();
    test_brackets();
    test_header();
    test_bad_header();
    test_not();
    test_cut();
    test_size();
    test_unknown();
    test_age();
    test_date();
    test_doubt();
    test_by_age();
    test_skip();
    test_digest();
    return tap_done();
}
