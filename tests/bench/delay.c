/* SPDX-License-Identifier: ISC */
/*
 * delay: a long line for the bench, for kernels without netem.
 *
 *   delay up                         brings the loopback up (in a network namespace of one's own)
 *   delay tun MS NEAR FAR            an interface with address NEAR: whatever is sent to FAR comes
 *                                    back to NEAR after MS, as if FAR had sent it
 *   delay relay MS PORT TARGET       127.0.0.1:PORT leads to 127.0.0.1:TARGET, with MS on each way
 *   delay turns MS PORT TARGET       the same, but what the server says is kept back until nothing
 *                                    has come from either side for MS: one round trip. Says how
 *                                    many there were, one more for TCP, at the end of a connection
 *
 * The interface carries packets, so that the kernel's own TCP meets the delay: its windows, its
 * handshake, its Nagle. It swaps the two addresses of each packet, which leaves all checksums
 * right: who connects to FAR reaches his own machine. It wants CAP_NET_ADMIN. The relay wants
 * nothing; it hides what TCP does about a delay, and puts the round trip of TCP's handshake before
 * the first octets. Neither loses anything, keeps anything back for bandwidth, or changes the
 * order. Says "ready" on standard output, and ends with its parent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PACKET 65536
#define LINES 2048 /* connections through the relay at most */

/* Octets on their way, first in, first out. */
struct chunk {
    struct chunk *next;
    int64_t due;
    size_t len, done; /* len 0: the end of the stream */
    char bytes[];
};

struct way {
    struct chunk *first, *last;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void add(struct way *way, const char *bytes, size_t len, int64_t due)
{
    struct chunk *chunk = malloc(sizeof *chunk + len);
    if (!chunk)
        die("memory");
    *chunk = (struct chunk){.due = due, .len = len};
    memcpy(chunk->bytes, bytes, len);
    if (way->first)
        way->last->next = chunk;
    else
        way->first = chunk;
    way->last = chunk;
}

static void drop(struct way *way)
{
    struct chunk *chunk = way->first;
    way->first = chunk->next;
    free(chunk);
}

static void wait_until(struct pollfd *fds, nfds_t n, int64_t due)
{
    int64_t left = due - now_us();
    struct timespec limit = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};

    if (left < 0)
        limit = (struct timespec){.tv_sec = 0};
    if (ppoll(fds, n, due == INT64_MAX ? NULL : &limit, NULL) < 0 && errno != EINTR)
        die("poll");
}

static void ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* --- the interface --------------------------------------------------------------------------- */

static void name_it(struct ifreq *request, const char *name)
{
    memset(request, 0, sizeof *request);
    snprintf(request->ifr_name, sizeof request->ifr_name, "%s", name);
}

static void bring_up(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request;

    name_it(&request, name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        die(name);
    close(fd);
}

static void set_up(const char *name, const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request;
    struct sockaddr_in own = {.sin_family = AF_INET};

    if (fd < 0 || inet_pton(AF_INET, address, &own.sin_addr) != 1)
        die("address");
    name_it(&request, name);
    memcpy(&request.ifr_addr, &own, sizeof own);
    if (ioctl(fd, SIOCSIFADDR, &request) < 0)
        die("address");
    inet_pton(AF_INET, "255.255.255.0", &own.sin_addr);
    memcpy(&request.ifr_netmask, &own, sizeof own);
    if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
        die("netmask");
    request.ifr_mtu = 1500;
    if (ioctl(fd, SIOCSIFMTU, &request) < 0)
        die("MTU");
    request.ifr_qlen = 10000;
    if (ioctl(fd, SIOCSIFTXQLEN, &request) < 0)
        die("queue");
    close(fd);
    bring_up(name);
}

static int open_tun(const char *near)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request;

    if (fd < 0)
        die("/dev/net/tun");
    name_it(&request, "fpbench%d");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        die("TUN");
    set_up(request.ifr_name, near);
    return fd;
}

static void reflect(char *packet)
{
    char source[4];
    memcpy(source, packet + 12, 4);
    memcpy(packet + 12, packet + 16, 4);
    memcpy(packet + 16, source, 4);
}

static void run_tun(int64_t delay_us, const char *near, const char *far)
{
    static char packet[PACKET];
    struct way way = {.first = NULL};
    struct pollfd tun = {.fd = open_tun(near), .events = POLLIN};
    struct in_addr to;

    if (inet_pton(AF_INET, far, &to) != 1)
        die("address");
    ready();
    for (;;) {
        ssize_t got;
        wait_until(&tun, 1, way.first ? way.first->due : INT64_MAX);
        while ((got = read(tun.fd, packet, sizeof packet)) > 0) {
            if (got < 20 || (packet[0] & 0xf0) != 0x40 || memcmp(packet + 16, &to, 4) != 0)
                continue;
            reflect(packet);
            add(&way, packet, (size_t)got, now_us() + delay_us);
        }
        while (way.first && way.first->due <= now_us()) {
            if (write(tun.fd, way.first->bytes, way.first->len) < 0 && errno == EAGAIN)
                break;
            drop(&way);
        }
    }
}

/* --- the relay ------------------------------------------------------------------------------- */

/* A connection has two ends; way[i] leads away from end i. */
struct pair {
    int fd[2];
    bool ended[2]; /* nothing more is read from it */
    bool shut[2];  /* nothing more is written to it */
    struct way way[2];
    int64_t open_at;
    int64_t quiet_since;
    unsigned turns;
};

static struct pair pairs[LINES];
static int pair_count;
static bool counts_turns;

