/* SPDX-License-Identifier: ISC */
#include "session/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/digest.h"
#include "base/maildate.h"
#include "base/words.h"
#include "base/xalloc.h"

/* --- one message ------------------------------------------------------------------------------ */

enum fit { FIT_NO, FIT_YES, FIT_UNKNOWN };

static enum fit fit_of(bool fits)
{
    return fits ? FIT_YES : FIT_NO;
}

static enum fit fit_size(const struct rule *rule, uint64_t size)
{
    if (rule->larger == 0 && rule->smaller == 0)
        return FIT_YES;
    return fit_of(size > 0 && (rule->larger == 0 || size > rule->larger) &&
                  (rule->smaller == 0 || size < rule->smaller));
}

static bool fits_text(const struct rules_facts *facts, const char *name,
                      const struct pattern *pattern)
{
    struct field field = {.number = 0};
    while (fields_next(facts->fields, name, &field))
        if (pattern_fits(pattern, fields_text(facts->fields, &field)))
            return true;
    return false;
}

static bool fits_address(struct str value, const struct pattern *pattern)
{
    char *scratch = xmalloc(value.len);
    bool fits = false, ended;
    while (value.len > 0 && !fits) {
        struct str address = address_take(&value, scratch, &ended);
        fits = address.len > 0 && pattern_fits(pattern, address);
    }
    free(scratch);
    return fits;
}

static bool fits_addresses(const struct rules_facts *facts, const char *name,
                           const struct pattern *pattern)
{
    struct field field = {.number = 0};
    while (fields_next(facts->fields, name, &field))
        if (pattern_fits(pattern, fields_text(facts->fields, &field)) ||
            fits_address(field.value, pattern))
            return true;
    return false;
}

