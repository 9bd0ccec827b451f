/* SPDX-License-Identifier: ISC */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

#define MAX_ADDRESSES 32 /* of one name; the rest is not tried */
#define HEAD_START_MS 250

/* The attempts under way are polls[0..open); the addresses still to be tried order[next..count). */
struct race {
    const struct dial_options *options;
    int family; /* asked for, or that of the source */
    struct sockaddr_storage source;
    socklen_t source_len;   /* 0: any */
    bool source_is_foreign; /* it is not an address of this machine */
    const struct addrinfo *order[MAX_ADDRESSES];
    size_t next, count, open;
    struct pollfd polls[MAX_ADDRESSES];
    int64_t next_at; /* when the next attempt may begin */
    bool has_route;  /* this machine knew a way to one of the addresses */
    int trouble;     /* errno of the most telling failure */
};

static int read_source(struct race *race, struct err *err)
{
    const char *source = race->options->source;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&race->source;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&race->source;
    race->family = race->options->family;
    if (source == NULL)
        return 0;
    if (inet_pton(AF_INET, source, &v4->sin_addr) == 1) {
        race->family = v4->sin_family = AF_INET;
        race->source_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, source, &v6->sin6_addr) == 1) {
        race->family = v6->sin6_family = AF_INET6;
        race->source_len = sizeof *v6;
    } else {
        return err_set(err, ERR_CONFIG, "source_address \"%.60s\" is not an IP address; correct it",
                       source);
    }
    return 0;
}

/* The resolver does not tell a name that is not there from one without an address of our kind. */
static int explain_absence(const struct race *race, struct err *err)
{
    const struct dial_options *options = race->options;
    const char *kind = race->family == AF_INET ? "IPv4" : "IPv6";
    if (options->source != NULL)
        return err_set(err, ERR_HOST,
                       "%s: no such host, or it has no %s address for source_address %s; check the "
                       "name and source_address",
                       options->host, kind, options->source);
    if (options->family != AF_UNSPEC)
        return err_set(err, ERR_HOST,
                       "%s: no such host, or it has no %s address, which ip = %c asks for; check "
                       "the name, or take ip out",
                       options->host, kind, kind[3]);
    return err_set(err, ERR_HOST, "%s: no such host; check the name in the configuration file",
                   options->host);
}

static int explain_name(const struct race *race, int code, struct err *err)
{
    const struct dial_options *options = race->options;
    int number = errno;
    switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return explain_absence(race, err);
    case EAI_MEMORY:
        return err_set(err, ERR_SYSTEM, "%s: no memory to look up the name; try again later",
                       options->host);
    case EAI_SYSTEM:
        return err_errno(err, ERR_AGAIN, number, "%s: cannot look up the name", options->host);
    case EAI_AGAIN:
        return err_set(err, ERR_NETWORK,
                       "%s: cannot look up the name: no name server answers; check the network",
                       options->host);
    default:
        return err_set(err, ERR_AGAIN, "%s: cannot look up the name: %s; try again later",
                       options->host, gai_strerror(code));
    }
}

static int look_up(const struct race *race, struct addrinfo **found, struct err *err)
{
    const struct dial_options *options = race->options;
    struct addrinfo hints = {
        .ai_family = race->family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[16];
    snprintf(port, sizeof port, "%u", options->port);
    int code = getaddrinfo(options->host, port, &hints, found);
    return code == 0 ? 0 : explain_name(race, code, err);
}

/* RFC 8305, section 4: the system's order (RFC 6724), but the families take turns. */
static void alternate_families(struct race *race, const struct addrinfo *found)
{
    const struct addrinfo *first = found, *other = found;
    bool turn = true;
    while ((first != NULL || other != NULL) && race->count < MAX_ADDRESSES) {
        while (first != NULL && first->ai_family != found->ai_family)
            first = first->ai_next;
        while (other != NULL && other->ai_family == found->ai_family)
            other = other->ai_next;
        if (first != NULL && (turn || other == NULL)) {
            race->order[race->count++] = first;
            first = first->ai_next;
        } else if (other != NULL) {
            race->order[race->count++] = other;
            other = other->ai_next;
        }
        turn = !turn;
    }
}

/* An address that takes connections, and then closes them or says nothing, wins each race. */
static void take_turn(struct race *race)
{
    const struct addrinfo *order[MAX_ADDRESSES];
    memcpy(order, race->order, sizeof order);
    for (size_t i = 0; i < race->count; i++)
        race->order[i] = order[(i + race->options->turn) % race->count];
}

/* Of many failures, "refused" says more than "this machine has no IPv6". */
static void note_trouble(struct race *race, int number)
{
    switch (race->trouble) {
    case 0:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        race->trouble = number;
    }
}

/* macOS has no flags for this in socket(2). */
static int open_socket(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM, to->ai_protocol);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    return fd;
}

