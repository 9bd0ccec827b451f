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

#include "base/birth.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/xalloc.h"

#define FAREWELL_MS 1000 /* from the end of the connection to TERM */
#define TERM_MS 2000     /* from TERM to KILL */
#define SLICE_MS 20
#define CHUNK 4096
#define ROUNDS 64 /* of a command that never stops complaining */

struct command {
    pid_t pid;
    int complaints; /* -1: ended */
    bool ended;
    int status;
    struct birth_complaints said;
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

/* 0, or errno and everything is closed; with 0, line[1] and complaints[1] are. */
static int start(const char *text, const char *const *env, int line[2], int complaints[2],
                 pid_t *pid)
{
    struct birth birth = {.command = text, .env = env};
    int number;

    if (make_pair(line) < 0)
        return errno;
    if (birth_pipe(complaints) < 0) {
        number = errno;
        close_both(line);
        return number;
    }
    birth.input = birth.output = line[1];
    birth.complaints = complaints[1];
    number = birth_command(&birth, pid);
    if (number != 0) {
        close_both(line);
        close_both(complaints);
        return number;
    }
    close(line[1]);
    close(complaints[1]);
    return 0;
}

int command_start(struct command **made, const char *text, const char *const *env,
                  const struct log *log, int *fd, struct err *err)
{
    int line[2] = {-1, -1}, complaints[2] = {-1, -1};
    pid_t pid = -1;
    int number = start(text, env, line, complaints, &pid);
    struct command *command;

    *made = NULL;
    if (number != 0)
        return err_errno(err, ERR_SYSTEM, number, "connect_command cannot be started");
    fcntl(complaints[0], F_SETFL, O_NONBLOCK);
    command = xcalloc(1, sizeof *command);
    command->pid = pid;
    command->complaints = complaints[0];
    command->said.log = log;
    *fd = line[0];
    *made = command;
    return 0;
}

int command_fd(const struct command *command)
{
    return command->complaints;
}

void command_hear(struct command *command)
{
    char bytes[CHUNK];

    for (int i = 0; i < ROUNDS && command->complaints >= 0; i++) {
        ssize_t n = read(command->complaints, bytes, sizeof bytes);

        if (n > 0) {
            birth_complain(&command->said, bytes, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
            close(command->complaints);
            command->complaints = -1;
        } else {
            break;
        }
    }
}

static bool has_ended(struct command *command)
{
    if (!command->ended && waitpid(command->pid, &command->status, WNOHANG) == command->pid)
        command->ended = true;
    return command->ended;
}

/* Its complaints are heard meanwhile, else it might hang on a full pipe. */
bool command_has_ended(struct command *command, int64_t ms, int *status)
{
    int64_t deadline = clock_in(ms);

    while (!has_ended(command) && clock_left(deadline) > 0) {
        struct pollfd said = {.fd = command->complaints, .events = POLLIN};

        poll(&said, 1, SLICE_MS);
        command_hear(command);
    }
    *status = command->status;
    return command->ended;
}

void command_end(struct command *command)
{
    int status;

    if (!command)
        return;
    if (!command_has_ended(command, FAREWELL_MS, &status)) {
        kill(-command->pid, SIGTERM);
        kill(-command->pid, SIGCONT); /* a stopped one hears TERM only so */
        if (!command_has_ended(command, TERM_MS, &status))
            kill(-command->pid, SIGKILL);
    }
    while (!command->ended && waitpid(command->pid, &command->status, 0) < 0 && errno == EINTR)
        ;
    command_hear(command);
    birth_end_complaints(&command->said);
    if (command->complaints >= 0)
        close(command->complaints);
    free(command);
}
