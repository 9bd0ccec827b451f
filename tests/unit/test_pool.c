/* SPDX-License-Identifier: ISC */
/*
 * The pool, with a session of the test's own in the place of the real one: what it does is in the
 * account's user name.
 */
#include "app/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/secrets.h"
#include "app/settings.h"
#include "app/turns.h"
#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/held.h"
#include "tap.h"

static char folder[100];
static size_t turns_left;

/* A file for each server, in which each session says that it begins and ends. */
static void count_running(const char *server)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s.log", folder, strcmp(server, "ONE") == 0 ? "one" : server);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || write(fd, "+", 1) != 1)
        _exit(9);
    usleep(20000);
    if (write(fd, "-", 1) != 1)
        _exit(9);
    close(fd);
}

/* The most '+' without their '-' in that file. */
static int most_running(const char *server)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s.log", folder, server);
    FILE *file = fopen(path, "r");
    int now = 0, most = 0;
    for (int c = file != NULL ? getc(file) : EOF; c != EOF; c = getc(file)) {
        now += c == '+' ? 1 : -1;
        most = now > most ? now : most;
    }
    if (file != NULL)
        fclose(file);
    unlink(path);
    return most;
}

static void wait_for_stop(void)
{
    while (!stop_asked())
        usleep(5000);
}

int session_poll(struct session_run *run, struct err *err)
{
    const char *user = run->account->user;
    if (run->secrets != NULL && run->secrets(run->ctx, err) < 0)
        return -1;
    run->figures.listed = 5;
    run->figures.planned = 2;
    if (strcmp(user, "crash") == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would write a novel */
        raise(SIGSEGV);
    } else if (strcmp(user, "exit") == 0) {
        _exit(0);
    } else if (strcmp(user, "memory") == 0) {
        _exit(71);
    } else if (strcmp(user, "bug") == 0) {
        xdie("a journal cannot be read again");
    } else if (strcmp(user, "hang") == 0) {
        signal(SIGTERM, SIG_IGN);
        for (;;)
            pause();
    } else if (strcmp(user, "login") == 0) {
        return err_set(err, ERR_LOGIN, "login refused");
    } else if (strcmp(user, "stop") == 0) {
        run->progress(run->ctx, &run->figures);
        wait_for_stop();
        run->figures.fetched = 1;
        return err_set(err, ERR_STOPPED, "interrupted");
    } else if (strcmp(user, "lines") == 0) {
        for (int i = 0; i < 500; i++) {
            log_line(run->log, FP_LOG_WARNING, "line %d of a worker, abcdefghijklmnopqrstuvwxyz",
                     i);
        }
    } else if (strcmp(user, "secret") == 0) {
        run->figures.fetched = (uint32_t)run->account->password.len;
        return 0;
    }
    count_running(run->account->server);
    run->figures.fetched = 2;
    run->figures.octets = 2000;
    return 0;
}

int session_deliver(struct session_run *run, struct err *err)
{
    (void)run;
    return err_set(err, ERR_IO, "not here");
}

int held_list(const struct account *account, const char *state_dir,
              const struct held_listener *listener, struct err *err)
{
    (void)account;
    (void)state_dir;
    (void)listener;
    return err_set(err, ERR_IO, "not here");
}

int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 struct log *log, struct held_released *released, struct err *err)
{
    (void)account;
    (void)state_dir;
    (void)uidl;
    (void)log;
    (void)released;
    return err_set(err, ERR_IO, "not here");
}

static struct account *make(const char *title, const char *server, const char *user)
{
    struct account *account = xcalloc(1, sizeof *account);
    account->title = xstrdup(title);
    account->server = xstrdup(server);
    account->user = xstrdup(user);
    account->timeout = 10;
    account->session_timeout = 10;
    secret_set(&account->password, str_from("sesame"));
    account->sandbox = ACCOUNT_SANDBOX_OFF; /* these sessions write what they like */
    return account;
}

/* Runs the accounts with standard output and error in files; the exit status. */
static int run(struct account **accounts, size_t count, unsigned jobs, unsigned per_server,
               bool no_fork)
{
    char path[300];
    fflush(stdout);
    int saved_out = dup(1), saved_err = dup(2);
    snprintf(path, sizeof path, "%s/out", folder);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    snprintf(path, sizeof path, "%s/err", folder);
    int errors = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(errors, 2);
    struct report report;
    report_begin(&report, SESSION_POLL, false, false);
    report.total = count;
    report.summaries = true;
    struct turns turns;
    turns_init(&turns, 0);
    for (size_t i = 0; i < count; i++)
        turns_add(&turns, accounts[i]);
    struct pool_job job = {.state_dir = "/none",
                           .mode = SESSION_POLL,
                           .jobs = jobs,
                           .max_per_server = per_server,
                           .no_fork = no_fork};
    pool_run(&job, &turns, &report);
    turns_left = turns.count;
    turns_free(&turns);
    int status = report_end(&report);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    close(out);
    close(errors);
    return status;
}

