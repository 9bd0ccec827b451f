/* SPDX-License-Identifier: ISC */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

int64_t clock_in(int64_t ms)
{
    int64_t now = clock_ms();
    return ms > CLOCK_NEVER - now ? CLOCK_NEVER : now + ms;
}

int64_t clock_left(int64_t deadline)
{
    int64_t now = clock_ms();
    return deadline > now ? deadline - now : 0;
}

int64_t clock_wall(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_slept(void)
{
#ifdef CLOCK_BOOTTIME
    int64_t awake = read_us(CLOCK_MONOTONIC);
    return (read_us(CLOCK_BOOTTIME) - awake) / 1000;
#else
    return 0;
#endif
}
