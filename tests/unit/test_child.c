/* SPDX-License-Identifier: ISC */
/*
 * child: how commands end, and what does not keep us waiting.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "tap.h"

struct heard {
    unsigned count;
    char first[LOG_QUOTE_MAX + 100];
    char last[LOG_QUOTE_MAX + 100];
};

static void hear(void *ctx, enum log_level level, const char *line)
{
    struct heard *heard = ctx;
    snprintf(heard->last, sizeof heard->last, "%d %s", (int)level, line);
    if (heard->count++ == 0)
        snprintf(heard->first, sizeof heard->first, "%s", heard->last);
}

static struct err err;
static struct child_result result;

/* A job with ten seconds. */
static struct child_job job_of(const char *command, struct buf *output)
{
    struct child_job job = {
        .command = command, .input = -1, .output = output, .deadline = clock_in(10000)};
    return job;
}

static void ran(const struct child_job *job, enum child_end end, int code, const char *name)
{
    err_clear(&err);
    memset(&result, 0x55, sizeof result);
    ok(child_run(job, &result, &err) == 0, "started: %s%s", name, err.text);
    is_int(result.end, end, name);
    is_int(result.code, code, name);
}

static void test_ends(void)
{
    struct child_job job = job_of("exit 0", NULL);
    ran(&job, CHILD_EXITED, 0, "a command that ends with 0");
    job.command = "exit 75";
    ran(&job, CHILD_EXITED, 75, "a command that ends with 75");
    job.command = "kill -9 $$";
    ran(&job, CHILD_SIGNALLED, SIGKILL, "a command that kills itself");
    job.command = "no-such-command-here";
    ran(&job, CHILD_EXITED, 127, "a command that sh cannot find");
    job.command = "exec >&- 2>&-; sleep 0.3; exit 3";
    ran(&job, CHILD_EXITED, 3, "a command that closes its pipes long before it ends");
}

/* Takes so many octets, and then no more. */
static int take_some(void *ctx, const char *bytes, size_t len, struct err *why)
{
    size_t *left = ctx;
    (void)bytes;
    if (len > *left)
        return err_set(why, ERR_LOCAL, "the disk is full");
    *left -= len;
    return 0;
}

/* A command that does not look at its writes ends with 0 all the same. */
static void test_sink(void)
{
    size_t left = 300000;
    const struct sink sink = {take_some, &left};
    struct child_job job = job_of("head -c 300000 /dev/zero", NULL);
    job.sink = &sink;
    ran(&job, CHILD_EXITED, 0, "a command whose output goes to a sink");
    is_int((int)left, 0, "which has all of it once it ended");
    left = 100000;
    job.command = "head -c 300000 /dev/zero 2>/dev/null; exit 0";
    err_clear(&err);
    is_int(child_run(&job, &result, &err), -1, "a sink that takes no more is an error");
    is_int(err.kind, ERR_LOCAL, "of its own kind, whatever the command says");
}

static void test_output(void)
{
    struct buf out;
    buf_init(&out, 20);
    struct child_job job = job_of("printf 'a\\0b\\n'; printf c", &out);
    buf_add(&out, ">", 1);
    ran(&job, CHILD_EXITED, 0, "a command that prints");
    is_mem(out.data, out.len, ">a\0b\nc", 6, "its output stands behind what was in the buffer");
    ok(!result.overflow, "output within the maximum is no overflow");
    buf_clear(&out);
    job.command = "printf 01234567890123456789";
    ran(&job, CHILD_EXITED, 0, "a command that prints as much as fits");
    ok(out.len == 20 && !result.overflow, "exactly what fits is no overflow");
    buf_clear(&out);
    job.command = "head -c 300000 /dev/zero; printf done; exit 4";
    ran(&job, CHILD_EXITED, 4, "a command that prints more than fits is not stopped by it");
    ok(out.len == 20 && result.overflow,
       "output beyond the maximum is dropped, and result says so");
    buf_free(&out);
    buf_init(&out, 3000000);
    job.command = "head -c 2500000 /dev/zero";
    ran(&job, CHILD_EXITED, 0, "a command that prints 2.5 MB");
    ok(out.len == 2500000 && !result.overflow, "all 2.5 MB arrive");
    buf_free(&out);
}

