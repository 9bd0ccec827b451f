/* SPDX-License-Identifier: ISC */
/*
 * broker: commands go through it as they would without it, and it takes no orders but the ones it was
 * made for.
 */
#include "base/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/sandbox.h"
#include "base/spawn.h"
#include "tap.h"

#define SAY "printf '%s' \"$FETCHPOP_UIDL$PPID\""
#define SLEEP "sleep 60"

static const char *const commands[] = {"exit 75", SAY, SLEEP, "kill -KILL $PPID", NULL};
static struct err err;
static struct child_result result;

static int run(const char *command, const char *const *env, struct buf *output, int64_t ms)
{
    const struct child_job job = {
        .command = command, .input = -1, .output = output, .env = env, .deadline = clock_in(ms)};
    err_clear(&err);
    return child_run(&job, &result, &err);
}

static void test_commands(void)
{
    const char *const env[] = {"FETCHPOP_UIDL=x.", NULL};
    char mine[32];
    struct buf output;
    buf_init(&output, 100);
    ok(run("exit 75", NULL, NULL, 10000) == 0 && result.end == CHILD_EXITED, "a command runs");
    is_int(result.code, 75, "and its exit status is known");
    ok(run(SAY, env, &output, 10000) == 0, "one with variables of ours, and output");
    int len = snprintf(mine, sizeof mine, "x.%ld", (long)getpid());
    ok(output.len > 2 && memcmp(output.data, "x.", 2) == 0, "it has them, and we get the output");
    ok(output.len != (size_t)len || memcmp(output.data, mine, output.len) != 0,
       "it is not our own child");
    buf_free(&output);
    ok(run(SLEEP, NULL, NULL, 100) == 0 && result.end == CHILD_TIMEOUT,
       "one that takes too long is ended");
}

static void test_orders(void)
{
    const char *const path[] = {"PATH=/tmp", NULL};
    const char *const many[] = {
        "FETCHPOP_1=", "FETCHPOP_2=", "FETCHPOP_3=", "FETCHPOP_4=", "FETCHPOP_5=", "FETCHPOP_6=",
        "FETCHPOP_7=", "FETCHPOP_8=", "FETCHPOP_9=", "FETCHPOP_a=", "FETCHPOP_b=", "FETCHPOP_c=",
        "FETCHPOP_d=", "FETCHPOP_e=", "FETCHPOP_f=", "FETCHPOP_g=", "FETCHPOP_h=", NULL};
    ok(run("true", NULL, NULL, 10000) < 0, "a command that it was not made with is refused");
    ok(run("exit 75", path, NULL, 10000) < 0, "PATH is refused");
    ok(run("exit 75", many, NULL, 10000) < 0, "too many variables are refused");
    int status;
    ok(spawn_wait(getpid(), &status, WNOHANG) < 0 && errno == ECHILD,
       "no process of ours is its child");
    ok(run("exit 75", NULL, NULL, 10000) == 0, "and it goes on");
}

/* In a process that sees its broker killed. */
static int status_without(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (broker_begin(commands, &err) == 0)
            (void)run("kill -KILL $PPID", NULL, NULL, 10000);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (!sandbox_is_there()) {
        tap_skip("a broker", "this system has no sandbox");
        return tap_done();
    }
    int status = status_without();
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
       "whose broker is killed ends in the same way");
    ok(broker_begin(commands, &err) == 0, "a broker begins");
    test_commands();
    test_orders();
    broker_end();
    ok(waitpid(-1, &status, 0) < 0 && errno == ECHILD, "at the end it is gone, and waited for");
    ok(run("true", NULL, NULL, 10000) == 0, "and commands are started without it again");
    return tap_done();
}
