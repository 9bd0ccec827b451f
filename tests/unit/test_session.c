/* SPDX-License-Identifier: ISC */
/*
 * session: what a poll that fails and does not say why comes to. All else of it is tried from
 * outside, with a server.
 */
#include "session/session.h"

#include <stdlib.h>

#include "kit_config.h"
#include "tap.h"

/* A part of a poll with a bug in it. */
static int fail_in_silence(void *ctx, struct err *err)
{
    (void)ctx, (void)err;
    return -1;
}

static void hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

int main(void)
{
    char dir[] = "/tmp/test-session-XXXXXX", text[200];
    struct config config;
    struct err err = {.kind = ERR_NONE};
    struct log log = {.level = FP_LOG_TRACE, .write = hear};
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(text, sizeof text, "account a { server = \"s\" user = \"u\" maildir = \"%s/m\" }\n",
             dir);
    struct session_run run = {
        .account = one(&config, text), .state_dir = dir, .log = &log, .secrets = fail_in_silence};
    is_int(session_poll(&run, &err), -1, "a -1 without an error is no success");
    is_int(err_status(err.kind), 70, "but a fault of the program");
    ok(strstr(err.text, "please report it") != NULL, "which is to be reported");
    ok(!run.figures.told, "and nobody has said so yet");
    config_free(&config);
    snprintf(text, sizeof text, "rm -r %s", dir);
    return system(text) != 0 || tap_done();
}
