/* SPDX-License-Identifier: ISC */
#include "net/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "net/sock.h"

#define CLOSED_MS 1000 /* from the end of the connection to TERM */
#define TERM_MS 2000   /* from TERM to KILL */
#define SLICE_MS 20
#define CHUNK 4096
#define ROUNDS 64 /* reads at once from a command that never stops writing */

struct command {
    pid_t pid;
    int error; /* our end of its standard error; -1: it has closed it */
    bool ended;
    int status;
    struct spawn_stderr said;
};

static int make_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -1;
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void close_both(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* 0, or errno and everything is closed; with 0, line[1] and error[1] are. */
static int start(const char *text, const char *const *env, int line[2], int error[2], pid_t *pid)
{
    if (make_pair(line) < 0)
        return errno;
    if (file_pipe(error) < 0) {
        int number = errno;
        close_both(line);
        return number;
    }
    const struct spawn spawn = {
        .command = text, .env = env, .input = line[1], .output = line[1], .error = error[1]};
    int number = spawn_command(&spawn, pid);
    if (number != 0) {
        close_both(line);
        close_both(error);
        return number;
    }
    close(line[1]);
    close(error[1]);
    return 0;
}

int command_start(struct command **made, const char *text, const char *const *env,
                  const struct log *log, int *fd, struct err *err)
{
    int line[2] = {-1, -1}, error[2] = {-1, -1};
    pid_t pid = -1;
    *made = NULL;
    int number = start(text, env, line, error, &pid);
    if (number != 0)
        return err_errno(err, ERR_SYSTEM, number, "connect_command cannot be started");
    fcntl(error[0], F_SETFL, O_NONBLOCK);
    struct command *command = xcalloc(1, sizeof *command);
    command->pid = pid;
    command->error = error[0];
    command->said.log = log;
    *fd = line[0];
    *made = command;
    return 0;
}

int command_fd(const struct command *command)
{
    return command->error;
}

void command_log(struct command *command)
{
    char bytes[CHUNK];
    for (int i = 0; i < ROUNDS && command->error >= 0; i++) {
        ssize_t n = read(command->error, bytes, sizeof bytes);
        if (n > 0) {
            spawn_stderr_add(&command->said, bytes, (size_t)n);
        } else if (n == 0 || (!sock_is_busy(errno) && errno != EINTR)) {
            close(command->error);
            command->error = -1;
        } else {
            break;
        }
    }
}

static bool has_ended(struct command *command)
{
    if (!command->ended && spawn_wait(command->pid, &command->status, WNOHANG) == command->pid)
        command->ended = true;
    return command->ended;
}

/* Its standard error is read meanwhile, else it might hang on a full pipe. */
bool command_has_ended(struct command *command, int64_t ms, int *status)
{
    int64_t deadline = clock_in(ms);
    while (!has_ended(command) && clock_left(deadline) > 0) {
        struct pollfd said = {.fd = command->error, .events = POLLIN};
        poll(&said, 1, SLICE_MS);
        command_log(command);
    }
    *status = command->status;
    return command->ended;
}

void command_end(struct command *command)
{
    int status;
    if (command == NULL)
        return;
    if (!command_has_ended(command, CLOSED_MS, &status)) {
        kill(-command->pid, SIGTERM);
        kill(-command->pid, SIGCONT); /* a stopped process gets TERM only after this */
        if (!command_has_ended(command, TERM_MS, &status))
            kill(-command->pid, SIGKILL);
    }
    while (!command->ended && spawn_wait(command->pid, &command->status, 0) < 0 && errno == EINTR)
        ;
    command_log(command);
    spawn_stderr_end(&command->said);
    if (command->error >= 0)
        close(command->error);
    free(command);
}
