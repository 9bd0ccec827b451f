/* SPDX-License-Identifier: ISC */
#include "app/capture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/secret.h"

#define SAID_MAX 800 /* octets of what a command says */

struct said {
    const struct log *log;
    bool at_once;         /* each line as it comes */
    char lines[SAID_MAX]; /* with "; " between them */
};

static void pass_on(struct said *said)
{
    if (said->lines[0] != '\0') {
        log_line(said->log, FP_LOG_WARNING, "%s", said->lines);
        said->lines[0] = '\0';
    }
}

static void hear(void *ctx, enum log_level level, const char *line)
{
    struct said *said = ctx;
    (void)level;
    if (said->at_once)
        pass_on(said);
    size_t len = strlen(said->lines);
    snprintf(said->lines + len, sizeof said->lines - len, "%s%s", len > 0 ? "; " : "", line);
}

/* A shell's -x, or a tool that repeats it: log, note and cron's mail are not to have it. */
static void blank(struct said *said, const struct buf *output)
{
    struct secret secret = {0};
    struct log quoting = {.level = FP_LOG_WARNING};
    char quoted[LOG_QUOTE_MAX + 4];
    struct str rest = buf_str(output);
    struct str line = str_trim(str_until(&rest, '\n'));
    if (secret_set(&secret, line) == 0) {
        log_hide(&quoting, &secret);
        log_quote(&quoting, str_from(said->lines), quoted);
        snprintf(said->lines, sizeof said->lines, "%s", quoted);
    }
    secret_wipe(&secret);
}

static int judge(const struct capture *capture, const struct child_result *result, struct err *err)
{
    const char *key = capture->key;
    if (result->end == CHILD_STOPPED)
        return err_set(err, ERR_STOPPED, "interrupted while %s ran", key);
    if (result->end == CHILD_TIMEOUT)
        return err_set(err, ERR_LOCAL, "%s did not end within %lld seconds; run it by hand", key,
                       (long long)capture->seconds);
    if (result->end == CHILD_SIGNALLED)
        return err_set(err, capture->failed, "%s was ended by signal %d; run it by hand", key,
                       result->code);
    if (result->code == 127 || result->code == 126)
        return err_set(err, ERR_CONFIG,
                       "%s cannot be run (status %d); check its path in the configuration file",
                       key, result->code);
    if (result->code != 0)
        return err_set(err, capture->failed, "%s failed with status %d; run it by hand", key,
                       result->code);
    if (result->overflow)
        return err_set(err, ERR_CONFIG, "%s printed more than %zu octets; it must print %s", key,
                       capture->output->max, capture->wanted);
    return 0;
}

int capture_run(const struct capture *capture, const struct log *log, struct err *err)
{
    struct said said = {.log = log,
                        .at_once = log_wants(log, FP_LOG_NOTE) &&
                                   (!capture->secret || isatty(STDERR_FILENO) == 1)};
    struct log listener = {.level = FP_LOG_WARNING, .write = hear, .ctx = &said};
    struct child_job job = {
        .command = capture->command,
        .input = -1,
        .output = capture->output,
        .env = capture->env,
        .deadline = clock_in(capture->seconds * 1000),
        .stoppable = true,
        .log = &listener,
    };
    struct child_result ended;
    int result = child_run(&job, &ended, err);
    if (capture->secret)
        blank(&said, capture->output);
    if (result == 0)
        result = judge(capture, &ended, err);
    if (result == 0)
        pass_on(&said);
    else if (said.lines[0] != '\0')
        err_append(err, " (%s)", said.lines);
    return result;
}
