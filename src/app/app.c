#include "app/app.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/discover.h"
#include "app/options.h"
#include "app/paths.h"
#include "app/pool.h"
#include "app/report.h"
#include "app/secrets.h"
#include "base/buf.h"
#include "base/stop.h"
#include "base/xalloc.h"

#define NAMES_SHOWN 600 /* octets of the list of accounts in an error */

struct app {
    struct options options;
    struct config config;
    struct report report;
    char *state_dir;
    struct account **wanted; /* borrowed from config, until the pool takes them over */
    size_t count;
};

/* Missing 0, 1 and 2 would be given to the next file that is opened. */
static void fill_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void)!open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
        }
    }
}

/* --- which accounts --------------------------------------------------------------------------- */

static struct account *find(const struct config *config, const char *title)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->accounts[i]->title, title) == 0) {
            return config->accounts[i];
        }
    }
    return NULL;
}

static int refuse_name(const struct config *config, const char *name, struct err *err)
{
    struct buf names;
    buf_init(&names, NAMES_SHOWN);
    size_t i = 0;
    while (i < config->count &&
           buf_addf(&names, "%s%s", i > 0 ? ", " : "", config->accounts[i]->title) == 0) {
        i++;
    }
    err_set(err, ERR_USAGE, "no account \"%.80s\" in the run file; it has %.*s%s", name,
            (int)names.len, names.data != NULL ? names.data : "",
            i < config->count ? " and more" : "");
    buf_free(&names);
    return -1;
}

static bool is_wanted(const struct app *app, const struct account *account)
{
    for (size_t i = 0; i < app->count; i++) {
        if (app->wanted[i] == account) {
            return true;
        }
    }
    return false;
}

static int choose(struct app *app, struct err *err)
{
    const struct options *options = &app->options;
    const struct config *config = &app->config;
    app->wanted = xcalloc(config->count, sizeof *app->wanted);
    for (size_t i = 0; i < options->account_count; i++) {
        struct account *account = find(config, options->accounts[i]);
        if (account == NULL) {
            return refuse_name(config, options->accounts[i], err);
        }
        if (!is_wanted(app, account)) {
            app->wanted[app->count++] = account;
        }
    }
    for (size_t i = 0; options->account_count == 0 && i < config->count; i++) {
        if (config->accounts[i]->enabled) {
            app->wanted[app->count++] = config->accounts[i];
        }
    }
    return 0;
}

/* The others are not needed any more, and their secrets least of all. */
static void drop_unwanted(struct app *app)
{
    for (size_t i = 0; i < app->config.count; i++) {
        if (!is_wanted(app, app->config.accounts[i])) {
            account_free(app->config.accounts[i]);
        }
    }
    free(app->config.accounts);
    app->config.accounts = NULL;
    app->config.count = 0;
}

static int prepare(struct app *app, struct err *err)
{
    char *path = paths_run_file(app->options.run_file, err);
    int result = path == NULL ? -1 : config_read(&app->config, path, err);
    free(path);
    if (result != 0) {
        return -1;
    }
    if (choose(app, err) != 0) {
        app->count = 0; /* config still owns them all */
        return -1;
    }
    drop_unwanted(app);
    for (size_t i = 0; i < app->count; i++) {
        options_apply(&app->options, app->wanted[i]);
    }
    app->state_dir = paths_state(app->options.state_dir, app->config.state_dir, err);
    return app->state_dir != NULL ? 0 : -1;
}

/* --- polling ---------------------------------------------------------------------------------- */

struct titled {
    struct report *report;
    const char *title;
};

static void log_to_report(void *ctx, enum log_level level, const char *line)
{
    const struct titled *to = ctx;
    report_line(to->report, to->title, level, line);
}

/* Accounts without a secret are done with here; the others go on. */
static void find_secrets(struct app *app)
{
    size_t kept = 0;
    for (size_t i = 0; i < app->count; i++) {
        struct account *account = app->wanted[i];
        struct titled to = {&app->report, account->title};
        struct log log = {.level = app->report.level, .write = log_to_report, .ctx = &to};
        struct err err = {0};
        if (stop_asked()) {
            err_set(&err, ERR_STOPPED, "interrupted");
        }
        if (err.kind == ERR_NONE && secrets_find(account, &log, &err) == 0) {
            app->wanted[kept++] = account;
            continue;
        }
        report_result(&app->report, account->title, &(struct session_figures){0}, err.kind,
                      err.text);
        account_free(account);
    }
    app->count = kept;
}

static enum session_mode session_mode(enum options_mode mode)
{
    return mode == OPTIONS_CHECK     ? SESSION_CHECK
           : mode == OPTIONS_DRY_RUN ? SESSION_DRY_RUN
                                     : SESSION_POLL;
}