static char *text_of(const char *name)
{
    static char text[256 * 1024];
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[len] = '\0';
    if (file != NULL)
        fclose(file);
    return text;
}

static int count_of(const char *text, const char *words)
{
    int count = 0;
    for (const char *p = strstr(text, words); p != NULL; p = strstr(p + 1, words))
        count++;
    return count;
}

static void no_child_left(const char *name)
{
    ok(waitpid(-1, NULL, WNOHANG) == -1, "%s: no child is left", name);
}

static void test_good_and_bad(bool no_fork)
{
    struct account *accounts[] = {make("a", "x", "good"), make("b", "y", "login"),
                                  make("c", "z", "good")};
    is_int(run(accounts, 3, 16, 4, no_fork), 77, "the exit status is the worst of all");
    is_str(text_of("err"), "fetchpop: b: login refused\n",
           "the error of one account is told with its name");
    const char *out = text_of("out");
    ok(strstr(out, "a: 2 new (2.0 kB)\n") != NULL && strstr(out, "c: 2 new (2.0 kB)\n") != NULL,
       "each account has its summary");
    is_int((int)turns_left, 0, "no turn is left");
    no_child_left("good and bad");
}

static void test_deaths(void)
{
    struct account *accounts[] = {make("a", "x", "crash"),  make("b", "y", "exit"),
                                  make("c", "z", "memory"), make("d", "z", "hang"),
                                  make("e", "z", "good"),   make("f", "z", "bug")};
    accounts[3]->session_timeout = -29; /* these give it two seconds */
    accounts[3]->timeout = 0;
    accounts[3]->mda_timeout = -5;
    is_int(pool_limit_ms(accounts[3]), 2000, "test: the account has a limit of two seconds");
    int64_t begun = clock_ms();
    is_int(run(accounts, 6, 16, 4, false), 70, "a worker that died is the worst");
    ok(clock_ms() - begun < 5000, "a worker that hangs is ended at its limit");
    const char *errors = text_of("err");
    ok(strstr(errors, "fetchpop: a: worker died (signal 11)") != NULL,
       "a worker that crashes is told with its signal");
    ok(strstr(errors, "fetchpop: b: worker ended without a result (status 0)") != NULL,
       "a worker that exits without a result is told");
    ok(strstr(errors, "fetchpop: c: worker ran out of memory") != NULL,
       "a worker without memory is told");
    ok(strstr(errors, "fetchpop: d: worker hung and was ended after 2 s") != NULL,
       "a worker that hung is told with its limit");
    ok(strstr(errors, "fetchpop: f: worker gave up; standard error has the reason") != NULL &&
           strstr(errors, "fetchpop: a journal cannot be read again\n") != NULL,
       "a worker that gives up is told, and says why");
    /* An emulator has a word about the crash, too. */
    is_int(count_of(errors, "\n") - count_of(errors, "qemu: "), 6, "there are six lines of errors");
    is_str(text_of("out"), "e: 2 new (2.0 kB)\n", "the fifth is none the worse");
    no_child_left("deaths");
}

static void test_time_of_commands(void)
{
    struct account *account = make("a", "x", "good");
    int64_t without = pool_limit_ms(account);
    account->pipe_through = xstrdup("cat");
    ok(pool_limit_ms(account) >= without + 16 * account->mda_timeout * 1000,
       "a worker has the time of a batch that pipe_through lets wait");
    settings_free(account);
}

static void test_limits(void)
{
    struct account *accounts[24];
    for (size_t i = 0; i < 24; i++) {
        char title[10];
        snprintf(title, sizeof title, "a%zu", i);
        accounts[i] = make(title, i % 2 == 0 ? "one" : "ONE", "good");
    }
    is_int(run(accounts, 24, 16, 3, false), 0, "24 accounts on one server are polled");
    int most = most_running("one");
    ok(most >= 2 && most <= 3, "at most three at once, and more than one (%d)", most);
    is_int(count_of(text_of("out"), "2 new"), 24, "each of the 24 was polled once");
    for (size_t i = 0; i < 24; i++)
        accounts[i] = make("a", "all", "good");
    is_int(run(accounts, 24, 5, 100, false), 0, "five jobs at a time poll 24 accounts");
    most = most_running("all");
    ok(most >= 2 && most <= 5, "at most five at once, and more than one (%d)", most);
    no_child_left("limits");
}

