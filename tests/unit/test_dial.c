/* SPDX-License-Identifier: ISC */
/* dial on loopback. The resolver is the test's own: getaddrinfo is replaced, no question leaves. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "net/dial.h"
#include "tap.h"

#define MAX_FOUND 40

static struct sockaddr_storage addresses[MAX_FOUND];
static struct addrinfo found[MAX_FOUND];
static int count, answer, asked_for;

int getaddrinfo(const char *restrict host, const char *restrict port,
                const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
    (void)host;
    (void)port;
    asked_for = hints->ai_family;
    *list = found;
    return answer;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

static void forget(void)
{
    count = 0;
}

static void add(const struct sockaddr *to, socklen_t len)
{
    memcpy(&addresses[count], to, len);
    found[count] = (struct addrinfo){.ai_family = to->sa_family,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_addr = (struct sockaddr *)&addresses[count],
                                     .ai_addrlen = len};
    if (count > 0)
        found[count - 1].ai_next = &found[count];
    count++;
}

static void add_v4(const char *address, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, address, &to.sin_addr);
    add((struct sockaddr *)&to, sizeof to);
}

static void add_v6(const char *address, unsigned port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    inet_pton(AF_INET6, address, &to.sin6_addr);
    add((struct sockaddr *)&to, sizeof to);
}

static int listen_at(const char *address, int backlog, unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, address, &at.sin_addr);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

/* A port that answers nothing: its queue is full. */
static int listen_deaf(unsigned *port)
{
    int fd = listen_at("127.0.0.1", 0, port);

    for (int i = 0; i < 8; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
        int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(client, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
            abort();
    }
    return fd;
}

static unsigned closed_port(void)
{
    unsigned port;

    close(listen_at("127.0.0.1", 1, &port));
    return port;
}

static const char *source;
static int family = AF_UNSPEC;
static unsigned turn;

static int dial(int64_t ms, int *fd, struct err *err)
{
    struct dial_options options = {.host = "pop.test",
                                   .port = 995,
                                   .family = family,
                                   .turn = turn,
                                   .source = source,
                                   .deadline = clock_in(ms)};

    *fd = -1;
    err_clear(err);
    return dial_tcp(&options, fd, err);
}

static unsigned port_of(int fd)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    socklen_t len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return 0;
    return ntohs(peer.sin_port);
}

static void test_plain(unsigned good)
{
    int fd, on = 0;
    socklen_t len = sizeof on;
    struct err err;

    forget();
    add_v4("127.0.0.1", good);
    is_int(dial(5000, &fd, &err), 0, "a server that is there is reached");
    is_int(port_of(fd), good, "the connection goes to its port");
    ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "the socket is non-blocking");
    ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "the socket is close-on-exec");
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
    ok(on != 0, "the socket has TCP_NODELAY");
    on = 0;
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len);
    ok(on != 0, "the socket has SO_KEEPALIVE");
    close(fd);
}

static void test_refused(unsigned good)
{
    int64_t begun = clock_ms();
    struct err err;
    int fd;

    forget();
    add_v4("127.0.0.1", closed_port());
    is_int(dial(5000, &fd, &err), -1, "a port where nobody listens is not reached");
    is_int(err.kind, ERR_AGAIN, "a refused connection is ERR_AGAIN");
    ok(strstr(err.text, "pop.test: port 995 refuses connections") != NULL, "%s", err.text);
    add_v6("::1", closed_port());
    add_v4("127.0.0.1", closed_port());
    add_v4("127.0.0.1", good);
    is_int(dial(5000, &fd, &err), 0, "the fourth address is reached where three refuse");
    is_int(port_of(fd), good, "the connection goes to the port of the fourth");
    close(fd);
    ok(clock_ms() - begun < 1000, "refusals cost no waiting");
}

static void test_race(unsigned good)
{
    unsigned dead;
    int deaf = listen_deaf(&dead), fd;
    int64_t begun = clock_ms(), took;
    struct err err;

    forget();
    add_v4("127.0.0.1", dead);
    add_v4("127.0.0.1", good);
    is_int(dial(5000, &fd, &err), 0, "an address behind one that does not answer is reached");
    took = clock_ms() - begun;
    is_int(port_of(fd), good, "the connection goes to the one that answers");
    ok(took >= 240 && took < 900, "a dead address costs 250 ms (%lld)", (long long)took);
    close(fd);

    forget();
    add_v4("127.0.0.1", dead);
    begun = clock_ms();
    is_int(dial(400, &fd, &err), -1, "an address that does not answer is not reached");
    took = clock_ms() - begun;
    is_int(err.kind, ERR_TIMEOUT, "no answer is a timeout");
    ok(took >= 395 && took < 1500, "the timeout comes at the deadline");
    ok(strstr(err.text, "pop.test: port 995 does not answer") != NULL, "%s", err.text);
    close(deaf);
}

