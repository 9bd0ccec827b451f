#include "base/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/secret.h"
#include "base/str.h"
#include "base/xalloc.h"

/* NOLINTNEXTLINE(readability-redundant-declaration): glibc declares it, POSIX does not */
extern char **environ;

#define REPORT_FD 3    /* tells the parent why exec failed, and closes if it did not */
#define FD_BOUND 65536 /* where closing one by one ends */

/* Everything the child needs, made before fork: after it, no memory may be asked for. */
struct outfit {
    const struct birth *birth;
    char **env;
    int report;
    pid_t parent;
};

static size_t count_env(char *const *env)
{
    size_t count = 0;
    while (env[count] != NULL)
        count++;
    return count;
}

/* True if `entry` ("NAME=value") is given anew in `more`. */
static bool is_replaced(const char *entry, const char *const *more)
{
    size_t name = strcspn(entry, "=");
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        if (strncmp(more[i], entry, name) == 0 && more[i][name] == '=')
            return true;
    return false;
}

/* Our environment with the caller's words; the array is the caller's, the strings are borrowed. */
static char **make_env(const char *const *more)
{
    size_t ours = environ != NULL ? count_env(environ) : 0;
    size_t extra = 0;
    while (more != NULL && more[extra] != NULL)
        extra++;
    char **env = xcalloc(ours + extra + 1, sizeof *env);
    size_t at = 0;
    for (size_t i = 0; i < ours; i++)
        if (!is_replaced(environ[i], more))
            env[at++] = environ[i];
    /* execve(2) promises to leave the strings alone, and cannot say so in its type. */
    if (extra > 0)
        memcpy(env + at, more, extra * sizeof *env);
    return env;
}

int birth_pipe(int ends[2])
{
    if (pipe(ends) < 0) {
        ends[0] = ends[1] = -1;
        return -1;
    }
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* ---- in the child, between fork and exec ---- */

static _Noreturn void give_up(int report)
{
    int number = errno;
    ssize_t n = write(report, &number, sizeof number);
    _exit(n < 0 ? 126 : 127);
}

/* What is ignored stays so, as for any command; but these were ignored by ourselves. */
static bool is_ignored_by_us(int number)
{
    return number == SIGPIPE || number == SIGXFSZ;
}

static void reset_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 &&
            (action.sa_handler != SIG_IGN || is_ignored_by_us(number)))
            signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ours are close-on-exec all; this is for those that we were born with. */
static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    long bound = sysconf(_SC_OPEN_MAX);
    if (bound < 0 || bound > FD_BOUND)
        bound = FD_BOUND;
    for (int fd = first; fd < bound; fd++)
        close(fd);
}

/* Out of the way of 0 to 3, whatever numbers the parent had free. */
static int park(int fd, int report)
{
    int parked = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    if (parked < 0)
        give_up(report);
    return parked;
}

/* A worker that is killed cannot end its commands any more; so the kernel is asked to. */
static void die_with(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(126);
#else
    (void)parent;
#endif
}

static _Noreturn void become(const struct outfit *outfit)
{
    const struct birth *birth = outfit->birth;
    setpgid(0, 0);
    int report = park(outfit->report, outfit->report);
    int input = park(birth->input, report);
    int output = park(birth->output, report);
    int complaints = park(birth->complaints, report);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(complaints, STDERR_FILENO) < 0 || dup2(report, REPORT_FD) < 0 ||
        fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) < 0)
        give_up(report);
    close_from(REPORT_FD + 1);
    reset_signals();
    die_with(outfit->parent);
    execle("/bin/sh", "sh", "-c", birth->command, (char *)NULL, outfit->env);
    give_up(REPORT_FD);
}

/* ---- in the parent ---- */

/* Signals wait while there are two of us, so that none is noted in the child by our handlers and
 * lost there. */
static pid_t fork_blocked(const struct outfit *outfit)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(outfit);
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

/* The descriptor for writing is closed on the way. */
static int bear(const struct outfit *outfit, int read_end, pid_t *pid)
{
    *pid = fork_blocked(outfit);
    int number = *pid < 0 ? errno : 0;
    close(outfit->report);
    if (number != 0)
        return number;
    setpgid(*pid, *pid); /* the child does so too; whoever is first */
    number = read_report(read_end);
    if (number != 0)
        reap_now(*pid);
    return number;
}

int birth_command(const struct birth *birth, pid_t *pid)
{
    int report[2];
    if (birth_pipe(report) < 0)
        return errno;
    struct outfit outfit = {
        .birth = birth,
        .env = make_env(birth->env),
        .report = report[1],
        .parent = getpid(),
    };
    int number = bear(&outfit, report[0], pid);
    free(outfit.env);
    close(report[0]);
    return number;
}

/* ---- what it says ---- */

static void end_line(struct birth_complaints *said)
{
    struct str line = str_trim(str_of(said->line, said->len));
    if (line.len > 0 && ++said->lines <= BIRTH_COMPLAINTS) {
        char shown[LOG_QUOTE_MAX + 4];
        log_line(said->log, FP_LOG_WARNING, "command: %s", log_quote(said->log, line, shown));
    }
    said->len = 0;
}

void birth_complain(struct birth_complaints *said, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n')
            end_line(said);
        else if (said->len < sizeof said->line)
            said->line[said->len++] = bytes[i];
}

void birth_end_complaints(struct birth_complaints *said)
{
    end_line(said);
    if (said->lines > BIRTH_COMPLAINTS) {
        log_line(said->log, FP_LOG_WARNING, "command: ... and %u more lines",
                 said->lines - BIRTH_COMPLAINTS);
    }
    secret_wipe_bytes(said->line, sizeof said->line);
}
