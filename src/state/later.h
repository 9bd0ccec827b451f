/*
 * later: how long what failed is left alone. The distance doubles with each failure, from the first
 * to the last one.
 */
#ifndef FP_STATE_LATER_H
#define FP_STATE_LATER_H

#include <stdint.h>

struct later {
    int64_t first, last; /* seconds */
};

extern const struct later later_held;   /* a message that was given up: an hour to a week */
extern const struct later later_secret; /* a secret that the server calls wrong: an hour to a day */
extern const struct later later_pause;  /* a server that cannot be reached: a minute to an hour */

/* Seconds until it is tried again after so many failures in a row; none: 0. */
int64_t later_seconds(const struct later *later, uint32_t failures);

/* A fifth more or less, so that many do not come at the same moment. Chance: any number. */
int64_t later_spread(int64_t seconds, uint32_t chance);

#endif
