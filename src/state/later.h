/* SPDX-License-Identifier: ISC */
/*
 * later: how long to wait before something that failed is tried again. The wait doubles with each
 * failure, from `first` up to `last`.
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

/* Seconds to wait after this many failures in a row; 0 after none. */
int64_t later_seconds(const struct later *later, uint32_t failures);

/* Up to a fifth more or less, so that not everything is tried at the same moment. chance: a random
 * number. */
int64_t later_spread(int64_t seconds, uint32_t chance);

#endif
