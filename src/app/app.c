/* SPDX-License-Identifier: ISC */
#include "app/app.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/daemon.h"
#include "app/discover.h"
#include "app/hooks.h"
#include "app/moving.h"
#include "app/options.h"
#include "app/outlet.h"
#include "app/paths.h"
#include "app/pool.h"
#include "app/renames.h"
#include "app/report.h"
#include "app/retry.h"
#include "app/roster.h"
#include "app/secrets.h"
#include "app/setup.h"
#include "app/shard.h"
#include "app/status.h"
#include "app/usage.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define PRINTED_MAX ((size_t)64 * 1024 * 1024)

struct app {
    struct options options;
    struct report report;
    struct outlet outlet;
    struct roster roster;
    bool nohup; /* see app/daemon.h */
};

/* Missing 0, 1 and 2 would be given to the next file that is opened. */
static void fill_standard(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

/* --- polling ---------------------------------------------------------------------------------- */

static enum session_mode session_mode(enum options_mode mode)
{
    return mode == OPTIONS_CHECK     ? SESSION_CHECK
           : mode == OPTIONS_DRY_RUN ? SESSION_DRY_RUN
                                     : SESSION_POLL;
}

static bool to_output(const struct options *options)
{
    return options->mda != NULL && strcmp(options->mda, "-") == 0;
}

/* The options_mode is one of those that look into the mailbox. */
static bool is_look(enum options_mode mode)
{
    return mode == OPTIONS_DOCTOR || mode == OPTIONS_LIST || mode == OPTIONS_SHOW ||
           mode == OPTIONS_DELETE;
}

static void run_pool(struct app *app, enum worker_task task)
{
    const struct options *options = &app->options;
    const struct worker_look look = {.what = options->mode == OPTIONS_SHOW     ? LOOK_SHOW
                                             : options->mode == OPTIONS_DELETE ? LOOK_DELETE
                                                                               : LOOK_LIST,
                                     .uidl = options->uidl,
                                     .whole = options->all,
                                     .yes = options->yes};
    struct roster *roster = &app->roster;
    struct pool_job job = {
        .task = task,
        .look = &look,
        .state_dir = roster->top.state_dir,
        .mode = session_mode(app->options.mode),
        .switches = options_switches(&app->options),
        .jobs =
            to_output(options) || is_look(options->mode) ? 1 : roster->top.jobs, /* each whole */
        .max_per_server = roster->top.max_per_server,
        .no_fork = options->no_fork || options->mode == OPTIONS_DELETE ||
                   options->mode == OPTIONS_DOCTOR, /* they may ask */
        .hurried = app->report.watched || app->options.account_count > 0,
    };
    struct turns turns;
    turns_init(&turns, 0);
    if (job.no_fork)
        turns_share(&turns);
    for (size_t i = 0; i < roster->count; i++)
        turns_add(&turns, roster->accounts[i]);
    roster->count = 0;
    xtrim();
    pool_run(&job, &turns, &app->report);
    turns_free(&turns);
}

static void run_daemon(struct app *app)
{
    struct daemon_job job = {&app->options, &app->report, &app->outlet, &app->roster, app->nohup};
    report_repeat(&app->report);
    daemon_run(&job);
    app->report.status = 0; /* a daemon that was told to end has succeeded */
}

/* --- the whole -------------------------------------------------------------------------------- */

static void rename_account(struct app *app)
{
    const struct account *account = app->roster.accounts[0];
    struct report_about about = {&app->report, account->title};
    struct log log = report_log(&about);
    struct err err = {0};
    if (renames_move(app->options.rename, account, app->roster.top.state_dir, &log, &err) < 0)
        report_error(&app->report, account->title, &err);
    else if (!app->options.silent)
        report_answer(&app->report, account->title,
                      "the journal is this account's now; the next run compares each message by "
                      "its header");
}

/* A run of some accounts would take the others out of the file; so each shard has its own. */
static void begin_metrics(struct app *app)
{
    const struct roster *roster = &app->roster;
    if (roster->top.metrics == NULL || app->options.account_count > 0 ||
        session_mode(app->options.mode) != SESSION_POLL)
        return;
    char *path = shard_path(&app->options.shard, roster->top.metrics);
    app->report.metrics = metrics_new(path, roster->accounts, roster->count);
    free(path);
}

static void end_metrics(struct app *app)
{
    report_metrics(&app->report, true);
    metrics_free(app->report.metrics);
    app->report.metrics = NULL;
}

static void poll_accounts(struct app *app)
{
    for (size_t i = 0; i < app->roster.count && app->report.attended; i++)
        if (isatty(STDIN_FILENO) == 1 && session_mode(app->options.mode) == SESSION_POLL)
            renames_ask(app->roster.accounts[i]);
    roster_find_secrets(&app->roster, NULL, &app->report);
    if (app->options.mode == OPTIONS_CATCH_UP || to_output(&app->options))
        app->report.summaries = app->report.live = false;
    if (app->options.daemon == 0)
        run_pool(app, WORKER_POLL);
    else if (app->roster.count > 0 && !stop_asked())
        run_daemon(app);
}

/* A VPN that is down is told by the command itself, if it likes; here it is only the status. The
 * daemon frees the roster. */
static void poll_between(struct app *app)
{
    struct report_about about = {&app->report, NULL};
    struct log log = report_log(&about);
    struct err err;
    bool polls = session_mode(app->options.mode) == SESSION_POLL;
    char *after = polls ? app->roster.top.after : NULL;
    app->roster.top.after = NULL;
    if (hooks_before(polls ? app->roster.top.before : NULL, &log, &err) < 0) {
        app->report.status = err_status(err.kind);
    } else {
        begin_metrics(app);
        poll_accounts(app);
        end_metrics(app);
        hooks_after(after, app->report.status, &log);
    }
    free(after);
}

static void look(struct app *app)
{
    app->report.summaries = app->report.live = false;
    app->report.attended = true;
    if (app->options.mode != OPTIONS_DOCTOR)
        roster_find_secrets(&app->roster, NULL, &app->report);
    run_pool(app, app->options.mode == OPTIONS_DOCTOR ? WORKER_DOCTOR : WORKER_LOOK);
}

/* --show, --fetch and --delete are about one message of one mailbox. */
static bool names_one(struct app *app)
{
    struct err err;
    if (app->options.uidl == NULL || app->roster.count == 1)
        return true;
    err_set(&err, ERR_USAGE, "a UIDL belongs to one account; name it behind the UIDL");
    report_error(&app->report, NULL, &err);
    return false;
}

static bool trusts_at_sight(struct app *app)
{
    struct err err;
    for (size_t i = 0; app->options.accept_pin && i < app->roster.count; i++)
        if (app->roster.accounts[i]->trust != TLS_TRUST_TOFU) {
            err_set(&err, ERR_USAGE, "--accept-pin goes with tls_trust = tofu; leave it out");
            report_error(&app->report, app->roster.accounts[i]->title, &err);
            return false;
        }
    return true;
}

static void show_pins(struct app *app)
{
    app->report.summaries = app->report.live = false;
    run_pool(app, WORKER_PIN);
}

static void act(struct app *app)
{
    switch (app->options.mode) {
    case OPTIONS_STATUS:
        status_show(&app->roster, app->options.silent, &app->report);
        break;
    case OPTIONS_DOCTOR:
    case OPTIONS_LIST:
    case OPTIONS_SHOW:
    case OPTIONS_DELETE:
        look(app);
        break;
    case OPTIONS_RETRY:
        retry_run(&app->options, &app->roster, &app->report);
        break;
    case OPTIONS_RENAME:
        rename_account(app);
        break;
    case OPTIONS_IMPORT_SEEN:
        moving_import_seen(&app->options, &app->roster, &app->report);
        break;
    case OPTIONS_EXPORT_STATE:
        moving_export_state(&app->roster, &app->report);
        break;
    case OPTIONS_IMPORT_STATE:
        moving_import_state(&app->roster, &app->report);
        break;
    case OPTIONS_PRINT_PIN:
        show_pins(app);
        break;
    default:
        poll_between(app);
    }
}

/* Errors before this go to standard error alone. */
static int open_outlet(struct app *app, struct err *err)
{
    const struct options *options = &app->options;
    if (outlet_open(&app->outlet, options->log_file, options->syslog, err) < 0)
        return -1;
    if (outlet_is_open(&app->outlet))
        report_divert(&app->report, &app->outlet);
    return 0;
}

static int run(struct app *app)
{
    struct err err = {0};
    report_begin(&app->report, session_mode(app->options.mode), app->options.silent,
                 app->options.verbose);
    app->report.attended = app->report.attended || app->options.force || app->options.accept_pin;
    if (app->options.json)
        report_json(&app->report, app->options.json_messages);
    if (app->options.summary)
        report_summarise(&app->report);
    if (open_outlet(app, &err) < 0 ||
        roster_read(&app->roster, &app->options, &app->report, &err) < 0) {
        report_refusal(&app->report, &err);
    } else {
        app->report.total = app->roster.count;
        bool good = names_one(app) && trusts_at_sight(app);
        if (good && app->roster.count == 0)
            report_line(&app->report, NULL, FP_LOG_NOTE,
                        app->options.shard.count == 0 ? "no account is enabled"
                                                      : "no account of this shard is enabled");
        else if (good)
            act(app);
    }
    roster_free(&app->roster);
    int status = report_end(&app->report);
    outlet_close(&app->outlet);
    return status;
}

static int print(void (*printer)(FILE *to))
{
    printer(stdout);
    if (fflush(stdout) < 0) {
        fputs("fetchpop: cannot write to standard output\n", stderr);
        return err_status(ERR_IO);
    }
    return 0;
}

/* --- looking at the configuration file -------------------------------------------------------- */

/* ctx: as config_check wants it; not used. */
static void show(void *ctx, const char *text)
{
    char shown[2 * ERR_TEXT_MAX];
    utf8_show(str_from(text), shown, sizeof shown);
    fprintf(stderr, "fetchpop: %s\n", shown);
    (void)ctx;
}

static int check_config(const char *path, struct err *err)
{
    unsigned count = config_check(path, show, NULL);
    if (count == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "%u mistake%s in %s; correct %s", count, count > 1 ? "s" : "",
                   path, count > 1 ? "them" : "it");
}

static int print_config(const char *path, struct err *err)
{
    struct buf out;
    buf_init(&out, PRINTED_MAX);
    int result = config_spell(path, &out, err);
    if (result == 0)
        result = file_write(STDOUT_FILENO, out.data, out.len, "standard output", err);
    buf_free(&out);
    return result;
}

static int look_at_config(const struct options *options, struct err *err)
{
    char *path = paths_config_file(options->config_file, err);
    if (path == NULL)
        return -1;
    bool check = options->mode == OPTIONS_CHECK_CONFIG;
    int result = check ? check_config(path, err) : print_config(path, err);
    free(path);
    return result;
}

static int answer(const struct options *options, struct err *err)
{
    switch (options->mode) {
    case OPTIONS_DISCOVER:
        return discover_run(options->discover, err);
    case OPTIONS_SETUP:
        return setup_run(options, err);
    case OPTIONS_IMPORT:
        return moving_import(options, err);
    default:
        return look_at_config(options, err);
    }
}

/* No account, no secret, nothing to finish: a signal may end it at any point. */
static int answer_at_once(const struct options *options)
{
    struct err err;
    if (answer(options, &err) == 0)
        return 0;
    show(NULL, err.text);
    return err_status(err.kind);
}

int app_run(int argc, char **argv)
{
    struct app app = {0};
    struct err err;
    fill_standard();
    spawn_set_umask(umask(077));
    if (options_parse(&app.options, argc, argv, &err) < 0 || usage_check(&app.options, &err) < 0) {
        fprintf(stderr, "fetchpop: %s\n", err.text);
        return err_status(err.kind);
    }
    if (app.options.mode == OPTIONS_HELP)
        return print(options_print_help);
    if (app.options.mode == OPTIONS_VERSION)
        return print(options_print_version);
    if (app.options.mode == OPTIONS_DISCOVER || app.options.mode == OPTIONS_IMPORT ||
        app.options.mode == OPTIONS_CHECK_CONFIG || app.options.mode == OPTIONS_PRINT_CONFIG)
        return answer_at_once(&app.options);
    stop_install();
    secrets_guard();
    if (app.options.mode == OPTIONS_SETUP)
        return answer_at_once(&app.options);
    if (app.options.daemon > 0)
        app.nohup = stop_listen();
    return run(&app);
}
