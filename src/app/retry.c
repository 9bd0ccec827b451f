/* SPDX-License-Identifier: ISC */
#include "app/retry.h"

#include <stdio.h>
#include <string.h>

#include "session/held.h"

/* What is here needs no connection. */
static uint32_t deliver(const struct account *account, const char *state_dir, struct report *report,
                        struct log *log)
{
    struct err err;
    account_hide(account, log);
    struct session_run run = {.account = account,
                              .state_dir = state_dir,
                              .mode = SESSION_POLL,
                              .attended = true,
                              .log = log};
    if (session_deliver(&run, &err) < 0 && !run.figures.told)
        report_error(report, account->title, &err);
    return run.figures.fetched;
}

static void tell(struct report *report, const char *title, unsigned released, uint32_t delivered)
{
    char text[120];
    if (released == 0)
        snprintf(text, sizeof text, "%u delivered from here", (unsigned)delivered);
    else if (delivered == 0)
        snprintf(text, sizeof text, "%u released; the next run tries again", released);
    else
        snprintf(text, sizeof text, "%u released, %u of them delivered from here", released,
                 (unsigned)delivered);
    report_answer(report, title, text);
}

/* How many were released, or delivered. */
static unsigned retry(const struct account *account, const char *state_dir, const char *uidl,
                      bool silent, struct report *report)
{
    struct report_about about = {report, account->title};
    struct log log = report_log(&about);
    struct err err;
    struct held_released released;
    uint32_t delivered = 0;
    if (held_release(account, state_dir, uidl, &log, &released, &err) < 0) {
        report_error(report, account->title, &err);
        return 0;
    }
    if (released.count > 0 || released.unnamed > 0)
        delivered = deliver(account, state_dir, report, &log);
    if (released.count + delivered > 0 && !silent)
        tell(report, account->title, released.count, delivered);
    return released.count + delivered;
}

void retry_run(const struct options *options, const struct roster *roster, struct report *report)
{
    const char *uidl = strcmp(options->retry, "all") == 0 ? NULL : options->retry;
    unsigned sum = 0;
    struct err err;
    for (size_t i = 0; i < roster->count; i++)
        sum += retry(roster->accounts[i], roster->top.state_dir, uidl, options->silent, report);
    if (sum == 0 && report->status == 0) {
        err_set(&err, ERR_MESSAGE, "no such message is held; fetchpop --status lists them");
        report_error(report, NULL, &err);
    }
}
