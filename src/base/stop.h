/*
 * stop: INT and TERM, as one word that everybody may ask about; for a daemon HUP and USR1, too.
 *
 * The handler counts in one sig_atomic_t and, the first time, notes the moment; nothing else.
 * Whoever waits, waits in slices of at most STOP_SLICE_MS, so that a signal between the question
 * and the wait costs a moment, no more; or holds signals back and waits with stop_wait. A forked
 * process inherits the count.
 */
#ifndef FP_BASE_STOP_H
#define FP_BASE_STOP_H

#include <poll.h>
#include <signal.h>
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

/* HUP and USR1 are noted from here on, instead of ending the process. */
void stop_listen(void);

/* Was there one since the last question? */
bool stop_take_hup(void);
bool stop_take_usr1(void);

/* For who waits long: these four are held back from stop_hold to stop_release, and come in only
 * during stop_wait, so that none falls between a question and the wait. *before is for the other
 * two, and for the children: a forked process releases first of all. */
void stop_hold(sigset_t *before);

/* Lets them come in again. */
void stop_release(const sigset_t *before);

/* poll(2); `ms` below 0: for ever. Returns early, with -1 and EINTR, when a signal comes in. */
int stop_wait(struct pollfd *fds, nfds_t fd_count, int ms, const sigset_t *before);

#endif
