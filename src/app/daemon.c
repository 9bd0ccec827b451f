/* SPDX-License-Identifier: ISC */
#include "app/daemon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/notify.h"
#include "app/pool.h"
#include "app/tty.h"
#include "app/turns.h"
#include "base/clock.h"
#include "base/stop.h"

#define LEAVE_MS 5000 /* from the end of a terminal to the HUP that comes of it */
#define LOOK_MS 20000 /* how often it looks whether the machine has slept */
#define NAP_MS 1000   /* less is not sleep: two clocks were not read at the same moment */

struct daemon {
    const struct daemon_job *job;
    struct notify notify;
    struct turns turns;
    struct pool_job pool_job;
    char *state_dir;
    int64_t slept; /* clock_slept() as last seen */
    bool terminal; /* there was one at the beginning, whose end would be ours */
    int64_t gone;  /* clock_ms() when it was found gone; 0: it was not */
    bool ending;
};

/* --- the configuration file ------------------------------------------------------------------- */

/* Empties the roster. */
static void take_roster(struct daemon *daemon, struct roster *roster)
{
    metrics_replace(daemon->job->report->metrics, roster->accounts, roster->count);
    turns_replace(&daemon->turns, roster->accounts, roster->count);
    roster->count = 0;
    free(daemon->state_dir);
    daemon->state_dir = roster->top.state_dir;
    roster->top.state_dir = NULL;
    daemon->pool_job.state_dir = daemon->state_dir;
    daemon->pool_job.jobs = roster->top.jobs;
    daemon->pool_job.max_per_server = roster->top.max_per_server;
    roster_free(roster);
}

static int read_again(struct daemon *daemon, struct err *err)
{
    const struct options *options = daemon->job->options;
    struct roster roster;
    if (options->config_file != NULL && strcmp(options->config_file, "-") == 0)
        return err_set(err, ERR_CONFIG,
                       "the configuration file came from standard input, which cannot be read "
                       "again; give a file with -f");
    if (roster_read(&roster, options, daemon->job->report, err) < 0)
        return -1;
    roster_find_secrets(&roster, &daemon->turns, daemon->job->report);
    take_roster(daemon, &roster);
    return 0;
}

static void reload(struct daemon *daemon)
{
    struct report *report = daemon->job->report;
    struct err err;
    notify_reloading(&daemon->notify);
    if (outlet_reopen(daemon->job->outlet, &err) < 0) {
        err_prefix(&err, "the old log file is kept");
        report_error(report, NULL, &err);
    }
    if (read_again(daemon, &err) < 0) {
        err_prefix(&err, "the old configuration file is kept");
        report_error(report, NULL, &err);
    } else {
        char text[100];
        snprintf(text, sizeof text, "the configuration file was read again; %zu account%s",
                 daemon->turns.count, daemon->turns.count == 1 ? "" : "s");
        report_line(report, NULL, FP_LOG_NOTE, text);
    }
    notify_ready(&daemon->notify);
}

/* Else a terminal and a log file would be empty until there is news. */
static void tell_begin(const struct daemon *daemon)
{
    char text[100];
    int64_t every = daemon->job->options->daemon;
    int64_t unit = every % 3600 == 0 ? 3600 : every % 60 == 0 ? 60 : 1;
    snprintf(text, sizeof text, "polls %zu account%s every %" PRId64 "%c; Ctrl-C or TERM ends it",
             daemon->turns.count, daemon->turns.count == 1 ? "" : "s", every / unit,
             unit == 3600 ? 'h'
             : unit == 60 ? 'm'
                          : 's');
    report_line(daemon->job->report, NULL, FP_LOG_NOTE, text);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* A HUP that comes of a closed window is what it is to every program there: an end. One of later,
 * to a daemon that outlived its terminal, is meant for us. */
static bool is_left(struct daemon *daemon)
{
    if (!daemon->terminal || tty_is_there())
        return false;
    if (daemon->gone == 0)
        daemon->gone = clock_ms();
    return clock_ms() - daemon->gone < LEAVE_MS;
}

static void hear_signals(struct daemon *daemon)
{
    bool hup = stop_take_hup(), usr1 = stop_take_usr1();
    bool left = is_left(daemon) && hup;
    if (left && !stop_asked()) /* kernel and shell may both send it; two TERMs would be too many */
        raise(SIGTERM);
    if (stop_asked()) {
        if (!daemon->ending)
            notify_stopping(&daemon->notify);
        daemon->ending = true;
        return;
    }
    if (hup && !left)
        reload(daemon);
    if (usr1)
        turns_hurry(&daemon->turns, clock_ms());
}

static void notice_sleep(struct daemon *daemon)
{
    int64_t slept = clock_slept();
    if (slept - daemon->slept < NAP_MS)
        return;
    turns_slept(&daemon->turns, slept - daemon->slept, clock_ms());
    daemon->slept = slept;
}

static void tell_status(struct daemon *daemon)
{
    char text[NOTIFY_TEXT];
    size_t count = daemon->turns.count - daemon->turns.leaving;
    snprintf(text, sizeof text, "%s%zu account%s, %zu being polled",
             daemon->ending ? "ending; " : "", count, count == 1 ? "" : "s", daemon->turns.running);
    notify_status(&daemon->notify, text);
}

static void loop(struct daemon *daemon, struct pool *pool)
{
    pool_step(pool, 0); /* the first polls begin, and nothing is waited for */
    notify_ready(&daemon->notify);
    for (;;) {
        hear_signals(daemon);
        if (daemon->ending && pool_running(pool) == 0)
            return;
        notice_sleep(daemon);
        tell_status(daemon);
        report_metrics(daemon->job->report, false);
        notify_alive(&daemon->notify, clock_ms());
        int64_t look = clock_in(LOOK_MS);
        pool_step(pool, daemon->notify.next < look ? daemon->notify.next : look);
    }
}

void daemon_run(const struct daemon_job *job)
{
    struct daemon daemon = {.job = job};
    daemon.pool_job = (struct pool_job){
        .task = WORKER_POLL, .mode = SESSION_POLL, .switches = options_switches(job->options)};
    daemon.slept = clock_slept();
    daemon.terminal = !job->nohup && tty_is_there();
    notify_open(&daemon.notify);
    turns_init(&daemon.turns, job->options->daemon);
    take_roster(&daemon, job->roster);
    tell_begin(&daemon);
    struct pool *pool = pool_new(&daemon.pool_job, &daemon.turns, job->report);
    loop(&daemon, pool);
    pool_free(pool);
    turns_free(&daemon.turns);
    free(daemon.state_dir);
    notify_close(&daemon.notify);
}
