/* SPDX-License-Identifier: ISC */
/*
 * calendar: the days on which the mailbox was listed, and whether today's date can be one of them.
 * Pure. All days are counted from 1970-01-01, UTC.
 *
 * A clock may be wrong for once, ahead or behind, or not set yet. A date before the last listing is
 * believed once polls on two different days have seen such a date; until then nothing is decided by
 * age.
 */
#ifndef FP_STATE_CALENDAR_H
#define FP_STATE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_SET 20454 /* 2026-01-01: before that there was no fetchpop */
#define CALENDAR_LEAP 90   /* a gap of more days than this is reported */

struct calendar {
    uint32_t days;     /* complete listings so far, at most one a day */
    uint64_t last_day; /* of the last one */
    uint64_t behind;   /* the first day before last_day that a poll saw; 0: none */
};

enum calendar_look {
    CALENDAR_RIGHT,
    CALENDAR_AHEAD,       /* right as far as we can tell, but long after the last listing */
    CALENDAR_TAKEN_BACK,  /* right: last_day was wrong, and is set to today */
    CALENDAR_UNSET,       /* from here on doubted: a date before 2026 */
    CALENDAR_BEHIND,      /* before last_day, for the first time */
    CALENDAR_STILL_BEHIND /* and once more on that day */
};

/* Compares today's date with what the calendar knows, and brings the calendar up to date. */
enum calendar_look calendar_look(struct calendar *calendar, uint64_t today);

static inline bool calendar_is_doubted(enum calendar_look look)
{
    return look >= CALENDAR_UNSET;
}

/* The mailbox was listed completely today. True if that is the first time on a new day. */
bool calendar_listed(struct calendar *calendar, uint64_t today);

#endif
