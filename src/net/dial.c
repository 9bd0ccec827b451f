#include "net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

#define MAX_ADDRESSES 32 /* of one name; the rest is not tried */
#define HEAD_START_MS 250

/* The attempts under way are polls[0..open); the addresses still to be tried order[next..count). */
struct race {
    const struct dial_options *options;
    const struct addrinfo *order[MAX_ADDRESSES];
    size_t next, count, open;
    struct pollfd polls[MAX_ADDRESSES];
    int64_t next_at; /* when the next attempt may begin */
    int trouble;     /* errno of the most telling failure */
};

static int explain_name(const struct dial_options *options, int code, struct err *err)
{
    int number = errno;

    switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return err_set(err, ERR_HOST, "%s: no such host%s; check the name in the run file",
                       options->host,
                       options->family == AF_INET    ? " (no IPv4 address)"
                       : options->family == AF_INET6 ? " (no IPv6 address)"
                                                     : "");
    case EAI_MEMORY:
        return err_set(err, ERR_SYSTEM, "%s: no memory to look up the name", options->host);
    case EAI_SYSTEM:
        return err_errno(err, ERR_AGAIN, number, "%s: cannot look up the name", options->host);
    default:
        return err_set(err, ERR_AGAIN, "%s: cannot look up the name: %s; try again later",
                       options->host, gai_strerror(code));
    }
}

static int look_up(const struct dial_options *options, struct addrinfo **found, struct err *err)
{
    struct addrinfo hints = { .ai_family = options->family,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    char port[16];
    int code;

    snprintf(port, sizeof port, "%u", options->port);
    code = getaddrinfo(options->host, port, &hints, found);
    return code == 0 ? 0 : explain_name(options, code, err);
}

/* RFC 8305, section 4: the system's order (RFC 6724), but the families take turns. */
static void take_turns(struct race *race, const struct addrinfo *found)
{
    const struct addrinfo *first = found, *other = found;
    bool turn = true;

    while ((first || other) && race->count < MAX_ADDRESSES) {
        while (first && first->ai_family != found->ai_family)
            first = first->ai_next;
        while (other && other->ai_family == found->ai_family)
            other = other->ai_next;
        if (first && (turn || !other)) {
            race->order[race->count++] = first;
            first = first->ai_next;
        } else if (other) {
            race->order[race->count++] = other;
            other = other->ai_next;
        }
        turn = !turn;
    }
}

/* Of many failures, "refused" says more than "this machine has no IPv6". */
static void note_trouble(struct race *race, int number)
{
    switch (race->trouble) {
    case 0:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        race->trouble = number;
    }
}

/* Begins the next attempt. Returns its socket if that is connected already, else -1. */
static int begin(struct race *race)
{
    const struct addrinfo *to = race->order[race->next++];
    int one = 1, fd;

    race->next_at = clock_in(HEAD_START_MS);
    fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
            return fd;
        if (errno == EINPROGRESS || errno == EINTR) {
            race->polls[race->open++] = (struct pollfd){ .fd = fd, .events = POLLOUT };
            return -1;
        }
    }
    note_trouble(race, errno);
    race->next_at = clock_ms();
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Looks at the attempts that poll has something to say about. Returns a connected socket or -1. */
static int harvest(struct race *race)
{
    size_t i = 0;

    while (i < race->open) {
        int number = 0, fd = race->polls[i].fd;
        socklen_t len = sizeof number;

        if (race->polls[i].revents == 0) {
            i++;
            continue;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
            number = errno;
        race->polls[i] = race->polls[--race->open];
        if (number == 0)
            return fd;
        note_trouble(race, number);
        close(fd);
        race->next_at = clock_ms(); /* the next one need not wait */
    }
    return -1;
}

static int explain_time(const struct race *race, struct err *err)
{
    const struct dial_options *options = race->options;

    if (stop_cap(options->deadline, 0) < options->deadline)
        return err_set(err, ERR_STOPPED, "%s: interrupted", options->host);
    return err_set(err, ERR_TIMEOUT, "%s: port %u does not answer; try again later",
                   options->host, options->port);
}

static int explain_trouble(const struct race *race, struct err *err)
{
    const struct dial_options *options = race->options;

    if (race->trouble == ETIMEDOUT)
        return explain_time(race, err);
    if (race->trouble == ECONNREFUSED)
        return err_set(err, ERR_AGAIN,
                       "%s: port %u refuses connections; try again later, or check the port",
                       options->host, options->port);
    return err_errno(err, ERR_AGAIN, race->trouble, "%s: cannot connect to port %u",
                     options->host, options->port);
}

static int slice(const struct race *race, int64_t now, int64_t limit)
{
    int64_t ms = STOP_SLICE_MS;

    if (limit - now < ms)
        ms = limit - now;
    if (race->next < race->count && race->next_at - now < ms)
        ms = race->next_at - now;
    return ms > 0 ? (int)ms : 0;
}

static int run(struct race *race, int *fd, struct err *err)
{
    for (*fd = -1;;) {
        int64_t now = clock_ms(), limit = stop_cap(race->options->deadline, 0);

        if (now >= limit)
            return explain_time(race, err);
        if (race->next < race->count && now >= race->next_at)
            *fd = begin(race);
        if (*fd >= 0)
            return 0;
        if (race->open == 0 && race->next == race->count)
            return explain_trouble(race, err);
        if (poll(race->polls, race->open, slice(race, now, limit)) > 0)
            *fd = harvest(race);
        if (*fd >= 0)
            return 0;
    }
}

int dial_tcp(const struct dial_options *options, int *fd, struct err *err)
{
    struct race race = { .options = options, .next_at = clock_ms() };
    struct addrinfo *found = NULL;
    int rc;

    if (look_up(options, &found, err) < 0)
        return -1;
    take_turns(&race, found);
    rc = run(&race, fd, err);
    while (race.open > 0)
        close(race.polls[--race.open].fd);
    freeaddrinfo(found);
    return rc;
}
