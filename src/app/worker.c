#include "app/worker.h"

#include <stdio.h>
#include <string.h>

#include "app/secrets.h"

static void on_line(void *ctx, enum log_level level, const char *line)
{
    const struct worker_job *job = ctx;
    struct event event = {.kind = EVENT_LINE, .number = (uint32_t)level};
    snprintf(event.text, sizeof event.text, "%s", line);
    job->emit(job->ctx, &event);
}

static void on_progress(void *ctx, const struct session_figures *figures)
{
    const struct worker_job *job = ctx;
    struct event event = {.kind = EVENT_PROGRESS, .figures = *figures};
    job->emit(job->ctx, &event);
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
        .log = &log,
        .progress = on_progress,
        .ctx = &copy,
    };
    struct err err = {0};
    int result = secrets_fetch(job->account, &log, &err);
    if (result == 0) {
        log_hide(&log, &job->account->password);
        result = session_poll(&run, &err);
        log_unhide(&log, &job->account->password);
    }
    struct event event = {.kind = EVENT_RESULT, .figures = run.figures};
    if (result != 0) {
        event.number = (uint32_t)err.kind;
        memcpy(event.text, err.text, sizeof event.text);
    }
    job->emit(job->ctx, &event);
}
