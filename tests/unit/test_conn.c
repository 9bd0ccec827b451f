/* SPDX-License-Identifier: ISC */
/* conn over socket pairs: every peer is a child process that plays one scene. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "net/conn.h"
#include "tap.h"

/* Writing to a closed peer must not need PIPE ignored, where the system can say so for one call. */
#if defined MSG_NOSIGNAL && !defined FP_PORTABLE
#define PIPE_HANDLING SIG_DFL
#else
#define PIPE_HANDLING SIG_IGN
#endif

#define FLOOD (10 * 1024 * 1024)

typedef void scene(int fd);

static pid_t peer_pid;

static void nap(int ms)
{
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};

    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

static struct conn *start_on(const int pair[2], scene *play, int64_t idle_ms, int64_t deadline)
{
    peer_pid = fork();
    if (peer_pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        close(pair[0]);
        play(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return conn_new(pair[0], "pop.test", idle_ms, deadline);
}

static struct conn *start(scene *play, int64_t idle_ms, int64_t deadline)
{
    int pair[2], small = 8192;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        abort();
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    return start_on(pair, play, idle_ms, deadline);
}

/* Frees the conn and waits for the peer; its exit status. */
static int finish(struct conn *conn)
{
    int status = -1;

    conn_free(conn);
    waitpid(peer_pid, &status, 0);
    return status;
}

static void say(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t put = write(fd, from, len);

        if (put < 0)
            _exit(1);
        from += put;
        len -= (size_t)put;
    }
}

static void hear(int fd, char *to, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, to, len);

        if (got <= 0)
            _exit(2);
        to += got;
        len -= (size_t)got;
    }
}

/* The byte at each place of a long stream; the period is prime, so that a shift shows. */
static char pattern(size_t at)
{
    return (char)(at % 251);
}

static void say_pattern(int fd, size_t len)
{
    char part[5021]; /* 20 periods and one more */
    size_t at = 0;

    while (at < len) {
        size_t n = len - at < sizeof part ? len - at : sizeof part;

        for (size_t i = 0; i < n; i++)
            part[i] = pattern(at + i);
        say(fd, part, n);
        at += n;
    }
}

/* Takes len bytes of the pattern; what fill said last in *rc. False at the first wrong byte. */
static bool take_pattern(struct conn *conn, size_t len, size_t keep, int *rc, struct err *err)
{
    size_t at = 0;

    *rc = 1;
    while (at < len && (*rc = conn_fill(conn, err)) > 0) {
        struct str view = conn_view(conn);
        size_t use = view.len;

        if (use > len - at)
            use = len - at; /* the rest is not of the pattern */
        else if (use < len - at)
            use = use > keep ? use - keep : 0;
        for (size_t i = 0; i < use; i++)
            if (view.ptr[i] != pattern(at + i))
                return false;
        conn_consume(conn, use);
        at += use;
    }
    return at == len;
}

/* --- scenes ----------------------------------------------------------------------------------- */

static void byte_by_byte(int fd)
{
    for (const char *p = "+OK hello\r\n"; *p; p++) {
        say(fd, p, 1);
        nap(20); /* the reader has to be there first, on a loaded machine too */
    }
}

static void test_split(void)
{
    struct conn *conn = start(byte_by_byte, 2000, clock_in(5000));
    struct err err;

    while (conn_view(conn).len < 11 && conn_fill(conn, &err) > 0)
        ;
    is_mem(conn_view(conn).ptr, conn_view(conn).len, "+OK hello\r\n", 11,
           "a line that comes byte by byte is whole");
    is_int(conn_fill(conn, &err), 0, "fill returns 0 at the end of the stream");
    is_int(conn_fill(conn, &err), 0, "and 0 again after that");
    is_int(conn_peek(conn, &err), 1, "peek sees what was not consumed");
    conn_consume(conn, 11);
    is_int(conn_peek(conn, &err), -1, "peek fails where all is consumed and the stream has ended");
    is_int(err.kind, ERR_CLOSED, "that end is ERR_CLOSED");
    is_int((long long)conn_figures(conn).received, 11, "the figures count what was received");
    ok(conn_figures(conn).waits >= 5, "it had to wait more than once");
    is_int(finish(conn), 0, "the peer ended well");
}

static void flood_then_read(int fd)
{
    char heard[20000], want[20000];

    memset(want, 'c', sizeof want);
    say_pattern(fd, FLOOD);
    hear(fd, heard, sizeof heard);
    if (memcmp(heard, want, sizeof want) != 0)
        _exit(3);
    say(fd, "done", 4);
}

