/* SPDX-License-Identifier: ISC */
#include "state/later.h"

#include "base/clock.h"

#define HOUR ((int64_t)3600)

const struct later later_held = {HOUR, 7 * CLOCK_DAY};
const struct later later_secret = {HOUR, CLOCK_DAY};
const struct later later_pause = {60, HOUR};

int64_t later_seconds(const struct later *later, uint32_t failures)
{
    if (failures == 0)
        return 0;
    int64_t seconds = later->first;
    for (uint32_t i = 1; i < failures && seconds < later->last; i++)
        seconds *= 2;
    return seconds < later->last ? seconds : later->last;
}

int64_t later_spread(int64_t seconds, uint32_t chance)
{
    int64_t fifth = seconds / 5;
    return seconds - fifth + (int64_t)chance % (2 * fifth + 1);
}
