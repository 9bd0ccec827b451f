/* SPDX-License-Identifier: ISC */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined FP_LINUX
#include <sys/prctl.h>
#elif defined __FreeBSD__
#include <sys/procctl.h>
#endif

#include "base/file.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/xalloc.h"

/* NOLINTNEXTLINE(readability-redundant-declaration): glibc declares it, POSIX does not */
extern char **environ;

#define REPORT_FD 3    /* tells the parent why exec failed, and closes if it did not */
#define FD_BOUND 65536 /* where closing one by one ends */

static int command_umask = -1; /* -1: that of the process */
static const struct spawn_agent *agent;

/* Everything the child needs, made before fork: after it, no memory may be allocated. */
struct launch {
    const struct spawn *spawn;
    char **env;
    int report;
    pid_t parent;
};

static size_t count_env(const char *const *env)
{
    size_t count = 0;
    while (env != NULL && env[count] != NULL)
        count++;
    return count;
}

/* True if `more` has another value for the variable of `entry` ("NAME=value"). */
static bool is_replaced(const char *entry, const char *const *more)
{
    size_t name = strcspn(entry, "=");
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        if (strncmp(more[i], entry, name) == 0 && more[i][name] == '=')
            return true;
    return false;
}

/* Our environment with the caller's variables; the array is malloced, the strings are borrowed. */
static char **make_env(const char *const *more)
{
    size_t ours = count_env((const char *const *)environ);
    size_t extra = count_env(more);
    char **env = xcalloc(ours + extra + 1, sizeof *env);
    size_t at = 0;
    for (size_t i = 0; i < ours; i++)
        if (!is_replaced(environ[i], more))
            env[at++] = environ[i];
    /* execve(2) promises not to change the strings, but its type does not say so. */
    if (extra > 0)
        memcpy(env + at, more, extra * sizeof *env);
    return env;
}

static struct {
    bool raised;
    struct rlimit before;
} files;

size_t spawn_raise_files(size_t want)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    struct rlimit more = {.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max,
                          .rlim_max = limit.rlim_max};
    if (limit.rlim_cur < more.rlim_cur && setrlimit(RLIMIT_NOFILE, &more) == 0) {
        if (!files.raised)
            files.before = limit;
        files.raised = true;
        limit = more;
    }
    return (size_t)limit.rlim_cur;
}

/* ---- in the child, between fork and exec ---- */

static _Noreturn void report_failure(int report)
{
    int number = errno;
    ssize_t n = write(report, &number, sizeof number);
    _exit(n < 0 ? 126 : 127);
}

/* What is ignored stays so, as for any command; but PIPE and XFSZ were ignored by ourselves. */
static void reset_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 &&
            (action.sa_handler != SIG_IGN || number == SIGPIPE || number == SIGXFSZ))
            signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of a command: ours are all close-on-exec; this is for those that we inherited. */
void spawn_close_from(int first)
{
#if defined(SYS_close_range) && !defined(FP_PORTABLE)
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    long bound = sysconf(_SC_OPEN_MAX);
    if (bound < 0 || bound > FD_BOUND)
        bound = FD_BOUND;
    for (int fd = first; fd < bound; fd++)
        close(fd);
}

/* A copy out of the way of 0 to 3, whatever numbers the parent had free. */
static int move_up(int fd, int report)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    if (moved < 0)
        report_failure(report);
    return moved;
}

static _Noreturn void exec_command(const struct launch *launch)
{
    const struct spawn *spawn = launch->spawn;
    setpgid(0, 0);
    int report = move_up(launch->report, launch->report);
    int input = move_up(spawn->input, report);
    int output = move_up(spawn->output, report);
    int error = move_up(spawn->error, report);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(error, STDERR_FILENO) < 0 || dup2(report, REPORT_FD) < 0 ||
        fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) < 0)
        report_failure(report);
    spawn_close_from(REPORT_FD + 1);
    reset_signals();
    if (command_umask >= 0)
        umask((mode_t)command_umask);
    if (files.raised)
        setrlimit(RLIMIT_NOFILE, &files.before);
    if (!spawn_die_with(launch->parent))
        _exit(126);
    execle("/bin/sh", "sh", "-c", spawn->command, (char *)NULL, launch->env);
    report_failure(REPORT_FD);
}

/* ---- in the parent ---- */

/* A process that is killed cannot end its children any more; so the kernel is asked to. */
bool spawn_die_with(pid_t parent)
{
#if defined FP_LINUX
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#elif defined __FreeBSD__
    int number = SIGTERM;
    procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &number);
#endif
    return getppid() == parent;
}

/* Signals are blocked meanwhile, so that our handlers note none in the child, where it is lost. */
static pid_t fork_blocked(const struct launch *launch)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        exec_command(launch);
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

/* launch->report is closed on the way. */
static int start(const struct launch *launch, int read_end, pid_t *pid)
{
    *pid = fork_blocked(launch);
    int number = *pid < 0 ? errno : 0;
    close(launch->report);
    if (number != 0)
        return number;
    setpgid(*pid, *pid); /* the child does so too; whoever is first */
    number = read_report(read_end);
    while (number != 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return number;
}

void spawn_set_umask(mode_t mask)
{
    command_umask = (int)mask;
}

int spawn_command(const struct spawn *spawn, pid_t *pid)
{
    int report[2];
    if (agent != NULL)
        return agent->start(spawn, pid);
    if (file_pipe(report) < 0)
        return errno;
    struct launch launch = {
        .spawn = spawn,
        .env = make_env(spawn->env),
        .report = report[1],
        .parent = getpid(),
    };
    int number = start(&launch, report[0], pid);
    free(launch.env);
    close(report[0]);
    return number;
}

pid_t spawn_wait(pid_t pid, int *status, int options)
{
    return agent != NULL ? agent->wait(pid, status, options) : waitpid(pid, status, options);
}

void spawn_delegate(const struct spawn_agent *other)
{
    agent = other;
}

/* ---- its standard error ---- */

static void end_line(struct spawn_stderr *from)
{
    struct str line = str_trim(str_of(from->line, from->len));
    if (line.len > 0 && ++from->lines <= SPAWN_STDERR_LINES) {
        char shown[LOG_QUOTE_MAX + 4];
        log_line(from->log, FP_LOG_WARNING, "command: %s", log_quote(from->log, line, shown));
    }
    from->len = 0;
}

void spawn_stderr_add(struct spawn_stderr *from, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n')
            end_line(from);
        else if (from->len < sizeof from->line)
            from->line[from->len++] = bytes[i];
}

void spawn_stderr_end(struct spawn_stderr *from)
{
    end_line(from);
    if (from->lines > SPAWN_STDERR_LINES)
        log_line(from->log, FP_LOG_WARNING, "command: ... and %u more lines",
                 from->lines - SPAWN_STDERR_LINES);
    secret_wipe_bytes(from->line, sizeof from->line);
}
