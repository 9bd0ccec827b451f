/* SPDX-License-Identifier: ISC */
#include "session/dates.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "session/rules.h"

#define DAY_SHOWN 16

static const char *spell_day(int64_t day, char out[DAY_SHOWN])
{
    time_t then = (time_t)(day * CLOCK_DAY);
    struct tm tm;
    if (gmtime_r(&then, &tm) == NULL || strftime(out, DAY_SHOWN, "%Y-%m-%d", &tm) == 0)
        return "another day";
    return out;
}

static void tell(const struct log *log, enum calendar_look look, int64_t last_day, int64_t today)
{
    char room[2][DAY_SHOWN];
    const char *last = spell_day(last_day, room[0]), *now = spell_day(today, room[1]);
    if (look == CALENDAR_AHEAD)
        log_line(log, FP_LOG_WARNING, "the clock says %s, and the last poll was on %s", now, last);
    else if (look == CALENDAR_BEHIND && last_day - today > 1) /* one may be a second at midnight */
        log_line(log, FP_LOG_WARNING,
                 "the clock says %s, the last poll was on %s: nothing is deleted by age until "
                 "another day agrees",
                 now, last);
    else if (look == CALENDAR_TAKEN_BACK && last_day - today > 1)
        log_line(log, FP_LOG_WARNING,
                 "the clock says %s again: that a poll was on %s is taken back", now, last);
}

int dates_begin(struct journal *journal, struct plan_rules *rules, const struct session_run *run,
                struct err *err)
{
    int64_t last_day;
    enum calendar_look look = journal_look_at_clock(journal, rules->now, &last_day);
    rules->clock_doubted = calendar_is_doubted(look);
    if (run->mode != SESSION_POLL)
        return 0;
    tell(run->log, look, last_day, rules->now / CLOCK_DAY);
    /* What the wrong date had left on the server, or for how long, is judged anew (sift.h). */
    if (look == CALENDAR_TAKEN_BACK &&
        (rules_ask_age(&run->account->rules) || run->account->filter_command != NULL))
        journal_set_rules(journal, "");
    return rules->clock_doubted ? 0 : journal_mend_dates(journal, rules->now, err);
}

/* What a clock noted that was ahead does not count. */
int64_t dates_first_due(const struct plan_rules *rules, int64_t due)
{
    int64_t today = rules->now / CLOCK_DAY;
    return due == 0 || due > today ? today : due;
}

void dates_note_due(struct journal *journal, const struct plan_rules *rules,
                    const struct message *message, const struct plan_message *known)
{
    if (known->known != JOURNAL_DONE && known->known != JOURNAL_GONE)
        return;
    bool not_due =
        message->action == PLAN_LEAVE && !rules->clock_doubted && !rules->switches.never_delete;
    if (message->action == PLAN_DUE)
        journal_find_due(journal, message->entry, dates_first_due(rules, known->due));
    else if (not_due && known->due != 0)
        journal_find_due(journal, message->entry, 0);
}