static void test_flood(void)
{
    struct conn *conn = start(flood_then_read, 2000, clock_in(20000));
    char commands[20000];
    struct err err = {ERR_NONE, ""};
    int rc;

    memset(commands, 'c', sizeof commands);
    is_int(conn_put(conn, commands, sizeof commands, &err), 0, "commands are queued");
    is_int(conn_push(conn, &err), 0, "commands are pushed at a peer that does not read");
    ok(take_pattern(conn, FLOOD, 0, &rc, &err), "10 MB come through first: %s", err.text);
    is_int(conn_flush(conn, &err), 0, "after the flood our bytes leave");
    while (conn_view(conn).len < 4 && conn_fill(conn, &err) > 0)
        ;
    is_mem(conn_view(conn).ptr, conn_view(conn).len, "done", 4, "the peer answers them");
    is_int((long long)conn_figures(conn).sent, sizeof commands, "the figures count what was sent");
    is_int(finish(conn), 0, "the peer got what we sent");
}

#define TALK (CONN_INPUT - 5000) /* room is left for it while nobody takes anything */

static void talk_then_read(int fd)
{
    static char heard[500000];

    say_pattern(fd, TALK);
    hear(fd, heard, sizeof heard);
    for (size_t i = 0; i < sizeof heard; i++)
        if (heard[i] != pattern(i))
            _exit(3);
}

static void test_both_ways(void)
{
    struct conn *conn = start(talk_then_read, 1000, clock_in(20000));
    static char bytes[500000];
    struct err err = {ERR_NONE, ""};
    int rc = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (size_t at = 0; at < sizeof bytes && rc == 0; at += 12500)
        rc = conn_put(conn, bytes + at, 12500, &err);
    ok(rc == 0, "put reads while the peer talks: %s", err.text);
    is_int(conn_flush(conn, &err), 0, "flush sends the rest");
    while (conn_view(conn).len < TALK && conn_fill(conn, &err) > 0)
        ;
    ok(conn_view(conn).len == TALK && conn_view(conn).ptr[TALK - 1] == pattern(TALK - 1),
       "what the peer said meanwhile is all there");
    is_int(finish(conn), 0, "every byte of ours arrived in order");
}

static void flood_only(int fd)
{
    signal(SIGPIPE, SIG_DFL);
    say_pattern(fd, FLOOD);
}

static void test_both_stuck(void)
{
    struct conn *conn = start(flood_only, 200, clock_in(20000));
    static const char bytes[300000];
    struct err err;

    is_int(conn_put(conn, bytes, sizeof bytes, &err), -1, "both sides full is no deadlock");
    is_int(err.kind, ERR_TIMEOUT, "two sides that both only write end in a timeout");
    is_int((long long)conn_view(conn).len, CONN_INPUT, "by then the input buffer is full");
    ok(conn_figures(conn).waits < 100, "and no spinning (%d waits)", (int)conn_figures(conn).waits);
    finish(conn);
}

static void silence(int fd)
{
    char byte;

    while (read(fd, &byte, 1) > 0)
        ;
}

static void test_idle(void)
{
    struct conn *conn = start(silence, 150, clock_in(20000));
    struct err err;

    is_int(conn_peek(conn, &err), 0, "peek does not wait");
    nap(200);
    int64_t begun = clock_ms();
    is_int(conn_fill(conn, &err), -1, "a silent peer ends a wait");
    is_int(err.kind, ERR_TIMEOUT, "silence is a timeout");
    is_str(err.text, "pop.test: no byte for 0.15 seconds; try again later, or raise timeout",
           "the message about silence says who, what, and what to do");
    ok(clock_ms() - begun >= 145, "time between calls does not count");
    ok(clock_ms() - begun < 2000, "the timeout is not late");
    finish(conn);
}

static void steady(int fd)
{
    for (int i = 0; i < 12; i++) {
        nap(50);
        say(fd,
            "ninety bytes in a go are enough for the rate that is asked for here, "
            "whatever comes: ........",
            90);
    }
}

static void drip(int fd)
{
    for (int i = 0; i < 200; i++) {
        nap(20);
        say(fd, ".", 1);
    }
}

static void burst_and_drip(int fd)
{
    say_pattern(fd, 100000);
    drip(fd);
}

/* Consumes until fill says something else than 1 or, with marks, until 30 answers came. */
static int consume_all(struct conn *conn, bool marks, struct err *err)
{
    int rc = 1;

    for (int i = 0; rc > 0 && (!marks || i < 30); i++) {
        if (marks)
            conn_mark(conn);
        rc = conn_fill(conn, err);
        conn_consume(conn, conn_view(conn).len);
    }
    return rc;
}

static void test_rate(void)
{
    struct conn *conn = start(steady, 200, clock_in(20000));
    struct err err = {ERR_NONE, ""};

    ok(consume_all(conn, false, &err) == 0, "fast enough, though longer than timeout: %s",
       err.text);
    finish(conn);

    conn = start(drip, 200, clock_in(20000));
    is_int(consume_all(conn, false, &err), -1, "a peer that drips is given up");
    is_int(err.kind, ERR_TIMEOUT, "a drip is a timeout");
    ok(strstr(err.text, "fewer than 256 bytes a second") != NULL, "and says so: %s", err.text);
    finish(conn);

    conn = start(burst_and_drip, 200, clock_in(20000));
    is_int(consume_all(conn, false, &err), -1, "a burst does not pay for the drip behind it");
    is_int(err.kind, ERR_TIMEOUT, "the drip behind a burst is a timeout");
    ok(conn_figures(conn).received >= 100000, "the burst before the drip was taken");
    finish(conn);

    conn = start(drip, 200, clock_in(20000));
    is_int(consume_all(conn, true, &err), 1, "many short answers are no stall");
    finish(conn);
}