static void test_lines(void)
{
    struct account *accounts[4];
    for (size_t i = 0; i < 4; i++)
        accounts[i] = make("a", "x", "lines");
    is_int(run(accounts, 4, 4, 4, false), 0, "four workers that each print many lines end well");
    const char *errors = text_of("err");
    is_int(count_of(errors, "\n"), 2000, "every line of every worker is there");
    is_int(count_of(errors, "fetchpop: a: line "), 2000, "each line has the name of its account");
    is_int(count_of(errors, "abcdefghijklmnopqrstuvwxyz\n"), 2000, "no line is mixed with another");
    most_running("x");
}

static void test_secrets(void)
{
    struct account *accounts[] = {make("a", "x", "secret"), make("b", "x", "secret")};
    secret_wipe(&accounts[0]->password);
    accounts[0]->password_command = xstrdup("printf 'four\\nmore\\n'");
    secret_wipe(&accounts[1]->password);
    accounts[1]->password_command = xstrdup("echo reason >&2; exit 3");
    is_int(run(accounts, 2, 1, 1, false), 77, "a password_command that fails");
    is_str(text_of("out"), "a: 4 new (0 B)\n", "the first line, without its end");
    ok(strstr(text_of("err"), "b: password_command failed with status 3") != NULL,
       "a password_command that fails is told with its status");
    ok(strstr(text_of("err"), "reason") != NULL,
       "a password_command that fails is told with its own words");
}

/* In a process of its own, since a stop is for ever. The words of its standard error. */
static int run_stopped(struct account **accounts, size_t count, unsigned jobs, int signals)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        stop_install();
        _exit(run(accounts, count, jobs, 4, false));
    }
    for (int i = 0; i < signals; i++) {
        usleep(400000);
        kill(pid, SIGINT);
    }
    int status;
    waitpid(pid, &status, 0);
    for (size_t i = 0; i < count; i++) /* ours; that process had copies */
        settings_free(accounts[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_stop(void)
{
    struct account *accounts[] = {make("a", "x", "stop"), make("b", "x", "good")};
    is_int(run_stopped(accounts, 2, 1, 1), 75, "one INT ends the run with 75");
    const char *errors = text_of("err");
    ok(strstr(errors, "fetchpop: a: interrupted\n") != NULL, "INT reached the worker");
    ok(strstr(errors, "fetchpop: interrupted; 1 account was not polled\n") != NULL,
       "none is begun");
    is_str(text_of("out"), "a: 1 new (0 B), 1 more on the server\n",
           "what is complete is counted, and what is left");

    struct account *hung[] = {make("a", "x", "hang")};
    int64_t begun = clock_ms();
    is_int(run_stopped(hung, 1, 1, 2), 75, "two INTs end the run with 75");
    ok(clock_ms() - begun < 5000, "a hung worker does not hold the second");
    ok(strstr(text_of("err"), "a: interrupted; what was open") != NULL,
       "a second INT is told as an interruption");
}

/* A worker that dies in each poll of a daemon is told once, and polled on. */
static void test_again(void)
{
    struct report report;
    struct turns turns;
    fflush(stdout);
    int saved = dup(2);
    char path[300];
    snprintf(path, sizeof path, "%s/err", folder);
    int errors = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(errors, 2);
    report_begin(&report, SESSION_POLL, false, false);
    report.total = 2;
    report_repeat(&report);
    turns_init(&turns, 3600);
    turns_add(&turns, make("a", "x", "crash"));
    turns_add(&turns, make("b", "y", "login"));
    struct pool_job job = {
        .state_dir = "/none", .mode = SESSION_POLL, .jobs = 2, .max_per_server = 1};
    struct pool *pool = pool_new(&job, &turns, &report);
    for (int i = 0; i < 3; i++) {
        turns_hurry(&turns, clock_ms());
        do {
            pool_step(pool, clock_in(20));
        } while (pool_running(pool) > 0);
    }
    is_int((int)turns.count, 2, "both accounts stay for later turns");
    ok(turns_next(&turns, clock_ms()) > clock_in(3000000), "both are due much later");
    pool_free(pool);
    turns_free(&turns);
    dup2(saved, 2);
    close(saved);
    close(errors);
    is_int(count_of(text_of("err"), "a: worker died"), 1,
           "the same death is told once in three rounds");
    is_int(count_of(text_of("err"), "b: login refused"), 3, "a result is told each time");
    no_child_left("again");
    most_running("x");
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/test_pool.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        printf("Bail out! mkdtemp\n");
        return 1;
    }
    test_good_and_bad(false);
    test_good_and_bad(true);
    most_running("x");
    most_running("z");
    test_deaths();
    most_running("z");
    test_limits();
    test_time_of_commands();
    test_lines();
    test_secrets();
    test_stop();
    test_again();
    char path[300];
    snprintf(path, sizeof path, "%s/out", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/err", folder);
    unlink(path);
    ok(rmdir(folder) == 0, "the folder is empty in the end");
    return tap_done();
}
