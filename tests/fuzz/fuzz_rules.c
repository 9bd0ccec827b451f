/* SPDX-License-Identifier: ISC */
/*
 * Rules over a header: in whatever pieces it comes, the same rule fits, and what a rule decides
 * without the header it decides with it; and patterns, on texts.
 */
#include "fuzz/fuzz.h"
#include "session/rules.h"

#define NOW 1795862480

static struct pattern *pattern(const char *text)
{
    struct err err;
    struct pattern *made = pattern_new(text, &err);
    fuzz_check(made != NULL);
    return made;
}

static void make_rules(struct rules *rules, struct rule rows[5])
{
    struct err err;
    memset(rows, 0, 5 * sizeof rows[0]);
    rows[0].fits.subject = pattern("[spam]*");
    rows[0].action = RULE_LEAVE;
    rows[1].fits.to = pattern("*+shop@*");
    rows[1].larger = 100;
    rows[2].fits.from = pattern("/@(lists|news)[.]/");
    rows[2].older = 3600;
    rows[3].newer = 86400;
    rows[3].unfit.subject = pattern("/^re:/");
    fuzz_check(rules_add_header(&rows[3].fits, "List-Id: *", &err) == 0);
    rows[4].smaller = 5000;
    *rules = (struct rules){.at = rows, .count = 5};
}

static struct fields *read_in(struct str in, size_t step)
{
    struct fields *fields = fields_new();
    for (size_t at = 0; at < in.len; at += step) {
        size_t len = in.len - at < step ? in.len - at : step;
        char *piece = fuzz_copy(in.ptr + at, len);
        fields_feed(fields, piece, len);
        free(piece);
    }
    fields_end(fields);
    return fields;
}

static void check_fields(const struct fields *fields, const struct fields *others)
{
    struct field field = {.number = 0}, other = {.number = 0};
    while (fields_next(fields, NULL, &field)) {
        fuzz_check(fields_next(others, NULL, &other));
        fuzz_check(str_equal(field.name, other.name) && str_equal(field.value, other.value));
        fuzz_check(fields_is_name(field.name));
        for (struct str text = fields_text(fields, &field); text.len > 0;)
            fuzz_check(utf8_take(&text) != UTF8_NONE);
    }
    fuzz_check(!fields_next(others, NULL, &other));
    fuzz_check(fields_is_cut(fields) == fields_is_cut(others));
}

static void try_header(struct str in, size_t step, uint64_t size)
{
    struct rules rules;
    struct rule *rows = malloc(5 * sizeof *rows);
    fuzz_check(rows != NULL);
    make_rules(&rules, rows);
    int64_t until, again;
    struct fields *whole = read_in(in, in.len + 1), *pieces = read_in(in, step);
    check_fields(whole, pieces);
    size_t found = rules_find(&rules, &(struct rules_facts){size, NOW, whole}, &until);
    fuzz_check(found < rules.count || found == RULES_NONE);
    fuzz_check(rules_find(&rules, &(struct rules_facts){size, NOW, pieces}, &again) == found);
    fuzz_check(until == again && (until == 0 || until > NOW));
    size_t early = rules_find(&rules, &(struct rules_facts){size, NOW, NULL}, &again);
    fuzz_check(early == RULES_UNKNOWN || early == found);
    if (until > 0) /* nothing changes before that moment */
        fuzz_check(rules_find(&rules, &(struct rules_facts){size, until - 1, whole}, &again) ==
                   found);
    fields_free(whole);
    fields_free(pieces);
    rules_free(&rules);
}

/* "PATTERN NUL TEXT" */
static void try_pattern(struct str in)
{
    struct err err;
    struct str pattern = str_until(&in, '\0');
    char *text = fuzz_copy(in.ptr, in.len), *wanted = malloc(pattern.len + 1);
    fuzz_check(wanted != NULL);
    memcpy(wanted, pattern.ptr, pattern.len);
    wanted[pattern.len] = '\0';
    struct pattern *made = pattern_new(wanted, &err);
    if (made != NULL) {
        bool fits = pattern_fits(made, str_of(text, in.len));
        fuzz_check(strcmp(pattern_text(made), wanted) == 0);
        fuzz_check(fits || strspn(wanted, "*") != pattern.len);
        pattern_free(made);
    }
    free(wanted);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {data, size};
    unsigned first = fuzz_byte(&fuzz);
    if (first % 2 == 0)
        try_pattern(fuzz_rest(&fuzz));
    else
        try_header(fuzz_rest(&fuzz), 1 + first / 2, (uint64_t)first * 40);
    return 0;
}