static int input_of(const char *text)
{
    int ends[2];
    if (pipe(ends) < 0 || write(ends[1], text, strlen(text)) < 0)
        return -1;
    close(ends[1]);
    return ends[0];
}

static void test_input(void)
{
    struct buf out;
    buf_init(&out, 100);
    struct child_job job = job_of("cat; printf .", &out);
    ran(&job, CHILD_EXITED, 0, "a command without input");
    is_mem(out.data, out.len, ".", 1, "a command without input reads an empty one");
    buf_clear(&out);
    job.input = input_of("mail");
    ran(&job, CHILD_EXITED, 0, "a command with input");
    is_mem(out.data, out.len, "mail.", 5, "the input arrives");
    ok(fcntl(job.input, F_GETFD) >= 0, "the descriptor of the input is still ours");
    close(job.input);
    job.input = input_of("mail");
    job.command = "exit 5";
    ran(&job, CHILD_EXITED, 5, "a command that does not read its input");
    close(job.input);
    buf_free(&out);
}

static void test_env(void)
{
    static const char *const env[] = {"FP_NEW=1 2", "FP_OLD=new", NULL};
    struct buf out;
    buf_init(&out, 100);
    setenv("FP_OLD", "old", 1);
    setenv("FP_OLDER", "older", 1);
    struct child_job job = job_of("printf '%s,%s,%s' \"$FP_NEW\" \"$FP_OLD\" \"$FP_OLDER\"; "
                                  "if test -r /proc/$$/environ; then "
                                  "tr '\\0' '\\n' </proc/$$/environ; else env; fi "
                                  "| grep -c ^FP_OLD=",
                                  &out);
    job.env = env;
    ran(&job, CHILD_EXITED, 0, "a command with an environment");
    is_mem(out.data, out.len, "1 2,new,older1\n", 15,
           "its variables come in addition to ours, and in place of those with the same name");
    is_str(getenv("FP_OLD"), "old", "our own environment is as it was");
    buf_free(&out);
}

static void test_complaints(void)
{
    struct heard heard = {0};
    struct log log = {.level = FP_LOG_TRACE, .write = hear, .ctx = &heard};
    struct secret secret = {NULL, 0};
    secret_set(&secret, str_from("hunter22"));
    log_hide(&log, &secret);
    struct child_job job = job_of("printf 'bad\\033 hunter22\\r\\n\\n\\nlast' >&2", NULL);
    job.log = &log;
    ran(&job, CHILD_EXITED, 0, "a command that writes to standard error");
    is_int(heard.count, 2, "empty lines of standard error are not told");
    is_str(heard.first, "1 command: bad\033 ***",
           "a line is told as a warning, without the secret");
    is_str(heard.last, "1 command: last", "a last line without a line end is told");
    memset(&heard, 0, sizeof heard);
    job.command = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); done >&2";
    ran(&job, CHILD_EXITED, 0, "a command that writes 100 lines to standard error");
    is_int(heard.count, 21, "twenty lines are told, and one more");
    is_str(heard.last, "1 command: ... and 80 more lines",
           "the last one counts those that were not told");
    memset(&heard, 0, sizeof heard);
    job.command = "head -c 100000 /dev/zero | tr '\\0' x >&2";
    ran(&job, CHILD_EXITED, 0, "a command that writes a line without end");
    is_int(heard.count, 1, "a line without end is told as one");
    is_int((long long)strlen(heard.first), 2 + 9 + LOG_QUOTE_MAX + 3, "a line without end is cut");
    job.log = NULL;
    ran(&job, CHILD_EXITED, 0, "a command that complains where nobody listens");
    secret_wipe(&secret);
}

