/* SPDX-License-Identifier: ISC */
/*
 * stop: INT and TERM, which ask us to stop, for everybody who waits; for a daemon HUP and USR1,
 * too.
 *
 * The handler counts in one sig_atomic_t and, the first time, notes the moment; nothing else.
 * Whoever waits, waits with stop_wait, in slices of at most STOP_SLICE_MS, so that a signal between
 * the question and the wait costs a moment, no more; or holds signals back and waits with
 * stop_ppoll. A forked process inherits the count.
 */
#ifndef FP_BASE_STOP_H
#define FP_BASE_STOP_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define STOP_SLICE_MS 250
#define STOP_GRACE_MS 5000 /* how long answers under way may take to drain */

/* From here on INT and TERM are noted (also where they were ignored when we were started), PIPE and
 * XFSZ (a file that may not grow) are ignored, and CHLD has its default (ignored, it would take our
 * children's exit statuses from us); no SA_RESTART. */
void stop_install(void);

/* Has INT or TERM come, and how many times? */
bool stop_asked(void);
int stop_count(void);

/* The earlier of deadline and, once INT or TERM came, the moment of the first one + grace_ms.
 * Moments are those of clock_ms(). */
int64_t stop_cap(int64_t deadline, int64_t grace_ms);

/* poll(2) until the deadline or, once INT or TERM came, until grace_ms after the first. How many of
 * fds are ready; 0 at the deadline; -1 with EINTR once that grace is over, or as poll otherwise. */
int stop_wait(struct pollfd *fds, nfds_t count, int64_t deadline, int64_t grace_ms);

/* HUP and USR1 are noted from here on, instead of ending the process. True: HUP was ignored
 * until now, as nohup(1) has it. */
bool stop_listen(void);

/* Has one come since this was asked last? */
bool stop_take_hup(void);
bool stop_take_usr1(void);

/* For a process that waits long: these four signals are held back from stop_hold to stop_release,
 * and come in only during stop_ppoll, so that none falls between a question and the wait: hold, ask
 * (stop_has_news), wait, release. *before is for the other two. */
void stop_hold(sigset_t *before);

/* Are there more than `count` stops, or a HUP or a USR1 that nobody has taken? */
bool stop_has_news(int count);

/* Unblocks them again. */
void stop_release(const sigset_t *before);

/* poll(2); `ms` below 0: for ever. Returns early, with -1 and EINTR, when a signal comes in. */
int stop_ppoll(struct pollfd *fds, nfds_t count, int ms, const sigset_t *before);

#endif
