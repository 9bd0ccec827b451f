/* SPDX-License-Identifier: ISC */
/*
 * clock: deadlines count on the monotonic clock, dates on the wall clock.
 */
#ifndef FP_BASE_CLOCK_H
#define FP_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX
#define CLOCK_DAY 86400 /* seconds */

int64_t clock_ms(void);               /* milliseconds on the monotonic clock */
int64_t clock_us(void);               /* microseconds on the same */
int64_t clock_in(int64_t ms);         /* the moment this many milliseconds from now */
int64_t clock_left(int64_t deadline); /* milliseconds until then, 0 if past */
int64_t clock_wall(void);             /* seconds since 1970, UTC */

/* Milliseconds for which the monotonic clock has stood still since boot, because the machine slept
 * (CLOCK_BOOTTIME); 0 where the system cannot tell, or its monotonic clock goes on. */
int64_t clock_slept(void);

#endif
