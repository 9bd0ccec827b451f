#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/xalloc.h"

extern char **environ;

#define TERM_GRACE_MS 2000
#define IDLE_EVERY_MS 500
#define CHUNK 4096
#define AT_ONCE (2 * SECRET_MAX) /* of output, had in memory from the start */
#define DRAIN_MAX (1024 * 1024)  /* what a pipe may still hold when its writer has ended */
#define COMPLAINT_MAX 1024       /* of one line of standard error */
#define COMPLAINTS 20            /* lines that are logged */
#define REPORT_FD 3              /* tells the parent why exec failed, and closes if it did not */
#define FD_BOUND 65536           /* where closing one by one ends */

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
    char line[COMPLAINT_MAX];
    size_t line_len;
    unsigned lines;
};

/* Everything the child needs, made before fork: after it, no memory may be asked for. */
struct birth {
    const char *command;
    char **env;
    int input;
    int output;
    int complaints;
    int report;
};

static size_t count_env(char *const *env)
{
    size_t count = 0;
    while (env[count] != NULL) {
        count++;
    }
    return count;
}

/* True if `entry` ("NAME=value") is given anew in `more`. */
static bool is_replaced(const char *entry, const char *const *more)
{
    size_t name = strcspn(entry, "=");
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        if (strncmp(more[i], entry, name) == 0 && more[i][name] == '=') {
            return true;
        }
    }
    return false;
}

/* Our environment with the job's words; the array is the caller's, the strings are borrowed. */
static char **make_env(const char *const *more)
{
    size_t ours = environ != NULL ? count_env(environ) : 0;
    size_t extra = 0;
    while (more != NULL && more[extra] != NULL) {
        extra++;
    }
    char **env = xcalloc(ours + extra + 1, sizeof *env);
    size_t at = 0;
    for (size_t i = 0; i < ours; i++) {
        if (!is_replaced(environ[i], more)) {
            env[at++] = environ[i];
        }
    }
    /* execve(2) promises to leave the strings alone, and cannot say so in its type. */
    if (extra > 0) {
        memcpy(env + at, more, extra * sizeof *env);
    }
    return env;
}

/* 0, or -1 with errno. */
static int make_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1;
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- in the child, between fork and exec ---- */

static _Noreturn void give_up(int report)
{
    int number = errno;
    ssize_t n = write(report, &number, sizeof number);
    _exit(n < 0 ? 126 : 127);
}

/* What is ignored stays so, as for any command; but PIPE was ignored by us, not by our starter. */
static void reset_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) == 0 &&
            (action.sa_handler != SIG_IGN || number == SIGPIPE)) {
            signal(number, SIG_DFL);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ours are close-on-exec all; this is for those that we were born with. */
static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0) {
        return;
    }
#endif
    long bound = sysconf(_SC_OPEN_MAX);
    if (bound < 0 || bound > FD_BOUND) {
        bound = FD_BOUND;
    }
    for (int fd = first; fd < bound; fd++) {
        close(fd);
    }
}

/* Out of the way of 0 to 3, whatever numbers the parent had free. */
static int park(int fd, int report)
{
    int parked = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    if (parked < 0) {
        give_up(report);
    }
    return parked;
}

static _Noreturn void become(const struct birth *birth)
{
    setpgid(0, 0);
    int report = park(birth->report, birth->report);
    int input = park(birth->input, report);
    int output = park(birth->output, report);
    int complaints = park(birth->complaints, report);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(complaints, STDERR_FILENO) < 0 || dup2(report, REPORT_FD) < 0 ||
        fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) < 0) {
        give_up(report);
    }
    close_from(REPORT_FD + 1);
    reset_signals();
    execle("/bin/sh", "sh", "-c", birth->command, (char *)NULL, birth->env);
    give_up(REPORT_FD);
}

/* ---- in the parent ---- */

/* Signals wait while there are two of us, so that none is noted in the child by our handlers and
 * lost there. */
static pid_t fork_blocked(const struct birth *birth)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        become(birth);
    }
    int number = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return pid;
}

