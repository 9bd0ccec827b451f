/* SPDX-License-Identifier: ISC */
#include "app/worker.h"

#include <stdio.h>
#include <string.h>

#include "app/confine.h"
#include "app/doctor.h"
#include "app/hooks.h"
#include "app/json.h"
#include "app/logbook.h"
#include "app/rows.h"
#include "app/secrets.h"
#include "app/tty.h"
#include "base/clock.h"
#include "delivery/keep.h"
#include "session/condition.h"
#include "session/connect.h"
#include "session/manners.h"
#include "session/session.h"

struct work {
    const struct worker_job *job;
    struct log log;
    bool renewed; /* the token, once in a poll */
    struct hooks_new delivered;
};

static void emit(const struct work *work, const struct event *event)
{
    work->job->emit(work->job->ctx, event);
}

static void on_line(void *ctx, enum log_level level, const char *line)
{
    struct event event = {.kind = EVENT_LINE, .number = (uint32_t)level};
    snprintf(event.text, sizeof event.text, "%s", line);
    emit(ctx, &event);
}

static void on_answer(void *ctx, const char *line)
{
    struct event event = {.kind = EVENT_ANSWER};
    snprintf(event.text, sizeof event.text, "%s", line);
    emit(ctx, &event);
}

static void on_progress(void *ctx, const struct session_figures *figures)
{
    struct event event = {.kind = EVENT_PROGRESS, .figures = *figures};
    emit(ctx, &event);
}

static void emit_record(const struct work *work, struct str record)
{
    struct event event = {.kind = EVENT_RECORD};
    while (record.len > 0) {
        size_t len = record.len < sizeof event.text ? record.len : sizeof event.text - 1;
        memcpy(event.text, record.ptr, len);
        event.text[len] = '\0';
        record = str_behind(record, len);
        event.number = record.len == 0;
        emit(work, &event);
    }
}

static void on_delivered(void *ctx, const struct session_message *message)
{
    struct work *work = ctx;
    struct buf record;
    buf_init(&record, JSON_MESSAGE_MAX);
    json_message(&record, work->job->account->title, message);
    hooks_new_add(&work->delivered, buf_str(&record));
    if (work->job->records)
        emit_record(work, buf_str(&record));
    buf_free(&record);
    if (work->job->account->log_messages)
        logbook_delivered(&work->log, message);
}

static int renew(void *ctx, struct err *err)
{
    struct work *work = ctx;
    if (work->renewed)
        return 1;
    work->renewed = true;
    return secrets_renew(work->job->account, &work->log, err);
}

/* From here on the server is listened to. */
static int confine(const struct work *work, struct err *err)
{
    return work->job->alone ? confine_enter(work->job->account, work->job->state_dir, err) : 0;
}

