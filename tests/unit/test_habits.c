/* SPDX-License-Identifier: ISC */
/*
 * habits: what one message shows is none, what two show is one, for a month.
 */
#include "session/habits.h"

#include <stddef.h>

#include "state/note.h"
#include "tap.h"

#define NOW ((int64_t)1795000000)
#define DAY ((int64_t)86400)

static void test_counting(void)
{
    struct habits habits;
    habits_load(&habits, NULL, NOW);
    habits_count_size(&habits);
    ok(!habits_has(&habits, HABIT_SIZES), "one message of another size is no habit");
    habits_count_header(&habits);
    ok(!habits_has(&habits, HABIT_SIZES) && !habits_has(&habits, HABIT_HEADERS),
       "nor is one of another header beside it");
    habits_count_size(&habits);
    ok(habits_has(&habits, HABIT_SIZES) && !habits_has(&habits, HABIT_HEADERS), "two sizes are");
    habits_count_header(&habits);
    ok(habits_has(&habits, HABIT_HEADERS), "and two headers");
    habits_keep(&habits, NULL, NOW);
}

static void test_keeping(void)
{
    struct note note = {.habits = 0};
    struct habits habits = {.known = HABIT_SIZES};
    habits_keep(&habits, &note, NOW);
    is_int(note.habits, HABIT_SIZES, "a habit is kept");
    habits_load(&habits, &note, NOW + 29 * DAY);
    ok(habits_has(&habits, HABIT_SIZES), "for a month");
    habits_keep(&habits, &note, NOW + 29 * DAY);
    is_int(note.habits_when, NOW, "counted from the day that it was found out");
    habits_load(&habits, &note, NOW + HABITS_DAYS * DAY);
    ok(!habits_has(&habits, HABIT_SIZES), "then it is looked at again");
    habits_load(&habits, &note, NOW - DAY);
    ok(!habits_has(&habits, HABIT_SIZES), "a note from the future is not believed");
}

int main(void)
{
    test_counting();
    test_keeping();
    return tap_done();
}
