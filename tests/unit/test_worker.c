/* SPDX-License-Identifier: ISC */
/*
 * worker: its one result, also where a task fails and does not say why. All else of it is tried
 * from outside.
 */
#include "session/look.h"
#include "session/session.h"

/* Tasks with a bug in them. */
static int fail_in_silence(const void *run, const void *look, const void *err)
{
    (void)run, (void)look, (void)err;
    return -1;
}
#define session_poll(run, err) fail_in_silence(run, NULL, err)
#define look_run(run, look, err) fail_in_silence(run, look, err)

#include "app/worker.c" /* NOLINT(bugprone-suspicious-include): it calls the two above */

#include <stdlib.h>

#include "kit_config.h"
#include "tap.h"

static struct event last;
static unsigned results;

static void keep_result(void *ctx, const struct event *event)
{
    (void)ctx;
    results += event->kind == EVENT_RESULT;
    last = *event;
}

static void one_result(const char *name, const struct worker_job *job)
{
    results = 0;
    worker_run(job);
    is_int(results, 1, name);
    is_int(last.kind, EVENT_RESULT, "it comes last");
    is_int(err_status((enum err_kind)last.number), 70, "it is a fault of the program, no success");
    ok(strstr(last.text, "please report it") != NULL, "which is to be reported");
}

int main(void)
{
    char dir[] = "/tmp/test-worker-XXXXXX", text[200];
    struct config config;
    static const struct worker_look wish = {.what = LOOK_LIST};
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(text, sizeof text, "account a { server = \"s\" user = \"u\" maildir = \"%s/m\" }\n",
             dir);
    struct worker_job job = {.task = WORKER_POLL,
                             .look = &wish,
                             .account = one(&config, text),
                             .state_dir = dir,
                             .emit = keep_result};
    one_result("a poll that fails without an error has one result", &job);
    job.task = WORKER_LOOK;
    one_result("so has a look at the mailbox", &job);
    config_free(&config);
    snprintf(text, sizeof text, "rm -r %s", dir);
    return system(text) != 0 || tap_done();
}
