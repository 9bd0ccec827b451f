/* SPDX-License-Identifier: ISC */
/*
 * habits: what one message shows is none, what two show is one, for a month. What TOP does counts
 * for a day.
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
    habits.known = HABIT_SIZES;
    habits_keep(&habits, &note, NOW + 31 * DAY);
    habits_load(&habits, &note, NOW + 60 * DAY);
    ok(habits_has(&habits, HABIT_SIZES), "and kept for another month, if it is found again");
    habits_load(&habits, &note, NOW);
    ok(!habits_has(&habits, HABIT_SIZES), "a note from the future is not believed");
}

static void test_top(void)
{
    struct note note = {.habits = 0};
    struct habits habits;
    habits_load(&habits, &note, NOW);
    habits.known = HABIT_HEADERS | HABIT_TOP;
    habits_keep(&habits, &note, NOW);
    habits_load(&habits, &note, NOW + DAY - 1);
    is_int(habits.known, HABIT_HEADERS | HABIT_TOP, "that a connection ended over TOP is kept");
    habits_load(&habits, &note, NOW + DAY);
    is_int(habits.known, HABIT_HEADERS, "for a day, and not as long as other habits");
    habits.known |= HABIT_TOP;
    habits_keep(&habits, &note, NOW + DAY);
    is_int(note.habits_when, NOW, "if it happens again, the others become no younger");
    habits_load(&habits, &note, NOW + 2 * DAY - 1);
    is_int(habits.known, HABIT_HEADERS | HABIT_TOP, "and it is kept for another day");
    note = (struct note){.habits = HABIT_TOP, .habits_when = NOW};
    habits_load(&habits, &note, NOW);
    is_int(habits.known, 0, "what an older version has noted for a month is not believed");
}

/* Each of the commands that can be done without has a day of its own. */
static void test_questions(void)
{
    struct note note = {.habits = 0};
    struct habits habits = {.known = HABIT_UIDL_N};
    habits_keep(&habits, &note, NOW);
    habits_load(&habits, &note, NOW + DAY / 2);
    is_int(habits.known, HABIT_UIDL_N, "that one ended over UIDL n is kept");
    habits.known |= HABIT_LIST_N;
    habits_keep(&habits, &note, NOW + DAY / 2);
    habits_load(&habits, &note, NOW + DAY);
    is_int(habits.known, HABIT_LIST_N, "for a day, and LIST n for one of its own");
    is_int(note.habits, 0, "and neither for a month");
}

int main(void)
{
    test_counting();
    test_keeping();
    test_top();
    test_questions();
    return tap_done();
}