static int bind_source(struct race *race, int fd)
{
    if (race->source_len == 0 || bind(fd, (struct sockaddr *)&race->source, race->source_len) == 0)
        return 0;
    race->source_is_foreign = errno == EADDRNOTAVAIL;
    return -1;
}

/* Begins the next attempt. Returns its socket if that is connected already, else -1. */
static int begin(struct race *race)
{
    const struct addrinfo *to = race->order[race->next++];
    int fd = open_socket(to);
    race->next_at = clock_in(HEAD_START_MS);
    if (fd >= 0 && bind_source(race, fd) == 0) {
        if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
            return fd;
        race->has_route = race->has_route || errno == EINPROGRESS || errno == EINTR;
        if (errno == EINPROGRESS || errno == EINTR) {
            race->polls[race->open++] = (struct pollfd){.fd = fd, .events = POLLOUT};
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
        if (race->polls[i].revents == 0) {
            i++;
            continue;
        }
        int number = 0, fd = race->polls[i].fd;
        socklen_t len = sizeof number;
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
    if (race->next == 0) /* getaddrinfo knows no deadline but the resolver's own */
        return err_set(err, ERR_TIMEOUT,
                       "%s: looking up the name took too long; check the name servers, or raise "
                       "timeout",
                       options->host);
    return err_set(err, ERR_TIMEOUT, "%s: port %u does not answer; try again later", options->host,
                   options->port);
}

/* It is found out before a packet leaves. */
static bool is_offline(const struct race *race)
{
    switch (race->trouble) {
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return !race->has_route;
    default:
        return false;
    }
}

static int explain_trouble(const struct race *race, struct err *err)
{
    const struct dial_options *options = race->options;
    if (race->source_is_foreign)
        return err_set(err, ERR_AGAIN,
                       "%s: source_address %s is not an address of this machine now; check it, or "
                       "try again later",
                       options->host, options->source);
    if (is_offline(race))
        return err_set(err, ERR_NETWORK,
                       "%s: no way there from this machine: %s; check the network", options->host,
                       strerror(race->trouble));
    if (race->trouble == ETIMEDOUT)
        return explain_time(race, err);
    if (race->trouble == ECONNREFUSED)
        return err_set(err, ERR_AGAIN,
                       "%s: port %u refuses connections; try again later, or check the port",
                       options->host, options->port);
    return err_errno(err, ERR_AGAIN, race->trouble, "%s: cannot connect to port %u", options->host,
                     options->port);
}

static int run(struct race *race, int *fd, struct err *err)
{
    for (*fd = -1;;) {
        int64_t now = clock_ms(), limit = race->options->deadline;
        if (now >= stop_cap(limit, 0))
            return explain_time(race, err);
        bool more = race->next < race->count;
        if (more && now >= race->next_at)
            *fd = begin(race);
        if (*fd >= 0)
            return 0;
        more = race->next < race->count;
        if (race->open == 0 && !more)
            return explain_trouble(race, err);
        int64_t until = more && race->next_at < limit ? race->next_at : limit;
        if (stop_wait(race->polls, race->open, until, 0) > 0)
            *fd = harvest(race);
        if (*fd >= 0)
            return 0;
    }
}

int dial_tcp(const struct dial_options *options, int *fd, struct err *err)
{
    struct race race = {.options = options, .next_at = clock_ms()};
    struct addrinfo *found = NULL;
    if (read_source(&race, err) < 0 || look_up(&race, &found, err) < 0)
        return -1;
    alternate_families(&race, found);
    take_turn(&race);
    int rc = run(&race, fd, err);
    while (race.open > 0)
        close(race.polls[--race.open].fd);
    freeaddrinfo(found);
    return rc;
}

int dial_unix(const char *path, int *fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *fd = -1;
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ERR_CONFIG, "%s: too long for the path of a socket; give a shorter one",
                       path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    if (made < 0)
        return err_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
    fcntl(made, F_SETFD, FD_CLOEXEC);
    fcntl(made, F_SETFL, O_NONBLOCK);
    if (connect(made, (const struct sockaddr *)&address, sizeof address) < 0) {
        int number = errno;
        close(made);
        return err_set(err, ERR_AGAIN, "cannot connect to %s: %s; check that its server runs", path,
                       strerror(number));
    }
    *fd = made;
    return 0;
}