static bool fits_to(const struct rules_facts *facts, const struct pattern *pattern)
{
    static const char *const names[] = {"To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (fits_addresses(facts, names[i], pattern))
            return true;
    return false;
}

/* True if each pattern that is there gives `want`. */
static bool all_give(const struct rules_facts *facts, const struct rule_patterns *patterns,
                     bool want)
{
    if (patterns->from != NULL && fits_addresses(facts, "From", patterns->from) != want)
        return false;
    if (patterns->to != NULL && fits_to(facts, patterns->to) != want)
        return false;
    if (patterns->subject != NULL && fits_text(facts, "Subject", patterns->subject) != want)
        return false;
    for (size_t i = 0; i < patterns->header_count; i++)
        if (fits_text(facts, patterns->headers[i].name, patterns->headers[i].pattern) != want)
            return false;
    return true;
}

static bool has_patterns(const struct rule_patterns *patterns)
{
    return patterns->from != NULL || patterns->to != NULL || patterns->subject != NULL ||
           patterns->header_count > 0;
}

static bool has_age(const struct rule *rule)
{
    return rule->older > 0 || rule->newer > 0;
}

static bool needs_header(const struct rule *rule)
{
    return has_patterns(&rule->fits) || has_patterns(&rule->unfit) || has_age(rule);
}

/* Of a header that is cut, nobody knows what is not in it. */
static bool fits_patterns(const struct rule *rule, const struct rules_facts *facts)
{
    if (has_patterns(&rule->unfit) && fields_is_cut(facts->fields))
        return false;
    return all_give(facts, &rule->fits, true) && all_give(facts, &rule->unfit, false);
}

/* When the message came. -1: nothing says so. */
int rules_date(const struct fields *fields, int64_t *when)
{
    struct field field = {.number = 0};
    struct str way, date;
    if (fields_next(fields, "Received", &field) && str_split_last(field.value, ';', &way, &date) &&
        maildate_read(date, when) == 0)
        return 0;
    field = (struct field){.number = 0};
    return fields_next(fields, "Date", &field) ? maildate_read(field.value, when) : -1;
}

/* *until becomes the earlier one of moments to come. */
static void note_moment(int64_t moment, int64_t now, int64_t *until)
{
    if (moment > now && (*until == 0 || moment < *until))
        *until = moment;
}

/* Everything else fits. */
static bool fits_age(const struct rule *rule, const struct rules_facts *facts, int64_t *until)
{
    int64_t when;
    if (!has_age(rule))
        return true;
    if (rules_date(facts->fields, &when) < 0)
        return false;
    if (rule->older > 0)
        note_moment(when + rule->older, facts->now, until);
    if (rule->newer > 0)
        note_moment(when + rule->newer, facts->now, until);
    return facts->now > 0 && (rule->older == 0 || facts->now - when >= rule->older) &&
           (rule->newer == 0 || facts->now - when < rule->newer);
}

static enum fit fit(const struct rule *rule, const struct rules_facts *facts, int64_t *until)
{
    if (fit_size(rule, facts->size) == FIT_NO)
        return FIT_NO;
    if (facts->fields == NULL && needs_header(rule))
        return FIT_UNKNOWN;
    return fit_of(!needs_header(rule) ||
                  (fits_patterns(rule, facts) && fits_age(rule, facts, until)));
}

size_t rules_find(const struct rules *rules, const struct rules_facts *facts, int64_t *until)
{
    *until = 0;
    for (size_t i = 0; i < rules->count; i++) {
        enum fit result = fit(&rules->at[i], facts, until);
        if (result != FIT_NO)
            return result == FIT_YES ? i : RULES_UNKNOWN;
    }
    return RULES_NONE;
}

bool rules_found_by_age(const struct rules *rules, const struct rules_facts *facts)
{
    int64_t when, until = 0;
    enum fit result = FIT_NO;
    for (size_t i = 0; i < rules->count && result == FIT_NO; i++) {
        const struct rule *rule = &rules->at[i];
        if (has_age(rule) && facts->fields != NULL && fit_size(rule, facts->size) == FIT_YES &&
            fits_patterns(rule, facts) && rules_date(facts->fields, &when) == 0)
            return true;
        result = fit(rule, facts, &until);
    }
    return false;
}

/* --- all messages ----------------------------------------------------------------------------- */

bool rules_may_skip(const struct rules *rules, uint64_t size)
{
    bool depends = false;
    for (size_t i = 0; i < rules->count; i++) {
        if (fit_size(&rules->at[i], size) == FIT_NO)
            continue;
        depends = depends || needs_header(&rules->at[i]);
        if (depends && rules->at[i].action != RULE_FETCH)
            return true;
    }
    return false;
}

bool rules_ask_age(const struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        if (has_age(&rules->at[i]))
            return true;
    return false;
}

bool rules_takes_all(const struct rule *rule)
{
    return !needs_header(rule) && rule->larger == 0 && rule->smaller == 0;
}

static void digest_text(struct digest *digest, const char *text)
{
    if (text != NULL)
        digest_add(digest, text, strlen(text));
    digest_add(digest, "", 1);
}

static void digest_pattern(struct digest *digest, const struct pattern *pattern)
{
    digest_text(digest, pattern != NULL ? pattern_text(pattern) : NULL);
}

static void digest_patterns(struct digest *digest, const struct rule_patterns *patterns)
{
    digest_pattern(digest, patterns->from);
    digest_pattern(digest, patterns->to);
    digest_pattern(digest, patterns->subject);
    for (size_t i = 0; i < patterns->header_count; i++) {
        digest_text(digest, patterns->headers[i].name);
        digest_pattern(digest, patterns->headers[i].pattern);
    }
    digest_text(digest, NULL);
}

static void digest_rule(struct digest *digest, const struct rule *rule)
{
    char numbers[120];
    snprintf(numbers, sizeof numbers, "%d %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64,
             (int)rule->action, rule->older, rule->newer, rule->larger, rule->smaller);
    digest_text(digest, numbers);
    digest_patterns(digest, &rule->fits);
    digest_patterns(digest, &rule->unfit);
}

void rules_digest(const struct rules *rules, char out[RULES_DIGEST + 1])
{
    unsigned char whole[DIGEST_SIZE];
    out[0] = '\0';
    if (rules->count == 0)
        return;
    struct digest *digest = digest_new();
    for (size_t i = 0; i < rules->count; i++)
        digest_rule(digest, &rules->at[i]);
    digest_end(digest, whole);
    words_hex(whole, RULES_DIGEST / 2, out);
}

/* --- making and freeing ----------------------------------------------------------------------- */

int rules_add_header(struct rule_patterns *patterns, const char *text, struct err *err)
{
    struct str rest = str_from(text);
    struct str name = str_trim(str_until(&rest, ':'));
    if (strchr(text, ':') == NULL || !fields_is_name(name))
        return err_set(err, ERR_CONFIG,
                       "must be a field's name, a colon and a pattern, such as \"List-Id: *\"");
    char *wanted = xmemdup0(str_trim(rest).ptr, str_trim(rest).len);
    struct pattern *pattern = pattern_new(wanted, err);
    free(wanted);
    if (pattern == NULL)
        return -1;
    patterns->headers =
        xreallocarray(patterns->headers, patterns->header_count + 1, sizeof *patterns->headers);
    patterns->headers[patterns->header_count++] =
        (struct rule_header){xmemdup0(name.ptr, name.len), pattern};
    return 0;
}

static void free_patterns(struct rule_patterns *patterns)
{
    pattern_free(patterns->from);
    pattern_free(patterns->to);
    pattern_free(patterns->subject);
    for (size_t i = 0; i < patterns->header_count; i++) {
        free(patterns->headers[i].name);
        pattern_free(patterns->headers[i].pattern);
    }
    free(patterns->headers);
}

struct rules rules_share(struct rules *rules)
{
    if (rules->owners == NULL) {
        rules->owners = xmalloc(sizeof *rules->owners);
        *rules->owners = 1;
    }
    ++*rules->owners;
    return *rules;
}

void rules_free(struct rules *rules)
{
    if (rules->owners != NULL && --*rules->owners > 0) {
        *rules = (struct rules){0};
        return;
    }
    for (size_t i = 0; i < rules->count; i++) {
        struct rule *rule = &rules->at[i];
        free_patterns(&rule->fits);
        free_patterns(&rule->unfit);
        free(rule->where);
        free(rule->recipient);
        free(rule->file);
    }
    free(rules->owners);
    free(rules->at);
    *rules = (struct rules){0};
}
