/* SPDX-License-Identifier: ISC */
#include "net/proxy.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/stop.h"
#include "net/sock.h"

static int wait_for(int fd, short events, int64_t deadline, struct err *err)
{
    struct pollfd peer = {.fd = fd, .events = events};
    int ready = stop_wait(&peer, 1, deadline, 0);
    if (ready > 0)
        return 0;
    if (ready < 0)
        return err_set(err, ERR_STOPPED, "interrupted");
    return err_set(err, ERR_TIMEOUT, "it does not answer; try again later");
}

static int lost(ssize_t n, struct err *err)
{
    if (n < 0)
        return err_set(err, ERR_CLOSED, "connection lost: %s; try again later", strerror(errno));
    return err_set(err, ERR_CLOSED, "it hung up; try again later");
}

static int send_out(int fd, struct socks *socks, int64_t deadline, struct err *err)
{
    size_t done = 0;
    while (done < socks->out_len) {
        ssize_t n = sock_send(fd, socks->out + done, socks->out_len - done);
        if (n < 0 && !sock_is_busy(errno))
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
    ssize_t n = sock_recv(fd, bytes, socks_wants(socks));
    if (n < 0 && sock_is_busy(errno))
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
