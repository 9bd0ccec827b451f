/* SPDX-License-Identifier: ISC */
/*
 * habits: what one message shows is none, what two show in each of two sessions is one, for a month. What TOP does counts
 * for a day.
 */
#include "session/habits.h"

#include <stddef.h>

#include "state/note.h"
#include "tap.h"

#define NOW ((int64_t)1795000000)
#define DAY ((int64_t)86400)

static void show(struct habits *habits, unsigned sizes, unsigned headers)
{
    for (unsigned i = 0; i < sizes; i++)
        habits_count_size(habits);
    for (unsigned i = 0; i < headers; i++)
        habits_count_header(habits);
}

static bool has(const struct habits *habits, enum habit habit)
{
    return habits_has(habits, habit);
}

static void test_counting(void)
{
    struct note note = {.habits = 0};
    struct habits habits;
    habits_load(&habits, &note, NOW);
    show(&habits, 1, 1);
    habits_keep(&habits, &note, NOW);
    is_int(note.habits, 0, "one message of another size is nothing, nor one of another header");
    ok(!has(&habits, HABIT_SIZES) && !has(&habits, HABIT_HEADERS), "in that session, too");
    show(&habits, 1, 0);
    ok(has(&habits, HABIT_SIZES) && !has(&habits, HABIT_HEADERS), "two sizes are a habit in it");
    habits_keep(&habits, &note, NOW);
    habits_load(&habits, &note, NOW + DAY);
    ok(!has(&habits, HABIT_SIZES), "and in no other");
    show(&habits, 1, 2);
    ok(!has(&habits, HABIT_SIZES) && has(&habits, HABIT_HEADERS), "headers are one of their own");
    show(&habits, 1, 0);
    habits_keep(&habits, &note, NOW + DAY);
    habits_load(&habits, &note, NOW + 2 * DAY);
    ok(has(&habits, HABIT_SIZES), "shown by two sessions it is one");
    ok(!has(&habits, HABIT_HEADERS), "and the other is not, yet");
    show(&habits, 0, 2);
    habits_keep(&habits, &note, NOW + 2 * DAY);
    habits_load(&habits, &note, NOW + 3 * DAY);
    ok(has(&habits, HABIT_SIZES) && has(&habits, HABIT_HEADERS), "then it is");
    habits_load(&habits, &note, NOW + (2 + HABITS_DAYS) * DAY);
    show(&habits, 2, 0);
    habits_keep(&habits, &note, NOW + (2 + HABITS_DAYS) * DAY);
    habits_load(&habits, &note, NOW + (3 + HABITS_DAYS) * DAY);
    ok(!has(&habits, HABIT_SIZES), "what was shown before is forgotten, too");
    habits_prove_header(&habits);
    habits_keep(&habits, &note, NOW + (3 + HABITS_DAYS) * DAY);
    habits_load(&habits, &note, NOW + (4 + HABITS_DAYS) * DAY);
    ok(has(&habits, HABIT_HEADERS), "what one message shows twice in a session is one at once");
    show(&habits, 2, 2);
    habits_keep(&habits, NULL, NOW);
}

static unsigned known(const struct habits *habits)
{
    return habits->known % HABIT_ONCE;
}

/* One that two sessions have shown. */
static void keep(struct habits *habits, struct note *note, int64_t now)
{
    unsigned shown = habits->known;
    habits_keep(habits, note, now);
    habits_load(habits, note, now);
    habits->known |= shown;
    habits_keep(habits, note, now);
}

static void test_keeping(void)
{
    struct note note = {.habits = 0};
    struct habits habits = {.known = HABIT_SIZES};
    keep(&habits, &note, NOW);
    is_int(note.habits, HABIT_SIZES + HABIT_SIZES * HABIT_ONCE, "a habit is kept");
    habits_load(&habits, &note, NOW + 29 * DAY);
    ok(habits_has(&habits, HABIT_SIZES), "for a month");
    habits_keep(&habits, &note, NOW + 29 * DAY);
    is_int(note.habits_when, NOW, "counted from the day that it was found out");
    habits_load(&habits, &note, NOW + HABITS_DAYS * DAY);
    ok(!habits_has(&habits, HABIT_SIZES), "then it is looked at again");
    habits.known = HABIT_SIZES;
    keep(&habits, &note, NOW + 31 * DAY);
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
    keep(&habits, &note, NOW);
    habits_load(&habits, &note, NOW + DAY - 1);
    is_int(known(&habits), HABIT_HEADERS | HABIT_TOP, "that a connection ended over TOP is kept");
    habits_load(&habits, &note, NOW + DAY);
    is_int(known(&habits), HABIT_HEADERS, "for a day, and not as long as other habits");
    habits.known |= HABIT_TOP;
    habits_keep(&habits, &note, NOW + DAY);
    is_int(note.habits_when, NOW, "if it happens again, the others become no younger");
    habits_load(&habits, &note, NOW + 2 * DAY - 1);
    is_int(known(&habits), HABIT_HEADERS | HABIT_TOP, "and it is kept for another day");
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
