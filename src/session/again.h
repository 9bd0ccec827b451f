/*
 * again: when a message that is held is tried again.
 */
#ifndef FP_SESSION_AGAIN_H
#define FP_SESSION_AGAIN_H

#include <stdint.h>

#define AGAIN_HINT "it is held after too many tries; --retry UIDL tries again at once"

/* The next try (wall clock, seconds) after so many, max_tries of which made it held: at the
 * distances of later_held. */
int64_t again_next_try(unsigned tries, unsigned max_tries, int64_t now);

#endif
