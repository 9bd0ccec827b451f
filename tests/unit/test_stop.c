/* SPDX-License-Identifier: ISC */
/* The signals that are asked about: none is lost, wherever it falls. */
#include "base/stop.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

#define LONG_MS 20000 /* what a lost one would cost */

/* Between the question and the wait, which is where a signal would be lost. */
static void test_between(int number, const char *name)
{
    sigset_t before;
    stop_hold(&before);
    bool early = stop_asked() || stop_take_hup() || stop_take_usr1();
    kill(getpid(), number);
    early = early || stop_asked() || stop_take_hup() || stop_take_usr1();
    ok(!early, "%s: held back", name);
    int64_t begun = clock_ms();
    int ready = stop_ppoll(NULL, 0, LONG_MS, &before);
    ok(ready <= 0 && clock_ms() - begun < LONG_MS / 2, "%s: the wait is over at once", name);
    bool hup = stop_take_hup();
    bool usr1 = stop_take_usr1();
    ok(hup == (number == SIGHUP) && usr1 == (number == SIGUSR1) &&
           stop_asked() == (number == SIGTERM),
       "%s: noted, and nothing else", name);
    ok(!stop_take_hup() && !stop_take_usr1(), "%s: told once", name);
    stop_release(&before);
}

static void test_descriptor(void)
{
    int ends[2];
    sigset_t before;
    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1) {
        ok(false, "a pipe is made");
        return;
    }
    stop_hold(&before);
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    is_int(stop_ppoll(&wait, 1, LONG_MS, &before), 1, "bytes end the wait");
    is_int(stop_ppoll(NULL, 0, 1, &before), 0, "time ends the wait");
    kill(getpid(), SIGUSR1);
    stop_release(&before);
    ok(stop_take_usr1(), "what was held back comes in with the release");
    close(ends[0]);
    close(ends[1]);
}

static void test_wait(void)
{
    int ends[2];
    if (pipe(ends) < 0) {
        ok(false, "a pipe can be made");
        return;
    }
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    int64_t begun = clock_ms();
    is_int(stop_wait(&wait, 1, clock_in(2 * STOP_SLICE_MS), 0), 0, "a wait ends at its deadline");
    ok(clock_ms() - begun >= 2 * STOP_SLICE_MS, "and not before, though it is longer than a slice");
    is_int(stop_wait(&wait, 1, clock_ms() - 1, 0), 0, "a deadline that has passed is one");
    ok(write(ends[1], "x", 1) == 1 && stop_wait(&wait, 1, CLOCK_NEVER, 0) == 1,
       "bytes end the wait before the deadline");
    close(ends[0]);
    close(ends[1]);
}

/* The last: after it stop was asked for good. */
static void test_stopped_wait(void)
{
    int64_t begun = clock_ms();
    is_int(stop_wait(NULL, 0, CLOCK_NEVER, 0), -1, "after TERM a wait without grace is over");
    is_int(errno, EINTR, "and says so by EINTR");
    is_int(stop_wait(NULL, 0, CLOCK_NEVER, 2 * STOP_SLICE_MS + 100), -1,
           "one with grace ends with it");
    ok(clock_ms() - begun < LONG_MS / 2, "and not much later");
    is_int(stop_wait(NULL, 0, clock_in(1), LONG_MS), 0,
           "within the grace a deadline is a deadline");
}

/* What a wait has to be left out for, because the signal has come before it. */
static void test_news(void)
{
    ok(!stop_has_news(0), "no signal is no news");
    kill(getpid(), SIGUSR1);
    ok(stop_has_news(0), "USR1 is news");
    stop_take_usr1();
    ok(!stop_has_news(0), "until it is taken");
    kill(getpid(), SIGHUP);
    ok(stop_has_news(0), "HUP is news");
    stop_take_hup();
    ok(!stop_has_news(0), "until it is taken");
}

int main(void)
{
    stop_install();
    signal(SIGHUP, SIG_DFL);
    ok(!stop_listen(), "HUP was not ignored");
    signal(SIGHUP, SIG_IGN);
    ok(stop_listen(), "HUP was ignored");
    test_descriptor();
    test_wait();
    test_news();
    test_between(SIGHUP, "HUP");
    test_between(SIGUSR1, "USR1");
    test_between(SIGTERM, "TERM");
    is_int(stop_count(), 1, "one TERM was counted");
    test_stopped_wait();
    return tap_done();
}