static void test_deadline(void)
{
    struct conn *conn = start(silence, 10000, clock_in(150));
    int64_t begun = clock_ms();
    struct err err;

    is_int(conn_fill(conn, &err), -1, "a wait ends at the deadline of the conn");
    is_int(err.kind, ERR_TIMEOUT, "that end is a timeout");
    ok(clock_ms() - begun < 2000, "it comes in time");
    conn_set_deadline(conn, clock_in(100));
    is_int(conn_fill(conn, &err), -1, "a wait ends at a new deadline");
    ok(clock_ms() - begun >= 195, "the new deadline is waited for");
    finish(conn);

    conn = start(flood_only, 10000, clock_in(3));
    is_int(consume_all(conn, false, &err), -1,
           "a peer that never lets us wait is given up at the deadline");
    is_int(err.kind, ERR_TIMEOUT, "that end is a timeout");
    finish(conn);
}

static void long_stream(int fd)
{
    say_pattern(fd, 1000003);
}

static void test_compaction(void)
{
    static const size_t keeps[] = {0, 1, 50000, CONN_INPUT - 5000};
    struct err err = {ERR_NONE, ""};

    for (size_t i = 0; i < sizeof keeps / sizeof keeps[0]; i++) {
        struct conn *conn = start(long_stream, 2000, clock_in(20000));
        int rc;

        ok(take_pattern(conn, 1000003, keeps[i], &rc, &err), "1 MB with %zu bytes kept: %s",
           keeps[i], err.text);
        is_int(conn_fill(conn, &err), 0, "no byte comes after the whole stream");
        is_int(finish(conn), 0, "the peer ended well");
    }
}

static void last_words(int fd)
{
    say(fd, "-ERR you slept too long\r\n", 25);
}

static void test_last_words(void)
{
    struct conn *conn = start(last_words, 2000, clock_in(5000));
    struct err err;

    nap(50); /* the peer is gone before we write */
    for (int i = 0; i < 3; i++) {
        is_int(conn_put(conn, "NOOP\r\n", 6, &err), 0, "put to a closed peer");
        is_int(conn_flush(conn, &err), 0, "flush to a closed peer");
    }
    is_int(conn_fill(conn, &err), 1, "its last words are still there");
    is_mem(conn_view(conn).ptr, conn_view(conn).len, "-ERR you slept too long\r\n", 25,
           "its last words are whole");
    is_int(conn_fill(conn, &err), 0, "the end of the stream comes after its last words");
    finish(conn);
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof to;
    int server = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&to, sizeof to) < 0 || listen(server, 1) < 0 ||
        getsockname(server, (struct sockaddr *)&to, &len) < 0 ||
        connect(pair[0], (struct sockaddr *)&to, sizeof to) < 0)
        abort();
    pair[1] = accept(server, NULL, NULL);
    close(server);
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void test_reset(void)
{
    struct conn *conn;
    struct err err;
    int pair[2];

    tcp_pair(pair);
    conn = start_on(pair, reset, 2000, clock_in(5000));
    is_int(conn_fill(conn, &err), -1, "fill fails at a reset");
    is_int(err.kind, ERR_CLOSED, "a reset is ERR_CLOSED");
    ok(strncmp(err.text, "pop.test: connection lost: ", 27) == 0, "with words: %s", err.text);
    is_int(conn_fill(conn, &err), -1, "fill fails again after a reset");
    is_int(err.kind, ERR_CLOSED, "with ERR_CLOSED again");
    finish(conn);
}

/* The last: after it stop was asked for good. */
static void test_stop(void)
{
    struct conn *conn = start(silence, 10000, clock_in(20000));
    int64_t begun;
    struct err err;

    stop_install();
    conn_set_grace(conn, 300);
    begun = clock_ms();
    raise(SIGTERM);
    is_int(conn_fill(conn, &err), -1, "TERM ends a wait");
    is_int(err.kind, ERR_STOPPED, "that end is ERR_STOPPED");
    ok(clock_ms() - begun >= 295 && clock_ms() - begun < 2000, "TERM ends a wait after the grace");
    conn_set_grace(conn, 0);
    begun = clock_ms();
    is_int(conn_fill(conn, &err), -1, "without grace TERM ends a wait");
    is_int(err.kind, ERR_STOPPED, "that end is ERR_STOPPED too");
    ok(clock_ms() - begun < 100, "without grace it comes at once");
    finish(conn);
}

int main(void)
{
    signal(SIGPIPE, PIPE_HANDLING);
    test_split();
    test_flood();
    test_both_ways();
    test_both_stuck();
    test_idle();
    test_rate();
    test_deadline();
    test_compaction();
    test_last_words();
    test_reset();
    test_stop();
    return tap_done();
}
