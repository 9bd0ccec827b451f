#include "net/proxy.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/stop.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static int explain_time(int64_t deadline, struct err *err)
{
    if (stop_cap(deadline, 0) < deadline)
        return err_set(err, ERR_STOPPED, "interrupted");
    return err_set(err, ERR_TIMEOUT, "it does not answer; try again later");
}

static int wait_for(int fd, short events, int64_t deadline, struct err *err)
{
    struct pollfd peer = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = clock_left(stop_cap(deadline, 0));

        if (left == 0)
            return explain_time(deadline, err);
        if (poll(&peer, 1, left < STOP_SLICE_MS ? (int)left : STOP_SLICE_MS) > 0)
            return 0;
    }
}

static int lost(ssize_t n, struct err *err)
{
    if (n < 0)
        return err_set(err, ERR_CLOSED, "connection lost: %s; try again later", strerror(errno));
    return err_set(err, ERR_CLOSED, "it hung up; try again later");
}

static bool is_busy(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int send_out(int fd, struct socks *socks, int64_t deadline, struct err *err)
{
    size_t done = 0;

    while (done < socks->out_len) {
        ssize_t n = send(fd, socks->out + done, socks->out_len - done, MSG_NOSIGNAL);

        if (n < 0 && !is_busy(n))
            return lost(n, err);
        if (n < 0 && wait_for(fd, POLLOUT, deadline, err) < 0)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    secret_wipe_bytes(socks->out, socks->out_len);
    socks->out_len = 0;
    return 0;
}

static int read_in(int fd, struct socks *socks, int64_t deadline, struct err *err)
{
    unsigned char bytes[sizeof socks->in];
    ssize_t n = recv(fd, bytes, socks_wants(socks), 0);

    if (is_busy(n))
        return wait_for(fd, POLLIN, deadline, err);
    if (n <= 0)
        return lost(n, err);
    return socks_take(socks, bytes, (size_t)n, err);
}

int proxy_open(int fd, const struct socks_target *target, int64_t deadline, struct err *err)
{
    struct socks socks;
    int rc = socks_begin(&socks, target, err);

    while (rc == 0 && (socks.out_len > 0 || socks_wants(&socks) > 0)) {
        rc = send_out(fd, &socks, deadline, err);
        if (rc == 0)
            rc = read_in(fd, &socks, deadline, err);
    }
    socks_end(&socks);
    return rc;
}