#define HELD INT64_MAX /* due: not yet known */

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static struct sockaddr_in local(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void take_in(int listener, int target, int64_t delay_us)
{
    struct sockaddr_in to = local(target);
    struct pair *pair = &pairs[pair_count];
    int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);

    if (client < 0 || server < 0)
        die("accept");
    if (pair_count == LINES || connect(server, (struct sockaddr *)&to, sizeof to) < 0) {
        close(client);
        close(server);
        return;
    }
    no_delay(client);
    no_delay(server);
    *pair = (struct pair){.fd = {client, server}, .open_at = now_us(), .turns = 1};
    pair->open_at += counts_turns ? 0 : 2 * delay_us;
    pair_count++;
}

static void read_end(struct pair *pair, int end, int64_t delay_us)
{
    static char bytes[PACKET];
    int64_t now = now_us(), from = now > pair->open_at ? now : pair->open_at;
    ssize_t got = recv(pair->fd[end], bytes, sizeof bytes, 0);

    if (got < 0 && errno == EAGAIN)
        return;
    pair->ended[end] = got <= 0;
    pair->quiet_since = now;
    if (counts_turns)
        from = end == 1 && !pair->ended[0] ? HELD : now - delay_us;
    add(&pair->way[end], bytes, got > 0 ? (size_t)got : 0, from == HELD ? HELD : from + delay_us);
}

/* All that is kept back is due; a round trip, unless nobody waits for it any more. */
static void give(struct pair *pair, int64_t now)
{
    struct chunk *chunk = pair->way[1].first;

    if (!pair->ended[0] && chunk->len > 0)
        pair->turns++;
    for (; chunk; chunk = chunk->next)
        chunk->due = now;
}

static void give_what_is_due(struct pair *pair, int64_t delay_us)
{
    int64_t now = now_us();

    if (pair->way[1].first && pair->way[1].first->due == HELD &&
        (pair->ended[0] || now - pair->quiet_since >= delay_us))
        give(pair, now);
}

static void write_end(struct pair *pair, int end)
{
    struct way *way = &pair->way[!end];

    while (way->first && way->first->due <= now_us()) {
        struct chunk *chunk = way->first;
        ssize_t put = 0;
        if (chunk->len == 0) {
            shutdown(pair->fd[end], SHUT_WR);
            pair->shut[end] = true;
        } else if (!pair->shut[end]) {
            put = send(pair->fd[end], chunk->bytes + chunk->done, chunk->len - chunk->done,
                       MSG_NOSIGNAL);
            if (put < 0 && errno == EAGAIN)
                return;
            pair->shut[end] = put < 0;
        }
        chunk->done += put > 0 ? (size_t)put : 0;
        if (chunk->done == chunk->len || pair->shut[end])
            drop(way);
    }
}

static bool is_over(const struct pair *pair)
{
    return pair->shut[0] && pair->shut[1] && pair->ended[0] && pair->ended[1];
}

static void forget(int i)
{
    if (counts_turns) {
        printf("%u\n", pairs[i].turns);
        fflush(stdout);
    }
    for (int end = 0; end < 2; end++) {
        close(pairs[i].fd[end]);
        while (pairs[i].way[end].first)
            drop(&pairs[i].way[end]);
    }
    pairs[i] = pairs[--pair_count];
}

static int64_t due_of(const struct pair *pair, const struct chunk *chunk, int64_t delay_us)
{
    return chunk->due == HELD ? pair->quiet_since + delay_us : chunk->due;
}

/* When the next octets are due, and what is to be polled. A way whose octets are overdue waits for
 * its socket. */
static int64_t prepare(struct pollfd *fds, int listener, int64_t delay_us)
{
    int64_t next = INT64_MAX, now = now_us();

    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (int i = 0; i < pair_count; i++) {
        for (int end = 0; end < 2; end++) {
            const struct chunk *chunk = pairs[i].way[!end].first;
            short events = pairs[i].ended[end] ? 0 : POLLIN;
            if (chunk && chunk->due <= now)
                events |= POLLOUT;
            else if (chunk && due_of(&pairs[i], chunk, delay_us) < next)
                next = due_of(&pairs[i], chunk, delay_us);
            fds[1 + 2 * i + end] =
                (struct pollfd){.fd = events ? pairs[i].fd[end] : -1, .events = events};
        }
    }
    return next;
}

static void run_relay(int64_t delay_us, int port, int target)
{
    static struct pollfd fds[1 + 2 * LINES];
    struct sockaddr_in own = local(port);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 512) < 0)
        die("port");
    ready();
    for (;;) {
        int64_t next = prepare(fds, listener, delay_us);
        int polled = pair_count;
        wait_until(fds, 1 + 2 * (nfds_t)polled, next);
        for (int i = polled - 1; i >= 0; i--) {
            for (int end = 0; end < 2; end++) {
                if (fds[1 + 2 * i + end].revents & (POLLIN | POLLHUP | POLLERR) &&
                    !pairs[i].ended[end])
                    read_end(&pairs[i], end, delay_us);
                give_what_is_due(&pairs[i], delay_us);
                write_end(&pairs[i], end);
            }
            if (is_over(&pairs[i]))
                forget(i);
        }
        if (fds[0].revents & POLLIN)
            take_in(listener, target, delay_us);
    }
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1000);
    counts_turns = argc == 5 && strcmp(argv[1], "turns") == 0;
    if (argc == 2 && strcmp(argv[1], "up") == 0)
        bring_up("lo");
    else if (argc == 5 && strcmp(argv[1], "tun") == 0)
        run_tun(number(argv[2]) * 1000, argv[3], argv[4]);
    else if (argc == 5 && (counts_turns || strcmp(argv[1], "relay") == 0))
        run_relay(number(argv[2]) * 1000, number(argv[3]), number(argv[4]));
    else
        return 64;
    return 0;
}