static void test_fds_and_signals(void)
{
    struct buf out;
    buf_init(&out, 1000);
    int low = open("/dev/null", O_RDONLY);
    int high = dup2(low, 8); /* without close-on-exec; sh knows one digit only */
    struct child_job job = job_of("for f in 3 4 5 6 7 8 9; do "
                                  "if (: <&$f) 2>/dev/null; then echo open $f; fi; done",
                                  &out);
    job.input = high;
    ran(&job, CHILD_EXITED, 0, "a command that looks for open descriptors");
    is_mem(out.data, out.len, "", 0, "it finds none of ours");
    close(high);
    close(low);
    job = job_of("kill -PIPE $$; echo ignored", &out);
    ran(&job, CHILD_SIGNALLED, SIGPIPE, "a command that sends itself PIPE dies of it");
    job.command = "kill -TERM $$; echo ignored";
    ran(&job, CHILD_SIGNALLED, SIGTERM, "a command that sends itself TERM dies of it");
    signal(SIGHUP, SIG_IGN);
    job.command = "kill -HUP $$; exit 6";
    ran(&job, CHILD_EXITED, 6, "what we were started with as ignored is ignored in the command");
    signal(SIGHUP, SIG_DFL);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    ok(sigismember(&mask, SIGTERM) == 0, "our own signal mask is as it was");
    /* A group of its own: the group's number is its own pid. */
    buf_clear(&out);
    job.command = "kill -0 -$$";
    ran(&job, CHILD_EXITED, 0, "the command leads a process group of its own");
    buf_free(&out);
}

/* With 0, 1 and 2 closed, the pipes get just these numbers. */
static void test_low_fds(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct buf out;
        buf_init(&out, 100);
        close(0);
        close(1);
        close(2);
        struct child_job job = job_of("cat; echo out; echo err >&2; exit 7", &out);
        int failed = child_run(&job, &result, &err);
        bool good = failed == 0 && result.code == 7 && str_is(buf_str(&out), "out\n");
        buf_free(&out);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    is_int(status, 0, "runs with 0, 1 and 2 closed");
}

/* In a process of its own, since it raises its limit. */
static void test_files(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit;
        struct buf out;
        buf_init(&out, 100);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 200;
        setrlimit(RLIMIT_NOFILE, &limit);
        bool good = spawn_raise_files(250) == 250 && spawn_raise_files(300) == 300 &&
                    getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 300;
        struct child_job job = job_of("ulimit -S -n", &out);
        good = good && child_run(&job, &result, &err) == 0 && str_is(buf_str(&out), "200\n");
        buf_free(&out);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    is_int(status, 0, "a command has the limit on descriptors that we had before we raised it");
}

static bool within(int64_t start, int64_t least, int64_t most)
{
    int64_t took = clock_ms() - start;
    if (took < least || took > most)
        printf("# took %lld ms\n", (long long)took);
    return took >= least && took <= most;
}

static void test_deadline(void)
{
    struct child_job job = job_of("sleep 60; echo", NULL);
    int64_t start = clock_ms();
    job.deadline = clock_in(300);
    ran(&job, CHILD_TIMEOUT, SIGTERM, "a command that is too slow");
    ok(within(start, 300, 4500), "TERM at the deadline is enough for it");
    job.command = "trap '' TERM; while :; do sleep 1; done";
    start = clock_ms();
    job.deadline = clock_in(300);
    ran(&job, CHILD_TIMEOUT, SIGKILL, "a command that is too slow and ignores TERM");
    ok(within(start, 2300, 4500), "it gets KILL two seconds later");
    job.command = "kill -STOP $$";
    start = clock_ms();
    job.deadline = clock_in(300);
    ran(&job, CHILD_TIMEOUT, SIGTERM, "a command that is stopped");
    ok(within(start, 300, 4500), "a stopped command gets TERM all the same");
    job.command = "exit 0";
    job.deadline = CLOCK_NEVER;
    ran(&job, CHILD_EXITED, 0, "a command without a deadline");
}