static int fetch_secrets(void *ctx, struct err *err)
{
    struct work *work = ctx;
    struct account *account = work->job->account;
    /* The parent has found what it can, but where it first had to be seen that one is needed. */
    if (work->job->task == WORKER_DOCTOR && secrets_find(account, &work->log, err) < 0)
        return -1;
    if (secrets_fetch_key(account, &work->log, err) < 0 ||
        secrets_fetch(account, &work->log, err) < 0)
        return -1;
    return confine(work, err);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static int show_pin(struct work *work, const struct session_run *run, struct err *err)
{
    struct account *account = work->job->account;
    struct event event = {.kind = EVENT_ANSWER};
    if (secrets_fetch_key(account, &work->log, err) < 0 || confine(work, err) < 0 ||
        connect_show_pin(run, event.text, sizeof event.text, err) < 0)
        return -1;
    emit(work, &event);
    return 0;
}

/* The server is left alone; what is kept here is delivered all the same. err: why the server is, if
 * that is an error; then what went wrong here. */
static int deliver_meanwhile(struct session_run *run, bool refused, struct err *err)
{
    struct err here;
    bool quiet = run->figures.quiet;
    if (run->mode != SESSION_POLL || keep_octets(run->state_dir) == 0)
        return refused ? -1 : 0;
    run->figures.quiet = false;
    if (session_deliver(run, &here) < 0) {
        *err = here;
        return -1;
    }
    run->figures.quiet = quiet;
    return refused ? -1 : 0;
}

static void print_row(void *ctx, const struct look_row *row)
{
    (void)ctx;
    rows_print(row);
}

static int print_body(void *ctx, const char *bytes, size_t len, struct err *err)
{
    (void)ctx;
    return rows_print_body(bytes, len, err);
}

static bool confirm(void *ctx)
{
    const struct work *work = ctx;
    return work->job->look->yes || tty_confirm("Delete it from the server? [y/N] ") == TTY_YES;
}

static int look_around(struct work *work, struct session_run *run, struct err *err)
{
    const struct worker_look *wish = work->job->look;
    char text[80];
    struct look look = {.what = wish->what,
                        .uidl = wish->uidl,
                        .whole = wish->whole,
                        .row = print_row,
                        .confirm = confirm,
                        .body = {.write = print_body, .ctx = work},
                        .ctx = work};
    run->mode = SESSION_CHECK;
    if (look_run(run, &look, err) < 0)
        return -1;
    snprintf(text, sizeof text, "%u message%s, %u new", (unsigned)run->figures.listed,
             run->figures.listed == 1 ? "" : "s", (unsigned)run->figures.fresh);
    if (wish->what == LOOK_LIST && run->answer != NULL)
        run->answer(work, text);
    return 0;
}

/* The worst of all steps. */
struct findings {
    struct work *work;
    enum err_kind worst;
};

static void tell_step(void *ctx, const char *what, enum err_kind kind, const char *text)
{
    struct findings *findings = ctx;
    char line[ERR_TEXT_MAX];
    int status = err_status(findings->worst);
    if (err_worst(status, err_status(kind)) != status)
        findings->worst = kind;
    snprintf(line, sizeof line, "%s: %s%s", what, kind == ERR_NONE ? "ok: " : "PROBLEM: ", text);
    on_answer(findings->work, line);
}

static int examine(struct work *work, struct session_run *run, struct err *err)
{
    struct findings findings = {work, ERR_NONE};
    const struct checkup checkup = {tell_step, &findings};
    doctor_run(run, &checkup);
    run->figures.told = true;
    return findings.worst == ERR_NONE ? 0 : err_set(err, findings.worst, "see the problems above");
}

/* What was asked for by name has to be there. */
static int check_only(const struct session_run *run, struct err *err)
{
    if (run->switches.only == NULL || run->figures.planned > 0)
        return 0;
    return err_set(err, ERR_MESSAGE, "no message on the server has the UIDL %.80s; see --list",
                   run->switches.only);
}

static int poll_account(struct session_run *run, struct err *err)
{
    enum manners_leave leave = manners_allow(run, clock_wall(), err);
    if (leave != MANNERS_POLL)
        return deliver_meanwhile(run, leave == MANNERS_REFUSE, err);
    return session_poll(run, err) < 0 ? -1 : check_only(run, err);
}

static int do_task(struct work *work, struct session_run *run, struct err *err)
{
    switch (work->job->task) {
    case WORKER_PIN:
        return show_pin(work, run, err);
    case WORKER_DOCTOR:
        return examine(work, run, err);
    case WORKER_LOOK:
        return look_around(work, run, err);
    case WORKER_POLL:
        break;
    }
    return poll_account(run, err);
}

static bool measure(const struct worker_job *job, int64_t begun, struct metrics_account *measures)
{
    struct condition condition;
    struct err ignored;
    if (!job->measured ||
        condition_read(&condition, job->account, job->state_dir, clock_wall(), &ignored) < 0)
        return false;
    *measures = (struct metrics_account){.last_success = condition.last_success,
                                         .refused = condition.refused_since,
                                         .milliseconds = clock_ms() - begun,
                                         .kept = condition.kept,
                                         .held = condition.held,
                                         .spooled = condition.spooled};
    return true;
}

void worker_run(const struct worker_job *job)
{
    struct work work = {.job = job, .delivered = {.account = job->account}};
    work.log = (struct log){.level = job->level, .write = on_line, .ctx = &work};
    account_hide(job->account, &work.log);
    bool told_each = job->account->after_new != NULL || job->account->log_messages || job->records;
    struct session_run run = {
        .account = job->account,
        .state_dir = job->state_dir,
        .mode = job->mode,
        .switches = job->switches,
        .attended = job->attended,
        .paced = job->paced,
        .hurried = job->hurried,
        .log = &work.log,
        .progress = on_progress,
        .answer = job->level > FP_LOG_ERROR ? on_answer : NULL,
        .delivered = told_each ? on_delivered : NULL,
        .secrets = fetch_secrets,
        .renew = job->account->token_command != NULL ? renew : NULL,
        .ctx = &work,
    };
    struct err err = {0};
    int64_t begun = clock_ms();
    hooks_new_begin(&work.delivered);
    int result = do_task(&work, &run, &err);
    if (result < 0 && err.kind == ERR_NONE) /* a bug: not a success */
        err_set(&err, ERR_WORKER, "the poll failed for no known reason; please report it");
    account_wipe(job->account);
    hooks_new_end(&work.delivered, run.figures.fetched, &work.log);
    confine_end();
    struct event event = {.kind = EVENT_RESULT, .figures = run.figures};
    event.measured = measure(job, begun, &event.measures);
    if (result != 0) {
        event.number = (uint32_t)err.kind;
        memcpy(event.text, err.text, sizeof event.text);
    }
    job->emit(job->ctx, &event);
}
