/* SPDX-License-Identifier: ISC */
#include "base/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"
#include "base/xalloc.h"

#define OWN "FETCHPOP_"
#define ENVS 16      /* variables of one command */
#define ENV_MAX 8192 /* octets of them all */
#define FDS 3        /* input, output, error */
#define BROKER_FD 3

enum what { START, WAIT };

/* One datagram there, with the descriptors of a START, and one back. */
struct ask {
    uint32_t what;
    uint32_t command;     /* START: which of those that broker_begin was given */
    int32_t pid, options; /* WAIT */
    uint32_t envs;        /* START: how many "NAME=value" are in env, each with its NUL */
    char env[ENV_MAX];
};

struct answer {
    int32_t number; /* errno, or 0 */
    int32_t pid, status;
};

static struct {
    int fd;
    pid_t pid;
    const char **commands;
} broker = {.fd = -1};

static struct msghdr message_of(struct iovec *bytes, char *control, size_t room)
{
    return (struct msghdr){
        .msg_iov = bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
}

/* ---- in the broker ---- */

/* How many descriptors came with it. */
static size_t take_fds(struct msghdr *message, int fds[FDS])
{
    size_t count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        count = (part->cmsg_len - CMSG_LEN(0)) / sizeof fds[0];
        count = count < FDS ? count : FDS;
        memcpy(fds, CMSG_DATA(part), count * sizeof fds[0]);
    }
    for (size_t i = 0; i < count; i++)
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    return count;
}

/* The octets of a datagram, 0 at the end of all. */
static size_t receive(int fd, struct ask *ask, int fds[FDS], size_t *count)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(FDS * sizeof(int))];
    } control;
    struct iovec bytes = {ask, sizeof *ask};
    struct msghdr message = message_of(&bytes, control.bytes, sizeof control.bytes);
    ssize_t n;
    do {
        n = recvmsg(fd, &message, 0);
    } while (n < 0 && errno == EINTR);
    *count = n > 0 ? take_fds(&message, fds) : 0;
    return n > 0 ? (size_t)n : 0;
}

/* Whoever asks is not trusted: only variables of ours. */
static bool read_env(struct ask *ask, size_t len, const char *env[ENVS + 1])
{
    size_t at = 0, end = len - offsetof(struct ask, env);
    for (uint32_t i = 0; i < ask->envs; i++) {
        const char *nul = at < end ? memchr(ask->env + at, '\0', end - at) : NULL;
        if (i == ENVS || nul == NULL || strncmp(ask->env + at, OWN, strlen(OWN)) != 0)
            return false;
        env[i] = ask->env + at;
        env[i + 1] = NULL;
        at = (size_t)(nul - ask->env) + 1;
    }
    return true;
}

static const char *command_of(uint32_t number)
{
    const char **command = broker.commands;
    while (number-- > 0 && *command != NULL)
        command++;
    return *command;
}

static int start_for(struct ask *ask, size_t len, const int fds[FDS], pid_t *pid)
{
    const char *env[ENVS + 1] = {NULL};
    const char *command = command_of(ask->command);
    if (command == NULL || !read_env(ask, len, env))
        return EACCES;
    const struct spawn spawn = {
        .command = command, .env = env, .input = fds[0], .output = fds[1], .error = fds[2]};
    return spawn_command(&spawn, pid);
}

static struct answer answer_to(struct ask *ask, size_t len, const int fds[FDS], size_t count)
{
    struct answer answer = {.number = EINVAL};
    if (len < offsetof(struct ask, env))
        return answer;
    if (ask->what == WAIT) {
        int status = 0;
        answer.pid = (int32_t)waitpid(ask->pid, &status, ask->options);
        answer.number = answer.pid < 0 ? errno : 0;
        answer.status = status;
    } else if (ask->what == START && count == FDS) {
        pid_t pid = 0;
        answer.number = start_for(ask, len, fds, &pid);
        answer.pid = (int32_t)pid;
    }
    return answer;
}

