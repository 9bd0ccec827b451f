/* SPDX-License-Identifier: ISC */
#include "session/habits.h"

#include <stddef.h>

#include "base/clock.h"

/* Those of which the note has a day of their own. */
static const struct {
    enum habit habit;
    size_t at; /* in struct note: an int64_t */
} ends[] = {
    {HABIT_TOP, offsetof(struct note, no_top)},
    {HABIT_UIDL_N, offsetof(struct note, no_uidl_n)},
    {HABIT_LIST_N, offsetof(struct note, no_list_n)},
};

#define ENDS (sizeof ends / sizeof ends[0])
#define OF_TWO ((unsigned)(HABIT_SIZES | HABIT_HEADERS))
#define OF_ENDS ((unsigned)(HABIT_TOP | HABIT_UIDL_N | HABIT_LIST_N))

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
        habits->known = note->habits & ~OF_ENDS;
    for (size_t i = 0; i < ENDS; i++)
        if (is_within(*(const int64_t *)(const void *)((const char *)note + ends[i].at),
                      HABITS_END_DAYS, now))
            habits->known |= ends[i].habit;
    habits->noted = habits->known;
    habits->exact = note->exact < HABITS_EXACT ? (unsigned)note->exact : HABITS_EXACT;
}

void habits_keep(const struct habits *habits, struct note *note, int64_t now)
{
    unsigned fresh = habits->known & ~habits->noted;
    if (note == NULL)
        return;
    note->exact = habits->exact;
    if (fresh == 0)
        return;
    for (size_t i = 0; i < ENDS; i++)
        if ((fresh & ends[i].habit) != 0)
            *(int64_t *)(void *)((char *)note + ends[i].at) = now;
    if ((fresh & ~OF_ENDS) == 0)
        return;
    unsigned first = fresh & OF_TWO & ~(habits->known / HABIT_ONCE);
    note->habits = (habits->known & ~OF_ENDS & ~first) | first * HABIT_ONCE;
    note->habits_when = now;
}

bool habits_has(const struct habits *habits, enum habit habit)
{
    return (habits->known & habit) != 0;
}

void habits_count_length(struct habits *habits, bool exact)
{
    if (!exact)
        habits->exact = 0;
    else if (habits->exact < HABITS_EXACT)
        habits->exact++;
}

bool habits_are_exact(const struct habits *habits)
{
    return habits->exact == HABITS_EXACT;
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

void habits_prove_header(struct habits *habits)
{
    habits->known |= HABIT_HEADERS | HABIT_HEADERS * HABIT_ONCE;
}
