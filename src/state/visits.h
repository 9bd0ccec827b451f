/* SPDX-License-Identifier: ISC */
/*
 * visits: the places that a mailbox was delivered to, and when each was there for the last time.
 */
#ifndef FP_STATE_VISITS_H
#define FP_STATE_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define VISITS_MAX 64 /* places that are remembered; the oldest goes */

/* Starts zeroed. */
struct visits {
    struct visit {
        char *place;
        uint64_t day; /* since 1970; 0: it was not there yet */
    } at[VISITS_MAX];
    size_t count;
};

/* Frees what they own; there are none then. */
void visits_free(struct visits *visits);

/* It was there on that day; the place is the newest from now on. */
void visits_add(struct visits *visits, struct str place, uint64_t day);

/* True if the place is known. */
bool visits_has(const struct visits *visits, struct str place);

/* 0: it was never there. */
uint64_t visits_day(const struct visits *visits, struct str place);

#endif
