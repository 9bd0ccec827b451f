/* SPDX-License-Identifier: ISC */
/*
 * again: when a message that is held is tried again.
 */
#ifndef FP_SESSION_AGAIN_H
#define FP_SESSION_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

#define AGAIN_HINT "it is held; --retry UIDL tries it again at once"

/* When to try again (wall clock, seconds) after this many tries; the first max_tries of them led to
 * its being held, and from then on later_held says how long to wait. */
int64_t again_next_try(unsigned tries, unsigned max_tries, int64_t now);

/* Has its time come? A time further away than any that again_next_try gives was noted by a clock
 * that was wrong. */
bool again_is_due(uint64_t next_try, int64_t now);

#endif