/* The command itself dies of TERM; a deaf one that it started must not live on. */
static void test_group(void)
{
    struct buf out;
    buf_init(&out, 100);
    struct child_job job =
        job_of("(trap '' TERM; exec sleep 60) >/dev/null 2>&1 & echo $!; sleep 60; echo", &out);
    job.deadline = clock_in(500);
    ran(&job, CHILD_TIMEOUT, SIGTERM, "a command that starts a process which ignores TERM");
    uint64_t pid = 0;
    is_int(str_number(str_trim(buf_str(&out)), 1 << 30, &pid), 0,
           "test: the number of that process is known");
    bool alive = true;
    for (int i = 0; i < 100 && alive; i++) {
        char text[64];
        char state = 'Z';
        snprintf(text, sizeof text, "/proc/%d/stat", (int)pid);
        FILE *file = fopen(text, "r");
        if (file != NULL) {
            if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
                state = 'Z';
            fclose(file);
        }
        alive = kill((pid_t)pid, 0) == 0 && state != 'Z';
        usleep(10000);
    }
    ok(pid > 0 && !alive, "that process is gone with the command");
    buf_free(&out);
}

static void test_background(void)
{
    struct buf out;
    buf_init(&out, 100);
    struct child_job job = job_of("sleep 3 & echo done; exit 8", &out);
    int64_t start = clock_ms();
    ran(&job, CHILD_EXITED, 8, "a command that leaves a process which holds the pipes open");
    ok(within(start, 0, 1500), "a process that holds the pipes open does not keep us waiting");
    is_mem(out.data, out.len, "done\n", 5, "what the command printed before is there");
    job.command = "yes 2>/dev/null & exit 9";
    start = clock_ms();
    ran(&job, CHILD_EXITED, 9, "a command that leaves a process which prints on and on");
    ok(within(start, 0, 1500), "a process that prints on and on does not keep us waiting");
    buf_free(&out);
}

static void nap(void *ctx)
{
    (void)ctx;
    usleep(900000);
}

/* It prints and ends while we are busy elsewhere. */
static void test_late(void)
{
    struct buf out;
    buf_init(&out, 100000);
    struct child_job job = job_of("sleep 0.7; head -c 60000 /dev/zero", &out);
    job.idle = nap;
    ran(&job, CHILD_EXITED, 0, "a command that prints and ends while we are busy elsewhere");
    is_int((long long)out.len, 60000, "all that it printed meanwhile is there");
    buf_free(&out);
}

static void count_idle(void *ctx)
{
    ++*(int *)ctx;
}

static void test_idle(void)
{
    int calls = 0;
    struct child_job job = job_of("sleep 1.6", NULL);
    job.idle = count_idle;
    job.idle_ctx = &calls;
    ran(&job, CHILD_EXITED, 0, "a command that takes 1.6 s");
    ok(calls >= 1 && calls <= 4, "idle is called meanwhile, and not all the time");
}

static void test_many(void)
{
    struct child_job job = job_of(":", NULL);
    int64_t start = clock_ms();
    bool good = true;
    for (int i = 0; i < 50; i++)
        good = good && child_run(&job, &result, &err) == 0 && result.end == CHILD_EXITED;
    ok(good && within(start, 0, 5000), "fifty short commands are each seen to end at once");
    job.command = "exec 2>&-; sleep 0.02";
    start = clock_ms();
    for (int i = 0; i < 10; i++)
        good = good && child_run(&job, &result, &err) == 0 && result.end == CHILD_EXITED;
    ok(good && within(start, 0, 2000), "an end is seen at once also where no pipe tells of it");
    ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "every child was waited for");
    int fd = open("/dev/null", O_RDONLY);
    ok(fd >= 0 && fd < 10, "no descriptor was left open");
    close(fd);
}

