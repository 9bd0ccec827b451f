/*
 * stop: INT and TERM, as one word that everybody may ask about.
 *
 * The handler counts in one sig_atomic_t and, the first time, notes the moment; nothing else.
 * Whoever waits, waits in slices of at most STOP_SLICE_MS, so that a signal between the question
 * and the wait costs a moment, no more. A forked process inherits the count.
 */
#ifndef FP_BASE_STOP_H
#define FP_BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#define STOP_SLICE_MS 250
#define STOP_GRACE_MS 5000 /* how long answers under way may take to drain */

/* INT and TERM are noted (also where they were ignored at birth), PIPE is ignored, CHLD is as usual
 * (one that was ignored at birth would take our children's ends from us); no SA_RESTART. */
void stop_install(void);
bool stop_asked(void);
int stop_count(void); /* how many times */

/* The earlier of deadline and, once stop was asked, the moment of the first signal + grace_ms. */
int64_t stop_cap(int64_t deadline, int64_t grace_ms);

#endif
