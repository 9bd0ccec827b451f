/* SPDX-License-Identifier: ISC */
#include "session/habits.h"

#include "base/clock.h"

static bool is_within(int64_t when, int days, int64_t now)
{
    return when <= now && now - when < (int64_t)days * CLOCK_DAY;
}

void habits_load(struct habits *habits, const struct note *note, int64_t now)
{
    *habits = (struct habits){.known = 0};
    if (note == NULL)
        return;
    if (is_within(note->habits_when, HABITS_DAYS, now))
        habits->known = note->habits & ~(unsigned)HABIT_TOP;
    if (is_within(note->no_top, HABITS_TOP_DAYS, now))
        habits->known |= HABIT_TOP;
    habits->noted = habits->known;
}

void habits_keep(const struct habits *habits, struct note *note, int64_t now)
{
    unsigned fresh = habits->known & ~habits->noted;
    if (note == NULL || fresh == 0)
        return;
    if ((fresh & HABIT_TOP) != 0)
        note->no_top = now;
    if (fresh == HABIT_TOP)
        return;
    note->habits = habits->known & ~(unsigned)HABIT_TOP;
    note->habits_when = now;
}

bool habits_has(const struct habits *habits, enum habit habit)
{
    return (habits->known & habit) != 0;
}

void habits_count_size(struct habits *habits)
{
    if (++habits->sizes >= HABITS_ENOUGH)
        habits->known |= HABIT_SIZES;
}

void habits_count_header(struct habits *habits)
{
    if (++habits->headers >= HABITS_ENOUGH)
        habits->known |= HABIT_HEADERS;
}
