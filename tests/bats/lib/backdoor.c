/* SPDX-License-Identifier: ISC */
/*
 * A worker that obeys its server, for test_sandbox.py: linked into a build of its own in front of
 * reply_parse, where every status line comes by. "+OK DOOR what argument" makes it try what it says and
 * append to $DOOR_LOG, a file in the state folder, what came of it: "what: open", or why not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pop3/reply.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names of ld --wrap */
struct reply __real_reply_parse(struct str line);
struct reply __wrap_reply_parse(struct str line);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int to_port(const char *port)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&there, sizeof there);
}

static int to_socket(const char *path)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    snprintf(there.sun_path, sizeof there.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&there, sizeof there);
}

static int run_shell(const char *command)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(errno);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status == 0)
        return pid < 0 ? -1 : 0;
    errno = WEXITSTATUS(status);
    return -1;
}

static int try(const char *what, const char *argument)
{
    if (strcmp(what, "read") == 0)
        return open(argument, O_RDONLY);
    if (strcmp(what, "write") == 0)
        return open(argument, O_WRONLY | O_CREAT, 0600);
    if (strcmp(what, "connect") == 0)
        return to_port(argument);
    if (strcmp(what, "socket") == 0)
        return to_socket(argument);
    if (strcmp(what, "signal") == 0)
        return kill(getppid(), 0);
    if (strcmp(what, "privileges") == 0) {
        errno = EACCES;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -1;
    }
    if (strcmp(what, "trace") == 0)
        return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return run_shell(argument);
}

struct reply __wrap_reply_parse(struct str line)
{
    struct reply reply = __real_reply_parse(line);
    char what[20], argument[300], text[400];
    FILE *log;
    snprintf(text, sizeof text, "%.*s", (int)reply.text.len, reply.text.ptr);
    if (sscanf(text, "DOOR %19s %299[^\n]", what, argument) == 2) {
        int result = try(what, argument), number = errno;
        log = fopen(getenv("DOOR_LOG"), "a");
        if (log == NULL)
            abort();
        fprintf(log, "%s: %s\n", what, result < 0 ? strerror(number) : "open");
        fclose(log);
    }
    return reply;
}
