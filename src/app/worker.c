#include "app/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/secrets.h"
#include "base/clock.h"
#include "session/connect.h"
#include "session/manners.h"

static void on_line(void *ctx, enum log_level level, const char *line)
{
    const struct worker_job *job = ctx;
    struct event event = {.kind = EVENT_LINE, .number = (uint32_t)level};
    snprintf(event.text, sizeof event.text, "%s", line);
    job->emit(job->ctx, &event);
}

static void on_answer(void *ctx, const char *line)
{
    const struct worker_job *job = ctx;
    struct event event = {.kind = EVENT_ANSWER};
    snprintf(event.text, sizeof event.text, "%s", line);
    job->emit(job->ctx, &event);
}

static void on_progress(void *ctx, const struct session_figures *figures)
{
    const struct worker_job *job = ctx;
    struct event event = {.kind = EVENT_PROGRESS, .figures = *figures};
    job->emit(job->ctx, &event);
}

/* --- another token ---------------------------------------------------------------------------- */

struct renewal {
    struct account *account;
    struct log *log;
    bool done; /* once in a poll */
};

static int renew(void *ctx, struct err *err)
{
    struct renewal *renewal = ctx;
    if (renewal->done)
        return 1;
    renewal->done = true;
    return secrets_renew(renewal->account, renewal->log, err);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static int fetch_secrets(const struct worker_job *job, struct log *log, struct err *err)
{
    int result = secrets_fetch_key(job->account, log, err);
    return result == 0 && job->task == WORKER_POLL ? secrets_fetch(job->account, log, err) : result;
}

static int show_pin(const struct worker_job *job, struct log *log, struct err *err)
{
    struct event event = {.kind = EVENT_ANSWER};
    if (connect_show_pin(job->account, log, event.text, sizeof event.text, err) < 0)
        return -1;
    job->emit(job->ctx, &event);
    return 0;
}

static int work(const struct worker_job *job, struct session_run *run, struct err *err)
{
    struct account *account = job->account;
    struct log *log = run->log;
    struct renewal renewal = {.account = account, .log = log};
    if (job->task == WORKER_POLL && manners_allow(run, clock_wall(), err) < 0)
        return err->kind == ERR_NONE ? 0 : -1;
    if (fetch_secrets(job, log, err) < 0)
        return -1;
    const struct secret *const secrets[] = {&account->password, &account->proxy_password,
                                            &account->tls_key_password};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        log_hide(log, secrets[i]);
    account->renew = account->token_command != NULL ? renew : NULL;
    account->renew_ctx = &renewal;
    int result = job->task == WORKER_PIN ? show_pin(job, log, err) : session_poll(run, err);
    account->renew = NULL;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        log_unhide(log, secrets[i]);
    return result;
}

void worker_run(const struct worker_job *job)
{
    /* The log's functions take a plain pointer; they only read the job. */
    struct worker_job copy = *job;
    struct log log = {.level = job->level, .write = on_line, .ctx = &copy};
    struct session_run run = {
        .account = job->account,
        .state_dir = job->state_dir,
        .mode = job->mode,
        .attended = job->attended,
        .paced = job->paced,
        .hurried = job->hurried,
        .log = &log,
        .progress = on_progress,
        .answer = job->level > FP_LOG_ERROR ? on_answer : NULL,
        .ctx = &copy,
    };
    struct err err = {0};
    signal(SIGXFSZ, SIG_IGN);
    int result = work(job, &run, &err);
    account_wipe(job->account);
    struct event event = {.kind = EVENT_RESULT, .figures = run.figures};
    if (result != 0) {
        event.number = (uint32_t)err.kind;
        memcpy(event.text, err.text, sizeof event.text);
    }
    job->emit(job->ctx, &event);
}
