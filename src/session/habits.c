/* SPDX-License-Identifier: ISC */
#include "session/habits.h"

#define SECONDS_A_DAY 86400

void habits_load(struct habits *habits, const struct note *note, int64_t now)
{
    *habits = (struct habits){.known = 0};
    if (note != NULL && note->habits_when <= now &&
        now - note->habits_when < (int64_t)HABITS_DAYS * SECONDS_A_DAY)
        habits->known = note->habits;
}

void habits_keep(const struct habits *habits, struct note *note, int64_t now)
{
    if (note == NULL || (habits->known & ~note->habits) == 0)
        return;
    note->habits = habits->known;
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
