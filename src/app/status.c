/* SPDX-License-Identifier: ISC */
#include "app/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/json.h"
#include "base/clock.h"
#include "session/condition.h"
#include "session/held.h"
#include "session/manners.h"

/* --- words ------------------------------------------------------------------------------------ */

/* "last poll 11:20 failed (3 in a row since 11:00): port 1 refuses connections; check it; last
 * success 10:50". */
static char *spell_poll(const struct condition *condition, int64_t now, char *out, size_t cap)
{
    char last[MANNERS_TIME], since[MANNERS_TIME], success[MANNERS_TIME], row[80] = "";
    if (condition->last_poll == 0) {
        snprintf(out, cap, "never polled");
        return out;
    }
    const char *when = manners_spell_time(condition->last_poll, now, last);
    if (condition->trouble[0] == '\0') {
        snprintf(out, cap, "last poll %s went well", when);
        return out;
    }
    if (condition->failures > 0)
        snprintf(row, sizeof row, " (%" PRIu32 " in a row since %s)", condition->failures,
                 manners_spell_time(condition->failing_since, now, since));
    snprintf(out, cap, "last poll %s failed%s: %s; last success %s", when, row, condition->trouble,
             condition->last_success != 0
                 ? manners_spell_time(condition->last_success, now, success)
                 : "never");
    return out;
}

/* "12 messages kept on the server, 1 held; 2 here in FOLDER, not delivered yet". */
static char *spell_mail(const struct condition *condition, const char *state_dir, char *out,
                        size_t cap)
{
    int at = snprintf(out, cap, "%" PRIu32 " message%s kept on the server, %" PRIu32 " held",
                      condition->kept, condition->kept == 1 ? "" : "s", condition->held);
    if (condition->failed > 0)
        at += snprintf(out + at, cap - (size_t)at, ", %" PRIu32 " failed", condition->failed);
    if (condition->left > 0)
        at += snprintf(out + at, cap - (size_t)at, ", %" PRIu32 " left by rules", condition->left);
    if (condition->spooled > 0)
        snprintf(out + at, cap - (size_t)at, "; %" PRIu32 " here in %s, not delivered yet",
                 condition->spooled, state_dir);
    return out;
}

/* The same as one object, without a line end. */
static void add_json(const struct condition *condition, const char *title, const char *state_dir,
                     struct buf *out)
{
    const char *outcome = condition->last_poll == 0       ? "none"
                          : condition->trouble[0] == '\0' ? "ok"
                                                          : "failed";
    bool failing = condition->failures > 0 && condition->failing_since != 0;
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    json_time(out, "last_poll", condition->last_poll != 0, condition->last_poll);
    json_text(out, "outcome", str_from(outcome));
    json_text(out, "error", str_from(condition->trouble));
    json_number(out, "failures", condition->failures);
    json_time(out, "failing_since", failing, condition->failing_since);
    json_time(out, "last_success", condition->last_success != 0, condition->last_success);
    json_time(out, "next_try", condition->next_try != 0, condition->next_try);
    json_flag(out, "refused", condition->refused);
    json_number(out, "kept", condition->kept);
    json_number(out, "held", condition->held);
    json_number(out, "failed", condition->failed);
    json_number(out, "left", condition->left);
    json_number(out, "spooled", condition->spooled);
    json_text(out, "state_dir", str_from(state_dir));
    buf_addf(out, "}");
}

/* --- one account ------------------------------------------------------------------------------ */

struct answers {
    struct report *report;
    const char *title, *state_dir;
    bool silent, trouble;
    size_t lines;
};

static void answer_line(void *ctx, const char *text)
{
    struct answers *answers = ctx;
    answers->lines++;
    report_answer(answers->report, answers->title, text);
}

static void print_json(const struct answers *answers, const struct condition *condition)
{
    struct buf line;
    buf_init(&line, JSON_MAX);
    add_json(condition, answers->title, answers->state_dir, &line);
    report_json_line(answers->report, &line);
    buf_free(&line);
}

static void print_words(const struct answers *answers, const struct condition *condition)
{
    char text[ERR_TEXT_MAX];
    report_answer(answers->report, answers->title,
                  spell_poll(condition, clock_wall(), text, sizeof text));
    report_answer(answers->report, answers->title,
                  spell_mail(condition, answers->state_dir, text, sizeof text));
}

static void answer_condition(void *ctx, const struct condition *condition)
{
    struct answers *answers = ctx;
    answers->trouble = condition->trouble[0] != '\0';
    if (answers->report->json)
        print_json(answers, condition);
    else if (!answers->silent)
        print_words(answers, condition);
}

void status_show(const struct roster *roster, bool silent, struct report *report)
{
    bool words = !report->json;
    for (size_t i = 0; i < roster->count; i++) {
        struct answers answers = {
            report, roster->accounts[i]->title, roster->top.state_dir, silent, false, 0};
        const struct held_listener listener = {answer_condition, words ? answer_line : NULL,
                                               &answers};
        struct err err = {0};
        if (held_list(roster->accounts[i], roster->top.state_dir, &listener, &err) < 0)
            report_error(report, answers.title, &err);
        else if (words && !silent && answers.lines == 0 && !answers.trouble)
            report_answer(report, answers.title, "nothing failed, nothing held");
    }
}