/* 0 once exec succeeded, else the errno that the child reports. */
static int read_report(int fd)
{
    int number = 0;
    ssize_t n;
    do {
        n = read(fd, &number, sizeof number);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof number ? number : 0;
}

static void reap_now(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Forks; everything in birth but the report exists already. 0, or errno and nobody was born. */
static int give_birth(struct run *run, struct birth *birth, int report[2])
{
    birth->report = report[1];
    run->pid = fork_blocked(birth);
    if (run->pid < 0) {
        return errno;
    }
    setpgid(run->pid, run->pid); /* the child does so too; whoever is first */
    close_fd(&report[1]);
    int number = read_report(report[0]);
    if (number != 0) {
        reap_now(run->pid);
    }
    return number;
}

static int start(struct run *run, struct err *err)
{
    const struct child_job *job = run->job;
    int out[2] = {-1, -1};
    int complaints[2] = {-1, -1};
    int report[2] = {-1, -1};
    int null = file_open("/dev/null", O_RDWR, 0);
    int number = 0;
    if (null < 0 || (job->output != NULL && make_pipe(out) != 0) || make_pipe(complaints) != 0 ||
        make_pipe(report) != 0) {
        number = errno;
    } else {
        struct birth birth = {
            .command = job->command,
            .env = make_env(job->env),
            .input = job->input >= 0 ? job->input : null,
            .output = job->output != NULL ? out[1] : null,
            .complaints = complaints[1],
        };
        number = give_birth(run, &birth, report);
        free(birth.env);
    }
    close_fd(&null);
    close_fd(&out[1]);
    close_fd(&complaints[1]);
    close_fd(&report[0]);
    close_fd(&report[1]);
    run->out = out[0];
    run->complaints = complaints[0];
    if (number != 0) {
        close_fd(&run->out);
        close_fd(&run->complaints);
        return err_errno(err, ERR_SYSTEM, number, "cannot start a command");
    }
    if (run->out >= 0) {
        fcntl(run->out, F_SETFL, O_NONBLOCK);
    }
    fcntl(run->complaints, F_SETFL, O_NONBLOCK);
    return 0;
}

/* The line of standard error that is complete, if it says anything. */
static void end_line(struct run *run)
{
    struct str line = str_trim(str_of(run->line, run->line_len));
    if (line.len > 0 && ++run->lines <= COMPLAINTS) {
        char shown[LOG_QUOTE_MAX + 4];
        log_line(run->job->log, FP_LOG_WARNING, "command: %s",
                 log_quote(run->job->log, line, shown));
    }
    run->line_len = 0;
}

static void take_complaint(struct run *run, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            end_line(run);
        } else if (run->line_len < sizeof run->line) {
            run->line[run->line_len++] = bytes[i];
        }
    }
}

/* One read from a pipe of ours: how many bytes, 0 if there are none now. At its end, closes it. */
static size_t read_pipe(int *fd, char *bytes, size_t len)
{
    ssize_t n = read(*fd, bytes, len);
    if (n > 0) {
        return (size_t)n;
    }
    if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
        close_fd(fd);
    }
    return 0;
}

/* Reads into the job's own buffer, since it may be a password: no copy stays elsewhere. What has
 * no room there is read and dropped, so that the command does not hang on a full pipe. */
static size_t take_output(struct run *run)
{
    struct buf *buf = run->job->output;
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
    take_complaint(run, bytes, n);
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
    if (ready <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        take_output(run);
    }
    if (fds[1].revents != 0) {
        take_complaints(run);
    }
    if ((fds[0].fd >= 0 && run->out < 0) || (fds[1].fd >= 0 && run->complaints < 0)) {
        run->slice = 0;
    }
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
    if (pid < 0 && errno != EINTR) {
        return err_errno(err, ERR_SYSTEM, errno, "lost sight of a command");
    }
    if (pid <= 0) {
        return 0;
    }
    run->reaped = true;
    run->result->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (run->phase == PHASE_RUNNING) {
        run->result->end = WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;
    }
    return 0;
}

/* True when nothing is left to wait for: the command ended by itself (what it left running in the
 * background is its own affair), or its group is empty, or was killed. */
static bool is_over(const struct run *run)
{
    return run->reaped && (run->phase != PHASE_TERMED || kill(-run->pid, 0) != 0);
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
        if (reap(run, err) != 0) {
            return -1;
        }
        if (is_over(run)) {
            return 0;
        }
        press(run);
        keep_idle(run);
    }
}

/* What the pipes still hold; no longer than that, since something in the background may have them
 * open and write on and on. */
static void drain(struct run *run)
{
    size_t n = 1;
    for (size_t sum = 0; run->out >= 0 && n > 0 && sum < DRAIN_MAX; sum += n) {
        n = take_output(run);
    }
    n = 1;
    for (size_t sum = 0; run->complaints >= 0 && n > 0 && sum < DRAIN_MAX; sum += n) {
        n = take_complaints(run);
    }
}

static void finish(struct run *run)
{
    drain(run);
    close_fd(&run->out);
    close_fd(&run->complaints);
    end_line(run);
    if (run->lines > COMPLAINTS) {
        log_line(run->job->log, FP_LOG_WARNING, "command: ... and %u more lines",
                 run->lines - COMPLAINTS);
    }
    secret_wipe_bytes(run->line, sizeof run->line);
}

int child_run(const struct child_job *job, struct child_result *result, struct err *err)
{
    memset(result, 0, sizeof *result);
    struct run run = {.job = job, .result = result, .idle_at = clock_in(IDLE_EVERY_MS)};
    struct buf *output = job->output;
    if (output != NULL && output->max - output->len <= AT_ONCE) {
        /* A buffer that grows leaves copies of its password in memory that was freed. */
        buf_reserve(output, output->max - output->len);
    }
    if (start(&run, err) != 0) {
        return -1;
    }
    int status = watch(&run, err);
    finish(&run);
    return status;
}
