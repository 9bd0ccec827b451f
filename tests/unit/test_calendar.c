/* SPDX-License-Identifier: ISC */
/*
 * calendar: dates that come one after the other, and what is believed of them.
 */
#include "state/calendar.h"

#include "tap.h"

#define D 20800 /* a day in 2026 */

static void is_look(struct calendar *calendar, uint64_t day, enum calendar_look want,
                    const char *name)
{
    is_int(calendar_look(calendar, day), want, name);
}

static void test_days(void)
{
    struct calendar calendar = {.days = 0};
    is_look(&calendar, D, CALENDAR_RIGHT, "the first day is right");
    ok(calendar_listed(&calendar, D), "a listing on it is the first of a day");
    ok(!calendar_listed(&calendar, D), "the second one is not");
    is_look(&calendar, D + CALENDAR_LEAP, CALENDAR_RIGHT, "three months later: right");
    is_look(&calendar, D + CALENDAR_LEAP + 1, CALENDAR_AHEAD, "and a day more: worth a word");
    ok(calendar_listed(&calendar, D + 1) && calendar.days == 2, "days are counted");
    calendar = (struct calendar){.days = 0};
    ok(calendar_listed(&calendar, 0) && calendar.days == 1,
       "a first listing by a clock that is not set is one");
    ok(!calendar_listed(&calendar, 0), "and the next one that day is no new day");
}

static void test_once_ahead(void)
{
    struct calendar calendar = {.days = 7, .last_day = D + 3650};
    is_look(&calendar, D, CALENDAR_BEHIND, "a date before the last one is doubted");
    ok(calendar_is_doubted(CALENDAR_BEHIND), "so nothing is decided by it");
    is_look(&calendar, D, CALENDAR_STILL_BEHIND, "and again on that day");
    ok(!calendar_listed(&calendar, D), "a listing then is no new day");
    is_look(&calendar, D + 1, CALENDAR_TAKEN_BACK, "on the next day it is believed");
    ok(calendar.last_day == D + 1 && calendar.behind == 0, "the wrong date is taken back");
    is_look(&calendar, D + 1, CALENDAR_RIGHT, "and that is that");
    ok(calendar_listed(&calendar, D + 2) && calendar.days == 8, "days are counted again");
}

static void test_once_behind(void)
{
    struct calendar calendar = {.days = 7, .last_day = D};
    is_look(&calendar, D - 300, CALENDAR_BEHIND, "a date long past is doubted");
    is_look(&calendar, D, CALENDAR_RIGHT, "the date of the last listing is right");
    is_int((long)calendar.behind, 0, "nothing remains of the other");
    is_look(&calendar, D - 200, CALENDAR_BEHIND, "another one long past is the first again");
    is_look(&calendar, D - 250, CALENDAR_BEHIND, "one before that does not confirm it");
}

static void test_unset(void)
{
    struct calendar calendar = {.days = 7, .last_day = D};
    is_look(&calendar, CALENDAR_SET - 1, CALENDAR_BEHIND, "a date before 2026 is behind");
    is_look(&calendar, CALENDAR_SET - 1, CALENDAR_UNSET, "a date before 2026 is told once");
    is_look(&calendar, CALENDAR_SET, CALENDAR_BEHIND, "a date before 2026 confirms no later one");
    is_look(&calendar, 0, CALENDAR_BEHIND, "1970 is behind");
    struct calendar fresh = {.days = 0};
    is_look(&fresh, 0, CALENDAR_UNSET, "1970 is nothing to tell where no day is known");
    is_int((long)calendar.last_day, D, "nothing is taken back for it");
}

int main(void)
{
    test_days();
    test_once_ahead();
    test_once_behind();
    test_unset();
    return tap_done();
}
