/* SPDX-License-Identifier: ISC */
#include "base/stop.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"

#define COUNT_MAX 100

static volatile sig_atomic_t asked;
static volatile sig_atomic_t hup, usr1;

/* Written once, before `asked` leaves 0, and read only after that: never half written. */
static volatile int64_t first;

/* clock_gettime(2) is on the list of async-signal-safe functions. */
static void note(int number)
{
    (void)number;
    if (asked == 0)
        first = clock_ms();
    if (asked < COUNT_MAX)
        asked = asked + 1;
}

/* Both signals get this handler. Each holds the other off, so that it never interrupts itself. */
static void handle(int one, int other, void (*handler)(int number))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, one);
    sigaddset(&action.sa_mask, other);
    sigaction(one, &action, NULL);
    sigaction(other, &action, NULL);
}

void stop_install(void)
{
    handle(SIGINT, SIGTERM, note);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

static void note_other(int number)
{
    if (number == SIGHUP)
        hup = 1;
    else
        usr1 = 1;
}

bool stop_listen(void)
{
    struct sigaction before;
    bool ignored = sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    handle(SIGHUP, SIGUSR1, note_other);
    return ignored;
}

/* A signal between these two lines is answered, too: what it asks for is done after this. */
static bool take(volatile sig_atomic_t *noted)
{
    bool was = *noted != 0;
    *noted = 0;
    return was;
}

bool stop_take_hup(void)
{
    return take(&hup);
}

bool stop_take_usr1(void)
{
    return take(&usr1);
}

bool stop_asked(void)
{
    return asked > 0;
}

int stop_count(void)
{
    return (int)asked;
}

bool stop_has_news(int count)
{
    return asked > count || hup != 0 || usr1 != 0;
}

int64_t stop_cap(int64_t deadline, int64_t grace_ms)
{
    if (asked == 0)
        return deadline;
    int64_t end = first + grace_ms;
    return end < deadline ? end : deadline;
}

int stop_wait(struct pollfd *fds, nfds_t count, int64_t deadline, int64_t grace_ms)
{
    for (;;) {
        int64_t end = stop_cap(deadline, grace_ms);
        int64_t left = clock_left(end);
        int ready = poll(fds, count, left < STOP_SLICE_MS ? (int)left : STOP_SLICE_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready;
        if (left == 0 && end == deadline)
            return 0;
        if (left == 0) {
            errno = EINTR;
            return -1;
        }
    }
}

void stop_hold(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGUSR1);
    sigprocmask(SIG_BLOCK, &held, before);
}

void stop_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

#ifdef HAVE_PPOLL
int stop_ppoll(struct pollfd *fds, nfds_t count, int ms, const sigset_t *before)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    return ppoll(fds, count, ms < 0 ? NULL : &time, before);
}
#else
/* Without ppoll a signal may still fall between; so in slices. */
int stop_ppoll(struct pollfd *fds, nfds_t count, int ms, const sigset_t *before)
{
    sigset_t held;
    sigprocmask(SIG_SETMASK, before, &held);
    int slice = ms < 0 || ms > STOP_SLICE_MS ? STOP_SLICE_MS : ms;
    int ready = poll(fds, count, slice);
    sigprocmask(SIG_SETMASK, &held, NULL);
    return ready;
}
#endif