/* One that no signal of ours reaches, as sudo would be: it leaves its process group. */
static void test_out_of_reach(void)
{
    struct child_job job = job_of("exec python3 -c 'import os, time; os.setpgid(0, "
                                  "os.getpgid(os.getppid())); time.sleep(30)'",
                                  NULL);
    job.deadline = clock_in(1000);
    int64_t start = clock_ms();
    ok(child_run(&job, &result, &err) == 0 && result.end == CHILD_TIMEOUT,
       "a command out of reach is late");
    ok(within(start, 1000, 20000), "and is not waited for until it ends of itself");
}

/* Last, since stop cannot be taken back. */
static void test_stop(void)
{
    stop_install();
    ok(!stop_asked() && stop_cap(1000, 5) == 1000,
       "before any signal nobody has asked to stop, and no deadline is cut");
    struct child_job job = job_of("kill -TERM $PPID; sleep 0.4; exit 3", NULL);
    int64_t start = clock_ms();
    ran(&job, CHILD_EXITED, 3, "a command that is not stoppable goes on after TERM");
    is_int(stop_count(), 1, "TERM was counted");
    int64_t cap = stop_cap(CLOCK_NEVER, 5000);
    ok(cap >= start + 5000 && cap <= clock_in(4700), "grace counts from the signal");
    is_int(stop_cap(17, 5000), 17, "an earlier deadline stays");
    job.command = "sleep 0.4; exit 3";
    job.stoppable = true;
    job.spared = 1;
    ran(&job, CHILD_EXITED, 3, "a command that is spared one signal goes on after it");
    job.command = "sleep 60; echo";
    job.spared = 0;
    start = clock_ms();
    ran(&job, CHILD_STOPPED, SIGTERM, "a stoppable command ends at a TERM that came before it");
    ok(within(start, 0, 4500), "a stoppable command ends soon");
    raise(SIGINT);
    is_int(stop_count(), 2, "INT was counted as the second signal");
    ok(stop_cap(CLOCK_NEVER, 5000) == cap, "a second signal does not move the end of the grace");
    raise(SIGPIPE);
    ok(true, "PIPE is ignored");
    job = job_of("kill -PIPE $$; exit 1", NULL);
    ran(&job, CHILD_SIGNALLED, SIGPIPE, "a command dies of PIPE though we ignore it");
}

/* A worker that is killed cannot end its command; the kernel does. */
static void test_orphan(void)
{
#ifdef FP_LINUX
    int ends[2];
    char text[20] = "";
    if (pipe(ends) < 0) {
        ok(false, "a pipe can be made");
        return;
    }
    pid_t worker = fork();
    if (worker == 0) {
        char command[60];
        close(ends[0]);
        /* Through a file that both know, since its descriptors are closed. */
        snprintf(command, sizeof command, "echo $$ >/proc/%d/fd/%d; sleep 60; :", (int)getpid(),
                 ends[1]);
        struct child_job job = {.command = command, .input = -1, .deadline = clock_in(60000)};
        child_run(&job, &result, NULL);
        _exit(0);
    }
    close(ends[1]);
    bool told = read(ends[0], text, sizeof text - 1) > 0;
    pid_t command = (pid_t)strtol(text, NULL, 10);
    ok(told && command > 1, "a command runs: %s", text);
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    bool gone = false;
    for (int i = 0; i < 200 && !gone; i++) {
        char path[40], state[200] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)command);
        FILE *file = fopen(path, "r");
        gone = file == NULL || fgets(state, sizeof state, file) == NULL ||
               strstr(state, ") Z ") != NULL;
        if (file != NULL)
            fclose(file);
        usleep(10000);
    }
    ok(gone, "and ends with the process that ran it");
    close(ends[0]);
#endif
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    test_ends();
    test_output();
    test_sink();
    test_input();
    test_env();
    test_complaints();
    test_fds_and_signals();
    test_low_fds();
    test_files();
    test_deadline();
    test_group();
    test_background();
    test_idle();
    test_late();
    test_many();
    test_orphan();
    test_out_of_reach();
    test_stop();
    return tap_done();
}
