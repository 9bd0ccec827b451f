/* SPDX-License-Identifier: ISC */
#include "state/calendar.h"

static enum calendar_look look_back(struct calendar *calendar, uint64_t today)
{
    if (calendar->behind < CALENDAR_SET || calendar->behind > today) {
        calendar->behind = today;
        return CALENDAR_BEHIND;
    }
    if (calendar->behind == today)
        return CALENDAR_STILL_BEHIND;
    calendar->behind = 0;
    calendar->last_day = today;
    return CALENDAR_TAKEN_BACK;
}

enum calendar_look calendar_look(struct calendar *calendar, uint64_t today)
{
    if (today < CALENDAR_SET && (calendar->last_day == 0 || calendar->behind == today))
        return CALENDAR_UNSET;
    if (today < CALENDAR_SET) {
        calendar->behind = today;
        return CALENDAR_BEHIND;
    }
    if (today < calendar->last_day)
        return look_back(calendar, today);
    calendar->behind = 0;
    bool far = calendar->last_day != 0 && today - calendar->last_day > CALENDAR_LEAP;
    return far ? CALENDAR_AHEAD : CALENDAR_RIGHT;
}

bool calendar_listed(struct calendar *calendar, uint64_t today)
{
    if (calendar->days > 0 && today <= calendar->last_day)
        return false;
    calendar->last_day = today;
    calendar->days++;
    return true;
}
