/* SPDX-License-Identifier: ISC */
/*
 * later: distances that grow up to a bound.
 */
#include "state/later.h"

#include <stdint.h>

#include "tap.h"

#define HOUR 3600
#define DAY (24 * HOUR)

static void test_distances(void)
{
    ok(later_seconds(&later_held, 0) == 0, "what did not fail is not left alone");
    ok(later_seconds(&later_held, 1) == HOUR, "a held message: an hour at first");
    ok(later_seconds(&later_held, 2) == 2 * HOUR, "then twice as long");
    ok(later_seconds(&later_held, 8) == 128 * HOUR, "the wait doubles once more");
    ok(later_seconds(&later_held, 9) == 7 * DAY, "a week at most");
    ok(later_seconds(&later_held, UINT32_MAX) == 7 * DAY, "however often it failed");
    ok(later_seconds(&later_secret, 1) == HOUR, "a refused secret: an hour");
    ok(later_seconds(&later_secret, 5) == 16 * HOUR, "the wait doubles each time");
    ok(later_seconds(&later_secret, 6) == DAY, "a day at most");
    ok(later_seconds(&later_pause, 1) == 60, "a server: a minute");
    ok(later_seconds(&later_pause, 7) == HOUR, "an hour at most");
}

static void test_spread(void)
{
    ok(later_spread(1000, 0) == 800, "a fifth less");
    ok(later_spread(1000, 200) == 1000, "or as it is");
    ok(later_spread(1000, 400) == 1200, "or a fifth more");
    ok(later_spread(1000, 401) == 800, "and not beyond");
    ok(later_spread(0, 7) == 0, "nothing stays nothing");
    ok(later_spread(604800, UINT32_MAX) <= 604800 + 604800 / 5, "any chance will do");
}

int main(void)
{
    test_distances();
    test_spread();
    return tap_done();
}
