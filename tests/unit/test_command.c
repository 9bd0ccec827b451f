/* SPDX-License-Identifier: ISC */
/* A program as the connection: bytes through it, its complaints, its end in every way. */
#include "net/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "kit_log.h"
#include "net/conn.h"
#include "tap.h"

/* A conn over the command. */
static struct conn *begin(const char *text, const char *const *env)
{
    struct command *command;
    struct err err;
    int fd;
    heard[0] = '\0';
    if (command_start(&command, text, env, &log_all, &fd, &err) < 0) {
        ok(false, "%s", err.text);
        exit(1);
    }
    ok((fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "%s: a socket",
       text);
    struct conn *conn = conn_new(fd, "the command", 5000, clock_in(10000));
    conn_set_command(conn, command);
    ok(conn_command(conn) == command, "the conn belongs to the command");
    return conn;
}

/* Reads until this text is there, or the end. */
static bool reads(struct conn *conn, const char *want)
{
    struct err err;
    while (!str_contains_nocase(conn_view(conn), want))
        if (conn_fill(conn, &err) <= 0)
            return false;
    return true;
}

static void no_child_left(const char *name)
{
    ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "%s: nobody is left", name);
}

static void test_talk(void)
{
    struct err err;
    struct conn *conn = begin("cat", NULL);
    is_int(conn_put(conn, "USER alice\r\n", 12, &err), 0, "a line is put to the command");
    is_int(conn_flush(conn, &err), 0, "the line is flushed");
    ok(reads(conn, "user alice\r\n"), "the line comes back changed");
    int64_t begun = clock_ms();
    conn_free(conn);
    ok(clock_ms() - begun < 900, "the command ends with its input");
    is_str(heard, "", "a command that ends well says nothing");
    no_child_left("cat");
}

static void test_surroundings(void)
{
    static const char *const env[] = {"FETCHPOP_SERVER=pop.example.com", "FETCHPOP_PORT=995", NULL};
    int other = open("/dev/null", O_WRONLY);
    dup2(other, 7);
    struct conn *conn = begin("echo $FETCHPOP_SERVER $FETCHPOP_PORT; "
                              "(echo x >&7) 2>/dev/null && echo it is open; "
                              "ps -o pgid= -p $$ | tr -d ' '; echo pid $$",
                              env);
    ok(reads(conn, "pop.example.com 995\n"), "server and port in its environment");
    ok(reads(conn, "pid "), "the command goes on");
    struct str all = conn_view(conn);
    ok(!str_contains_nocase(all, "it is open"), "the command has no descriptor of ours");
    conn_free(conn);
    close(7);
    close(other);
}

static void test_complaints(void)
{
    struct conn *conn = begin("echo 'Host key \033[31mred' >&2; echo ready; cat", NULL);
    ok(reads(conn, "ready\n"), "the output of the command is read");
    for (int i = 0; i < 100 && heard[0] == '\0'; i++) {
        usleep(10000);
        command_log(conn_command(conn));
    }
    is_str(heard, "1 command: Host key \033[31mred\n", "a complaint is a warning, quoted");
    conn_free(conn);

    conn = begin("i=0; while [ $i -lt 20000 ]; do echo complaint $i of many >&2; i=$((i+1)); done; "
                 "echo ready; cat",
                 NULL);
    ok(reads(conn, "ready\n"), "half a megabyte of complaints does not block it");
    conn_free(conn);
    ok(strstr(heard, "command: complaint 19 of many\n") != NULL &&
           strstr(heard, "complaint 20 of") == NULL,
       "twenty of them are said");
    ok(strstr(heard, "command: ... and 19980 more lines\n") != NULL,
       "lines of standard error beyond the limit are counted");
    no_child_left("complaints");
}

static void test_ends(void)
{
    struct err err;
    int status = 0;
    struct conn *conn = begin("exit 3", NULL);
    is_int(conn_fill(conn, &err), 0, "one that ends at once is an end of the stream");
    ok(command_has_ended(conn_command(conn), 2000, &status) && WIFEXITED(status) &&
           WEXITSTATUS(status) == 3,
       "with its status");
    ok(command_has_ended(conn_command(conn), 0, &status) && WEXITSTATUS(status) == 3,
       "which is told again");
    conn_free(conn);

    conn = begin("no-such-program-here", NULL);
    is_int(conn_fill(conn, &err), 0, "a command that is not there gives the end of the stream");
    ok(command_has_ended(conn_command(conn), 2000, &status) && WEXITSTATUS(status) == 127,
       "a command that is not there ends with 127");
    conn_free(conn);
    ok(strstr(heard, "no-such-program-here") != NULL, "and the shell's words: %s", heard);

    conn = begin("sleep 60", NULL);
    ok(!command_has_ended(conn_command(conn), 0, &status), "a command that stays has not ended");
    int64_t begun = clock_ms();
    conn_free(conn);
    int64_t took = clock_ms() - begun;
    ok(took >= 900 && took < 1900, "has a second, then TERM (%lld ms)", (long long)took);

    conn = begin("trap '' TERM; echo ready; while :; do sleep 0.1; done", NULL);
    ok(reads(conn, "ready"), "a command that takes no TERM is ready");
    begun = clock_ms();
    conn_free(conn);
    took = clock_ms() - begun;
    ok(took >= 2900 && took < 4500, "is killed after two more (%lld ms)", (long long)took);

    conn = begin("sleep 60 & sleep 60 | cat", NULL);
    conn_free(conn);
    no_child_left("ends");
    command_end(NULL);
}

int main(void)
{
    stop_install();
    test_talk();
    test_surroundings();
    test_complaints();
    test_ends();
    return tap_done();
}
