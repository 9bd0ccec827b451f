/* SPDX-License-Identifier: ISC */
#include "session/again.h"

#include "state/later.h"

#define EARLY 120 /* cron has its own clock */

int64_t again_next_try(unsigned tries, unsigned max_tries, int64_t now)
{
    unsigned held = tries < max_tries ? 1 : tries - max_tries + 1;
    return now + later_seconds(&later_held, held) - EARLY;
}

bool again_is_due(uint64_t next_try, int64_t now)
{
    return next_try <= (uint64_t)now || next_try > (uint64_t)(now + later_held.last);
}
