/* SPDX-License-Identifier: ISC */
#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "base/xalloc.h"

#define TERM_GRACE_MS 2000
#define IDLE_EVERY_MS 500
#define CHUNK 4096
#define PIECE 65536              /* for a sink: what a pipe holds */
#define AT_ONCE (2 * SECRET_MAX) /* of output, had in memory from the start */
#define DRAIN_MAX (1024 * 1024)  /* what a pipe may still hold when its writer has ended */

enum phase { PHASE_RUNNING, PHASE_TERMED, PHASE_KILLED };

/* One running command. */
struct child {
    const struct child_job *job;
    struct child_result *result;
    pid_t pid;
    int out; /* our ends of its pipes; -1: closed, or none */
    int error;
    enum phase phase;
    int64_t term_at;   /* when TERM was sent, */
    int64_t killed_at; /* and KILL */
    bool reaped;
    int slice; /* ms of the next wait */
    int64_t idle_at;
    struct spawn_stderr said;
    struct err sunk; /* why the sink takes no more */
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int start(struct child *child, struct err *err)
{
    const struct child_job *job = child->job;
    bool piped = job->output != NULL || job->sink != NULL;
    int out[2] = {-1, -1};
    int error[2] = {-1, -1};
    int null = file_open("/dev/null", O_RDWR, 0);
    int number;
    if (null < 0 || (piped && file_pipe(out) < 0) || file_pipe(error) < 0) {
        number = errno;
    } else {
        const struct spawn spawn = {
            .command = job->command,
            .env = job->env,
            .input = job->input >= 0 ? job->input : null,
            .output = piped ? out[1] : null,
            .error = error[1],
        };
        number = spawn_command(&spawn, &child->pid);
    }
    close_fd(&null);
    close_fd(&out[1]);
    close_fd(&error[1]);
    child->out = out[0];
    child->error = error[0];
    if (number != 0) {
        close_fd(&child->out);
        close_fd(&child->error);
        return err_errno(err, ERR_SYSTEM, number, "cannot start a command");
    }
    if (child->out >= 0)
        fcntl(child->out, F_SETFL, O_NONBLOCK);
    fcntl(child->error, F_SETFL, O_NONBLOCK);
    return 0;
}

/* One read from a pipe of ours: how many bytes, 0 if there are none now. At its end, closes it. */
static size_t read_pipe(int *fd, char *bytes, size_t len)
{
    ssize_t n = read(*fd, bytes, len);
    if (n > 0)
        return (size_t)n;
    if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
        close_fd(fd);
    return 0;
}

/* A disk that is full is seen by us here: many a command does not look at what becomes of its
 * writes. */
static size_t pass_on(struct child *child)
{
    const struct sink *sink = child->job->sink;
    char bytes[PIECE];
    size_t n = read_pipe(&child->out, bytes, sizeof bytes);
    if (n > 0 && sink->write(sink->ctx, bytes, n, &child->sunk) < 0)
        close_fd(&child->out);
    return n;
}

/* Reads into the job's own buffer, since it may be a password: no copy stays elsewhere. What has
 * no room there is read and dropped, so that the command does not hang on a full pipe. */
static size_t take_output(struct child *child)
{
    struct buf *buf = child->job->output;
    if (child->job->sink != NULL)
        return pass_on(child);
    assert(buf != NULL); /* without one there is no pipe */
    size_t room = buf->max - buf->len;
    if (room > 0) {
        size_t want = room < CHUNK ? room : CHUNK;
        size_t n = read_pipe(&child->out, buf_reserve(buf, want), want);
        buf->len += n;
        return n;
    }
    char waste[CHUNK];
    size_t n = read_pipe(&child->out, waste, sizeof waste);
    if (n > 0) {
        child->result->overflow = true;
        secret_wipe_bytes(waste, n);
    }
    return n;
}

static size_t take_error(struct child *child)
{
    char bytes[CHUNK];
    size_t n = read_pipe(&child->error, bytes, sizeof bytes);
    spawn_stderr_add(&child->said, bytes, n);
    secret_wipe_bytes(bytes, n);
    return n;
}

/* Waits for bytes or for the slice to end. Slices grow from 0 to STOP_SLICE_MS, and start from 0
 * again when a pipe closes, so that the end of a short command is seen at once. */
static void wait_slice(struct child *child)
{
    struct pollfd fds[2] = {{.fd = child->out, .events = POLLIN},
                            {.fd = child->error, .events = POLLIN}};
    int ready = poll(fds, 2, child->slice);
    int next = child->slice == 0 ? 1 : child->slice * 2;
    child->slice = next < STOP_SLICE_MS ? next : STOP_SLICE_MS;
    if (ready <= 0)
        return;
    if (fds[0].revents != 0)
        take_output(child);
    if (fds[1].revents != 0)
        take_error(child);
    if ((fds[0].fd >= 0 && child->out < 0) || (fds[1].fd >= 0 && child->error < 0))
        child->slice = 0;
}

static void send_group(struct child *child, int number, enum phase phase)
{
    kill(-child->pid, number);
    child->phase = phase;
}

/* Deadline and stop lead to TERM, TERM leads to KILL. */
static void enforce(struct child *child)
{
    const struct child_job *job = child->job;
    bool stop = job->stoppable && stop_count() > job->spared;
    if (child->phase == PHASE_RUNNING && (stop || clock_left(job->deadline) == 0)) {
        child->result->end = stop ? CHILD_STOPPED : CHILD_TIMEOUT;
        child->term_at = clock_ms();
        send_group(child, SIGTERM, PHASE_TERMED);
        kill(-child->pid, SIGCONT); /* a stopped process gets TERM only after this */
    } else if (child->phase == PHASE_TERMED && clock_ms() - child->term_at >= TERM_GRACE_MS) {
        send_group(child, SIGKILL, PHASE_KILLED);
        child->killed_at = clock_ms();
    }
}

/* Asks whether the command ended; -1: waitpid fails. */
static int reap(struct child *child, struct err *err)
{
    int status;
    pid_t pid = child->reaped ? 0 : spawn_wait(child->pid, &status, WNOHANG);
    if (pid < 0 && errno != EINTR)
        return err_errno(err, ERR_SYSTEM, errno, "cannot wait for a command");
    if (pid <= 0)
        return 0;
    child->reaped = true;
    child->result->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (child->phase == PHASE_RUNNING)
        child->result->end = WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;
    return 0;
}

/* True when nothing is left to wait for: the command ended by itself (what it left running in the
 * background is its own affair), or its group is empty, or was killed. One that may not be
 * signalled (sudo, a set-user-ID program), or hangs in the kernel, is left behind. */
static bool is_over(const struct child *child)
{
    if (child->phase == PHASE_KILLED && clock_ms() - child->killed_at >= TERM_GRACE_MS)
        return true;
    return child->reaped && (child->phase != PHASE_TERMED || kill(-child->pid, 0) < 0);
}

static void keep_idle(struct child *child)
{
    if (child->job->idle != NULL && clock_left(child->idle_at) == 0) {
        child->job->idle(child->job->idle_ctx);
        child->idle_at = clock_in(IDLE_EVERY_MS);
    }
}

static int watch(struct child *child, struct err *err)
{
    for (;;) {
        wait_slice(child);
        if (reap(child, err) < 0)
            return -1;
        if (is_over(child))
            return 0;
        enforce(child);
        keep_idle(child);
    }
}

/* What the pipes still hold; no longer than that, since something in the background may have them
 * open and write on and on. */
static void drain(struct child *child)
{
    size_t n = 1;
    for (size_t sum = 0; child->out >= 0 && n > 0 && sum < DRAIN_MAX; sum += n)
        n = take_output(child);
    n = 1;
    for (size_t sum = 0; child->error >= 0 && n > 0 && sum < DRAIN_MAX; sum += n)
        n = take_error(child);
}

static void finish(struct child *child)
{
    drain(child);
    close_fd(&child->out);
    close_fd(&child->error);
    spawn_stderr_end(&child->said);
}

int child_run(const struct child_job *job, struct child_result *result, struct err *err)
{
    memset(result, 0, sizeof *result);
    struct child child = {.job = job,
                          .result = result,
                          .idle_at = clock_in(IDLE_EVERY_MS),
                          .said = {.log = job->log}};
    struct buf *output = job->output;
    if (output != NULL && output->max - output->len <= AT_ONCE) {
        /* A buffer that grows leaves copies of its password in memory that was freed. */
        buf_reserve(output, output->max - output->len);
    }
    if (start(&child, err) < 0)
        return -1;
    int status = watch(&child, err);
    finish(&child);
    if (status < 0 || child.sunk.kind == ERR_NONE)
        return status;
    *err = child.sunk;
    return -1;
}
