/* SPDX-License-Identifier: ISC */
#include "app/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* A path, or with an @ for the NUL a name in the abstract space of Linux. */
static bool take_address(struct notify *notify, const char *name)
{
    size_t len = strlen(name);
    bool known = name[0] == '/' || name[0] == '@';
    if (!known || name[1] == '\0' || len >= sizeof notify->to.sun_path)
        return false;
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, name, len + 1);
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    if (name[0] == '@')
        notify->to.sun_path[0] = '\0';
    return true;
}

/* Microseconds in $WATCHDOG_USEC, unless $WATCHDOG_PID names another process; at half of that, as
 * the manual of sd_watchdog_enabled(3) has it. */
static void take_pulse(struct notify *notify, const char *usec, const char *pid)
{
    uint64_t number;
    if (pid != NULL &&
        (str_number(str_from(pid), INT64_MAX, &number) < 0 || number != (uint64_t)getpid()))
        return;
    if (usec != NULL && str_number(str_from(usec), INT64_MAX, &number) == 0 && number >= 2000) {
        notify->pulse = (int64_t)(number / 2000);
        notify->next = clock_ms();
    }
}

static void open_socket(struct notify *notify)
{
    notify->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (notify->fd >= 0) {
        struct timeval second = {1, 0};
        fcntl(notify->fd, F_SETFD, FD_CLOEXEC);
        setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    }
}

void notify_open(struct notify *notify)
{
    *notify = (struct notify){.fd = -1, .next = CLOCK_NEVER};
    const char *name = getenv("NOTIFY_SOCKET");
    if (name != NULL && take_address(notify, name))
        open_socket(notify);
    if (notify->fd >= 0)
        take_pulse(notify, getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0) {
        close(notify->fd);
        notify->fd = -1;
    }
}

static void tell(const struct notify *notify, const char *text)
{
    while (notify->fd >= 0 &&
           sendto(notify->fd, text, strlen(text), 0, (const struct sockaddr *)&notify->to,
                  notify->to_len) < 0 &&
           errno == EINTR) {
    }
}

void notify_ready(struct notify *notify)
{
    tell(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
    char text[80];
    /* To the microsecond: systemd takes a moment before that of its own signal for an older one. */
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
    tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
    tell(notify, "STOPPING=1");
}

void notify_status(struct notify *notify, const char *text)
{
    if (notify->fd >= 0 && strcmp(notify->status, text) != 0) {
        char line[NOTIFY_TEXT + 10];
        snprintf(notify->status, sizeof notify->status, "%s", text);
        snprintf(line, sizeof line, "STATUS=%s", notify->status);
        tell(notify, line);
    }
}

void notify_alive(struct notify *notify, int64_t now)
{
    if (notify->next <= now) {
        tell(notify, "WATCHDOG=1");
        notify->next = now + notify->pulse;
    }
}