static void run_pool(struct app *app, enum worker_task task)
{
    struct turns turns;
    turns_init(&turns, 0);
    for (size_t i = 0; i < app->count; i++) {
        turns_add(&turns, app->wanted[i]);
    }
    app->count = 0;
    struct pool_job job = {
        .task = task,
        .state_dir = app->state_dir,
        .mode = session_mode(app->options.mode),
        .jobs = app->options.jobs > 0 ? app->options.jobs : app->config.jobs,
        .max_per_server = app->config.max_per_server,
        .no_fork = app->options.no_fork,
    };
    pool_run(&job, &turns, &app->report);
    turns_free(&turns);
}

/* --- held messages ---------------------------------------------------------------------------- */

struct listing {
    struct titled to;
    size_t lines;
};

static void answer(void *ctx, const char *text)
{
    struct listing *listing = ctx;
    listing->lines++;
    report_answer(listing->to.report, listing->to.title, text);
}

static void show_status(struct app *app)
{
    for (size_t i = 0; i < app->count; i++) {
        struct listing listing = {{&app->report, app->wanted[i]->title}, 0};
        struct err err = {0};
        if (session_status(app->wanted[i], app->state_dir, answer, &listing, &err) != 0) {
            report_error(&app->report, listing.to.title, &err);
        } else if (listing.lines == 0 && !app->options.silent) {
            report_answer(&app->report, listing.to.title, "nothing failed, nothing held");
        }
    }
}

static void retry(struct app *app)
{
    const char *uidl = strcmp(app->options.retry, "all") == 0 ? NULL : app->options.retry;
    unsigned sum = 0;
    struct err err = {0};
    for (size_t i = 0; i < app->count; i++) {
        const char *title = app->wanted[i]->title;
        unsigned released = 0;
        if (session_retry(app->wanted[i], app->state_dir, uidl, &released, &err) != 0) {
            report_error(&app->report, title, &err);
        } else if (released > 0 && !app->options.silent) {
            char text[80];
            snprintf(text, sizeof text, "%u released; the next run tries again", released);
            report_answer(&app->report, title, text);
        }
        sum += released;
    }
    if (sum == 0 && app->report.status == 0) {
        err_set(&err, ERR_MESSAGE, "no such message is held; fetchpop --status lists them");
        report_error(&app->report, NULL, &err);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static void act(struct app *app)
{
    if (app->count == 0) {
        report_line(&app->report, NULL, FP_LOG_NOTE, "no account is enabled");
    } else if (app->options.mode == OPTIONS_STATUS) {
        show_status(app);
    } else if (app->options.mode == OPTIONS_RETRY) {
        retry(app);
    } else if (app->options.mode == OPTIONS_PRINT_PIN) {
        app->report.summaries = app->report.live = false;
        run_pool(app, WORKER_PIN);
    } else {
        find_secrets(app);
        run_pool(app, WORKER_POLL);
    }
}

static int run(struct app *app)
{
    struct err err = {0};
    report_begin(&app->report, session_mode(app->options.mode), app->options.silent,
                 app->options.verbose, 0);
    if (prepare(app, &err) != 0) {
        report_error(&app->report, NULL, &err);
    } else {
        app->report.total = app->count;
        act(app);
    }
    for (size_t i = 0; i < app->count; i++) {
        account_free(app->wanted[i]);
    }
    free(app->wanted);
    free(app->state_dir);
    config_free(&app->config);
    return report_end(&app->report);
}

static int print(void (*printer)(FILE *to))
{
    printer(stdout);
    if (fflush(stdout) != 0) {
        fputs("fetchpop: standard output did not take what was printed\n", stderr);
        return err_status(ERR_IO);
    }
    return 0;
}

/* No account, no secret, nothing to finish: a signal may end it where it stands. */
static int discover(const char *address)
{
    struct err err;
    if (discover_run(address, &err) == 0) {
        return 0;
    }
    fprintf(stderr, "fetchpop: %s\n", err.text);
    return err_status(err.kind);
}

int app_run(int argc, char **argv)
{
    struct app app = {0};
    struct err err;
    fill_standard();
    umask(077);
    if (options_parse(&app.options, argc, argv, &err) != 0) {
        fprintf(stderr, "fetchpop: %s\n", err.text);
        return err_status(err.kind);
    }
    if (app.options.mode == OPTIONS_HELP) {
        return print(options_print_help);
    }
    if (app.options.mode == OPTIONS_VERSION) {
        return print(options_print_version);
    }
    if (app.options.mode == OPTIONS_DISCOVER) {
        return discover(app.options.discover);
    }
    stop_install();
    secrets_guard();
    return run(&app);
}
