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

#include "base/birth.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/xalloc.h"

#define TERM_GRACE_MS 2000
#define IDLE_EVERY_MS 500
#define CHUNK 4096
#define AT_ONCE (2 * SECRET_MAX) /* of output, had in memory from the start */
#define DRAIN_MAX (1024 * 1024)  /* what a pipe may still hold when its writer has ended */

enum phase { PHASE_RUNNING, PHASE_TERMED, PHASE_KILLED };

/* One command under way. */
struct run {
    const struct child_job *job;
    struct child_result *result;
    pid_t pid;
    int out; /* our ends of its pipes; -1: closed, or none */
    int complaints;
    enum phase phase;
    int64_t killed_at; /* when TERM was sent */
    bool reaped;
    int slice; /* ms of the next wait */
    int64_t idle_at;
    struct birth_complaints said;
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int start(struct run *run, struct err *err)
{
    const struct child_job *job = run->job;
    int out[2] = {-1, -1};
    int complaints[2] = {-1, -1};
    int null = file_open("/dev/null", O_RDWR, 0);
    int number;
    if (null < 0 || (job->output != NULL && birth_pipe(out) < 0) || birth_pipe(complaints) != 0) {
        number = errno;
    } else {
        const struct birth birth = {
            .command = job->command,
            .env = job->env,
            .input = job->input >= 0 ? job->input : null,
            .output = job->output != NULL ? out[1] : null,
            .complaints = complaints[1],
        };
        number = birth_command(&birth, &run->pid);
    }
    close_fd(&null);
    close_fd(&out[1]);
    close_fd(&complaints[1]);
    run->out = out[0];
    run->complaints = complaints[0];
    if (number != 0) {
        close_fd(&run->out);
        close_fd(&run->complaints);
        return err_errno(err, ERR_SYSTEM, number, "cannot start a command");
    }
    if (run->out >= 0)
        fcntl(run->out, F_SETFL, O_NONBLOCK);
    fcntl(run->complaints, F_SETFL, O_NONBLOCK);
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

/* Reads into the job's own buffer, since it may be a password: no copy stays elsewhere. What has
 * no room there is read and dropped, so that the command does not hang on a full pipe. */
static size_t take_output(struct run *run)
{
    struct buf *buf = run->job->output;
    assert(buf != NULL); /* without one there is no pipe */
    size_t room = buf->max - buf->len;
    if (room > 0) {
        size_t want = room < CHUNK ? room : CHUNK;
        size_t n = read_pipe(&run->out, buf_reserve(buf, want), want);
        buf->len += n;
        return n;
    }
    char waste[CHUNK];
    size_t n = read_pipe(&run->out, waste, sizeof waste);
    if (n > 0) {
        run->result->overflow = true;
        secret_wipe_bytes(waste, n);
    }
    return n;
}

static size_t take_complaints(struct run *run)
{
    char bytes[CHUNK];
    size_t n = read_pipe(&run->complaints, bytes, sizeof bytes);
    birth_complain(&run->said, bytes, n);
    secret_wipe_bytes(bytes, n);
    return n;
}

/* Waits for bytes or for the slice to end. Slices grow from 0 to STOP_SLICE_MS, and begin anew
 * when a pipe closes, so that the end of a short command is seen at once. */
static void wait_slice(struct run *run)
{
    struct pollfd fds[2] = {{.fd = run->out, .events = POLLIN},
                            {.fd = run->complaints, .events = POLLIN}};
    int ready = poll(fds, 2, run->slice);
    int next = run->slice == 0 ? 1 : run->slice * 2;
    run->slice = next < STOP_SLICE_MS ? next : STOP_SLICE_MS;
    if (ready <= 0)
        return;
    if (fds[0].revents != 0)
        take_output(run);
    if (fds[1].revents != 0)
        take_complaints(run);
    if ((fds[0].fd >= 0 && run->out < 0) || (fds[1].fd >= 0 && run->complaints < 0))
        run->slice = 0;
}

static void send_group(struct run *run, int number, enum phase phase)
{
    kill(-run->pid, number);
    run->phase = phase;
}

/* Deadline and stop lead to TERM, TERM leads to KILL. */
static void press(struct run *run)
{
    const struct child_job *job = run->job;
    bool stop = job->stoppable && stop_asked();
    if (run->phase == PHASE_RUNNING && (stop || clock_left(job->deadline) == 0)) {
        run->result->end = stop ? CHILD_STOPPED : CHILD_TIMEOUT;
        run->killed_at = clock_ms();
        send_group(run, SIGTERM, PHASE_TERMED);
        kill(-run->pid, SIGCONT); /* a stopped one hears TERM only so */
    } else if (run->phase == PHASE_TERMED && clock_ms() - run->killed_at >= TERM_GRACE_MS) {
        send_group(run, SIGKILL, PHASE_KILLED);
    }
}

/* Asks whether the command ended; -1 if nobody can tell. */
static int reap(struct run *run, struct err *err)
{
    int status;
    pid_t pid = run->reaped ? 0 : waitpid(run->pid, &status, WNOHANG);
    if (pid < 0 && errno != EINTR)
        return err_errno(err, ERR_SYSTEM, errno, "lost sight of a command");
    if (pid <= 0)
        return 0;
    run->reaped = true;
    run->result->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (run->phase == PHASE_RUNNING)
        run->result->end = WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;
    return 0;
}

/* True when nothing is left to wait for: the command ended by itself (what it left running in the
 * background is its own affair), or its group is empty, or was killed. */
static bool is_over(const struct run *run)
{
    return run->reaped && (run->phase != PHASE_TERMED || kill(-run->pid, 0) < 0);
}

static void keep_idle(struct run *run)
{
    if (run->job->idle != NULL && clock_left(run->idle_at) == 0) {
        run->job->idle(run->job->idle_ctx);
        run->idle_at = clock_in(IDLE_EVERY_MS);
    }
}

static int watch(struct run *run, struct err *err)
{
    for (;;) {
        wait_slice(run);
        if (reap(run, err) < 0)
            return -1;
        if (is_over(run))
            return 0;
        press(run);
        keep_idle(run);
    }
}

/* What the pipes still hold; no longer than that, since something in the background may have them
 * open and write on and on. */
static void drain(struct run *run)
{
    size_t n = 1;
    for (size_t sum = 0; run->out >= 0 && n > 0 && sum < DRAIN_MAX; sum += n)
        n = take_output(run);
    n = 1;
    for (size_t sum = 0; run->complaints >= 0 && n > 0 && sum < DRAIN_MAX; sum += n)
        n = take_complaints(run);
}

static void finish(struct run *run)
{
    drain(run);
    close_fd(&run->out);
    close_fd(&run->complaints);
    birth_end_complaints(&run->said);
}

int child_run(const struct child_job *job, struct child_result *result, struct err *err)
{
    memset(result, 0, sizeof *result);
    struct run run = {.job = job,
                      .result = result,
                      .idle_at = clock_in(IDLE_EVERY_MS),
                      .said = {.log = job->log}};
    struct buf *output = job->output;
    if (output != NULL && output->max - output->len <= AT_ONCE) {
        /* A buffer that grows leaves copies of its password in memory that was freed. */
        buf_reserve(output, output->max - output->len);
    }
    if (start(&run, err) < 0)
        return -1;
    int status = watch(&run, err);
    finish(&run);
    return status;
}