/* Families take turns: 20 dead addresses of the first do not keep the second waiting. */
static void test_turns(unsigned good)
{
    int64_t begun = clock_ms();
    struct err err;
    unsigned dead;
    int deaf = listen_deaf(&dead), fd;

    forget();
    for (int i = 0; i < MAX_FOUND - 1; i++)
        add_v6("::ffff:127.0.0.1", dead);
    add_v4("127.0.0.1", good);
    is_int(dial(5000, &fd, &err), 0, "one IPv4 behind 39 dead IPv6 addresses is reached");
    is_int(port_of(fd), good, "the connection goes to the IPv4 address");
    ok(clock_ms() - begun < 900, "IPv4 is tried after the first IPv6 address, not after all");
    close(fd);
    close(deaf);
}

/* All of them answer: a turn is what gets past one that is of no use. */
static void test_next(unsigned good)
{
    static const unsigned wants[] = {0, 1, 2, 0};
    unsigned ports[3] = {good};
    int fds[] = {listen_at("127.0.0.1", 16, &ports[1]), listen_at("127.0.0.1", 16, &ports[2])}, fd;
    struct err err;

    forget();
    for (size_t i = 0; i < 3; i++)
        add_v4("127.0.0.1", ports[i]);
    for (turn = 0; turn < 4; turn++) {
        is_int(dial(5000, &fd, &err), 0, "an address is reached whatever the turn");
        is_int(port_of(fd), ports[wants[turn]], "the race begins with that whose turn it is");
        close(fd);
    }
    turn = 0;
    close(fds[0]);
    close(fds[1]);
}

static void test_names(void)
{
    static const struct {
        int code;
        enum err_kind want;
    } rows[] = {{EAI_NONAME, ERR_HOST},
                {EAI_AGAIN, ERR_NETWORK},
                {EAI_FAIL, ERR_AGAIN},
                {EAI_MEMORY, ERR_SYSTEM}};
    struct err err;
    int fd;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer = rows[i].code;
        is_int(dial(5000, &fd, &err), -1, "a name that cannot be resolved fails");
        is_int(err.kind, rows[i].want, gai_strerror(answer));
        ok(strncmp(err.text, "pop.test: ", 10) == 0, "%s", err.text);
    }
    answer = 0;
}

static void test_family(void)
{
    struct err err;
    int fd;

    answer = EAI_NONAME;
    family = AF_INET;
    is_int(dial(1000, &fd, &err), -1, "with IPv4 alone a name without such an address fails");
    is_int(asked_for, AF_INET, "with IPv4 alone the resolver is asked for IPv4");
    ok(strstr(err.text, "no IPv4 address") != NULL, "%s", err.text);
    family = AF_INET6;
    is_int(dial(1000, &fd, &err), -1, "with IPv6 alone a name without such an address fails");
    is_int(asked_for, AF_INET6, "with IPv6 alone the resolver is asked for IPv6");
    ok(strstr(err.text, "no IPv6 address") != NULL, "%s", err.text);
    family = AF_UNSPEC;
    answer = 0;
}

static void test_source(unsigned good)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t len = sizeof own;
    struct err err;
    int fd;

    forget();
    add_v4("127.0.0.1", good);
    source = "127.0.0.9";
    is_int(dial(5000, &fd, &err), 0, "a connection from another address of ours works");
    is_int(asked_for, AF_INET, "an IPv4 source asks for IPv4");
    getsockname(fd, (struct sockaddr *)&own, &len);
    is_int(ntohl(own.sin_addr.s_addr), 0x7f000009, "the connection comes from that address");
    close(fd);
    source = "192.0.2.7";
    is_int(dial(5000, &fd, &err), -1, "a connection from an address that is not ours fails");
    is_int(err.kind, ERR_AGAIN, "an address that is not ours is ERR_AGAIN: it may be later");
    ok(strstr(err.text, "source_address 192.0.2.7 is not an address of this machine") != NULL, "%s",
       err.text);
    source = "2001:db8::7";
    is_int(dial(5000, &fd, &err), -1, "a connection from an IPv6 source to IPv4 alone fails");
    is_int(asked_for, AF_INET6, "an IPv6 source asks for IPv6");
    source = "localhost";
    is_int(dial(5000, &fd, &err), -1, "a source that is a name fails");
    is_int(err.kind, ERR_CONFIG, "a source that is a name is an error of the configuration file");
    source = NULL;
}

/* The last: after it stop was asked for good. */
static void test_stop(void)
{
    unsigned dead;
    int deaf = listen_deaf(&dead), fd;
    int64_t begun = clock_ms();
    struct err err;

    stop_install();
    raise(SIGTERM);
    forget();
    add_v4("127.0.0.1", dead);
    is_int(dial(5000, &fd, &err), -1, "TERM ends dialling");
    is_int(err.kind, ERR_STOPPED, "the end by TERM is ERR_STOPPED");
    ok(clock_ms() - begun < 400, "TERM ends dialling at once");
    close(deaf);
}

int main(void)
{
    unsigned good;
    int server = listen_at("127.0.0.1", 16, &good);

    test_plain(good);
    test_refused(good);
    test_race(good);
    test_turns(good);
    test_next(good);
    test_names();
    test_family();
    test_source(good);
    test_stop();
    close(server);
    return tap_done();
}
