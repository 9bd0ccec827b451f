/* SPDX-License-Identifier: ISC */
#include "app/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/cron.h"
#include "base/clock.h"
#include "base/program.h"
#include "base/sandbox.h"
#include "base/xalloc.h"
#include "state/calendar.h"

#define WORDS_MAX 900

static void check_folder(const struct checkup *checkup, const char *what, const char *path)
{
    struct err err = {0};
    char text[WORDS_MAX];
    int result = checkup_folder(path, &err);
    snprintf(text, sizeof text, "%.400s: files can be made there, and made durable", path);
    checkup->step(checkup->ctx, what, err.kind, result < 0 ? err.text : text);
}

static void check_command(const struct checkup *checkup, const char *command)
{
    char text[WORDS_MAX], *folder = program_folder(command, program_path());
    bool found = folder != NULL;
    free(folder);
    snprintf(text, sizeof text, found ? "%.400s" : "%.400s: no such command; check its path",
             command);
    checkup->step(checkup->ctx, "destination", found ? ERR_NONE : ERR_CONFIG, text);
}

static void check_lmtp(const struct checkup *checkup, const char *server)
{
    char text[WORDS_MAX];
    snprintf(text, sizeof text, "%.400s: asked when there is mail for it", server);
    checkup->step(checkup->ctx, "destination", ERR_NONE, text);
}

static void check_destinations(const struct account *account, const struct checkup *checkup)
{
    struct account_target target;
    for (size_t at = 0; account_next_target(account, &at, &target);)
        if (target.kind == DELIVER_MDA)
            check_command(checkup, target.where);
        else if (target.kind == DELIVER_LMTP)
            check_lmtp(checkup, target.where);
        else
            check_folder(checkup, "destination", target.where);
}

/* Of a worker that polls; the doctor itself works without, since it may ask. */
static void tell_sandbox(const struct account *account, const struct checkup *checkup)
{
    char text[WORDS_MAX] = "off";
    if (account->sandbox != ACCOUNT_SANDBOX_OFF)
        sandbox_spell(text, sizeof text);
    checkup->step(checkup->ctx, "sandbox", ERR_NONE, text);
}

static void check_clock(const struct checkup *checkup)
{
    char text[WORDS_MAX];
    time_t now = (time_t)clock_wall();
    struct tm tm;
    bool good = now >= (time_t)CALENDAR_SET * CLOCK_DAY && gmtime_r(&now, &tm) != NULL;
    if (!good || strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        snprintf(text, sizeof text, "it was never set; set it: certificates and keep depend on it");
    checkup->step(checkup->ctx, "clock", good ? ERR_NONE : ERR_LOCAL, text);
}

void doctor_run(struct session_run *run, const struct checkup *checkup)
{
    run->mode = SESSION_CHECK;
    checkup_server(run, checkup);
    check_destinations(run->account, checkup);
    check_folder(checkup, "state folder", run->state_dir);
    tell_sandbox(run->account, checkup);
    check_clock(checkup);
    cron_check(run->account, run->state_dir, checkup);
}