/* A signal to end is for the process that we work for; we end with it. */
static _Noreturn void serve(int fd)
{
    struct ask ask;
    int fds[FDS];
    size_t count, len;
    if (fd != BROKER_FD && dup2(fd, BROKER_FD) < 0)
        _exit(1);
    fcntl(BROKER_FD, F_SETFD, FD_CLOEXEC);
    spawn_close_from(BROKER_FD + 1);
    while ((len = receive(BROKER_FD, &ask, fds, &count)) > 0) {
        struct answer answer = answer_to(&ask, len, fds, count);
        while (count > 0)
            close(fds[--count]);
        if (send(BROKER_FD, &answer, sizeof answer, 0) < 0)
            break;
    }
    _exit(0);
}

/* ---- in the process in the sandbox ---- */

/* What its commands did nobody can tell any more, as if we had been killed while they ran; so that
 * is how we end, and the next run recovers. */
static _Noreturn void end_with_broker(void)
{
    int status = 0;
    while (waitpid(broker.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    abort();
}

/* errno, or 0. */
static int exchange(struct ask *ask, size_t len, const int *fds, struct answer *answer)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(FDS * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec bytes = {ask, len};
    struct msghdr message = message_of(&bytes, fds != NULL ? control.bytes : NULL,
                                       fds != NULL ? sizeof control.bytes : 0);
    if (fds != NULL) {
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(FDS * sizeof fds[0]);
        memcpy(CMSG_DATA(part), fds, FDS * sizeof fds[0]);
    }
    ssize_t n;
    do {
        n = sendmsg(broker.fd, &message, 0);
    } while (n < 0 && errno == EINTR);
    while (n > 0 && (n = recv(broker.fd, answer, sizeof *answer, 0)) < 0 && errno == EINTR)
        n = 1;
    if (n != (ssize_t)sizeof *answer)
        end_with_broker();
    return answer->number;
}

static int add_env(struct ask *ask, const char *const *env, size_t *used)
{
    for (; env != NULL && *env != NULL; env++) {
        size_t len = strlen(*env) + 1;
        if (len > ENV_MAX - *used || ask->envs == ENVS)
            return E2BIG;
        memcpy(ask->env + *used, *env, len);
        *used += len;
        ask->envs++;
    }
    return 0;
}

static int start_through(const struct spawn *spawn, pid_t *pid)
{
    struct ask ask = {.what = START};
    struct answer answer;
    size_t used = 0;
    const int fds[FDS] = {spawn->input, spawn->output, spawn->error};
    while (broker.commands[ask.command] != NULL &&
           strcmp(broker.commands[ask.command], spawn->command) != 0)
        ask.command++;
    int number = add_env(&ask, spawn->env, &used);
    if (number == 0)
        number = exchange(&ask, offsetof(struct ask, env) + used, fds, &answer);
    if (number == 0)
        *pid = (pid_t)answer.pid;
    return number;
}

static pid_t wait_through(pid_t pid, int *status, int options)
{
    struct ask ask = {.what = WAIT, .pid = (int32_t)pid, .options = options};
    struct answer answer;
    int number = exchange(&ask, offsetof(struct ask, env), NULL, &answer);
    if (number != 0) {
        errno = number;
        return -1;
    }
    if (status != NULL)
        *status = answer.status;
    return (pid_t)answer.pid;
}

int broker_begin(const char *const *commands, struct err *err)
{
    static const struct spawn_agent agent = {start_through, wait_through};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        return err_errno(err, ERR_SYSTEM, errno, "cannot enter the sandbox (socketpair)");
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    size_t count = 0;
    while (commands[count] != NULL)
        count++;
    broker.commands = xcalloc(count + 1, sizeof *broker.commands);
    memcpy(broker.commands, commands, count * sizeof *commands);
    broker.pid = fork();
    if (broker.pid == 0)
        serve(ends[1]);
    int number = errno;
    close(ends[1]);
    if (broker.pid < 0) {
        close(ends[0]);
        free(broker.commands);
        broker.commands = NULL;
        return err_errno(err, ERR_SYSTEM, number, "cannot enter the sandbox (fork)");
    }
    broker.fd = ends[0];
    spawn_delegate(&agent);
    return 0;
}

void broker_end(void)
{
    if (broker.fd < 0)
        return;
    close(broker.fd);
    broker.fd = -1;
    free(broker.commands);
    broker.commands = NULL;
    spawn_delegate(NULL);
    while (waitpid(broker.pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
