/*
 * calendar: the days on which the mailbox was listed, and whether today's date can be one of them.
 * Pure. All days are counted from 1970-01-01, UTC.
 *
 * A clock may be wrong for once, ahead or behind, or not set yet. A date before the last listing's
 * is believed when two polls on different days have had it; until then nothing is decided by age.
 */
#ifndef FP_STATE_CALENDAR_H
#define FP_STATE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_SET 20454     /* 2026-01-01: a date before there was a fetchpop is none */
#define CALENDAR_SECONDS 86400 /* of a day */
#define CALENDAR_LEAP 90       /* days without a listing that are worth a word */

struct calendar {
    uint32_t days;     /* complete listings so far, at most one a day */
    uint64_t last_day; /* of the last one */
    uint64_t behind;   /* the day before last_day that a poll was told; 0: none */
};

enum calendar_look {
    CALENDAR_RIGHT,
    CALENDAR_AHEAD,        /* right, as far as can be known, but far from the last listing */
    CALENDAR_TAKEN_BACK,   /* right: last_day was wrong, and is today now */
    CALENDAR_UNSET,        /* from here on doubted: a date before 2026 */
    CALENDAR_BEHIND,       /* before last_day, for the first time on that day */
    CALENDAR_STILL_BEHIND, /* and once more */
    CALENDAR_LOOKS
};

/* What is today's date beside what the calendar knows, which is brought up to date. */
enum calendar_look calendar_look(struct calendar *calendar, uint64_t today);

static inline bool calendar_is_doubted(enum calendar_look look)
{
    return look >= CALENDAR_UNSET;
}

/* A complete listing was had today. True: it is the first on a new day. */
bool calendar_listed(struct calendar *calendar, uint64_t today);

#endif
