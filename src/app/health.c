/* SPDX-License-Identifier: ISC */
#include "app/health.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/json.h"
#include "session/manners.h"

char *health_spell_poll(const struct condition *condition, int64_t now, char *out, size_t cap)
{
    char last[MANNERS_TIME], since[MANNERS_TIME], success[MANNERS_TIME], row[80] = "";
    if (condition->last_poll == 0) {
        snprintf(out, cap, "never polled");
        return out;
    }
    const char *when = manners_spell_time(condition->last_poll, now, last);
    if (condition->trouble[0] == '\0') {
        snprintf(out, cap, "last poll %s went well", when);
        return out;
    }
    if (condition->failures > 0)
        snprintf(row, sizeof row, " (%" PRIu32 " in a row since %s)", condition->failures,
                 manners_spell_time(condition->failing_since, now, since));
    snprintf(out, cap, "last poll %s failed%s: %s; last success %s", when, row, condition->trouble,
             condition->last_success != 0
                 ? manners_spell_time(condition->last_success, now, success)
                 : "never");
    return out;
}

char *health_spell_mail(const struct condition *condition, const char *state_dir, char *out,
                        size_t cap)
{
    int at = snprintf(out, cap, "%" PRIu32 " message%s kept on the server, %" PRIu32 " held",
                      condition->kept, condition->kept == 1 ? "" : "s", condition->held);
    if (condition->failed > 0)
        at += snprintf(out + at, cap - (size_t)at, ", %" PRIu32 " failed", condition->failed);
    if (condition->left > 0)
        at += snprintf(out + at, cap - (size_t)at, ", %" PRIu32 " left by rules", condition->left);
    if (condition->spooled > 0)
        snprintf(out + at, cap - (size_t)at, "; %" PRIu32 " here in %s, not delivered yet",
                 condition->spooled, state_dir);
    return out;
}

static void add_time(struct buf *out, const char *key, int64_t when)
{
    if (when != 0)
        buf_addf(out, ", \"%s\": %" PRId64, key, when);
    else
        buf_addf(out, ", \"%s\": null", key);
}

void health_json(const struct condition *condition, const char *title, const char *state_dir,
                 struct buf *out)
{
    const char *outcome = condition->last_poll == 0       ? "none"
                          : condition->trouble[0] == '\0' ? "ok"
                                                          : "failed";
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    add_time(out, "last_poll", condition->last_poll);
    buf_addf(out, ", \"outcome\": \"%s\", ", outcome);
    json_text(out, "error", str_from(condition->trouble));
    buf_addf(out, ", \"failures\": %" PRIu32, condition->failures);
    add_time(out, "failing_since", condition->failures > 0 ? condition->failing_since : 0);
    add_time(out, "last_success", condition->last_success);
    add_time(out, "next_try", condition->next_try);
    buf_addf(out, ", \"refused\": %s", condition->refused ? "true" : "false");
    buf_addf(out,
             ", \"kept\": %" PRIu32 ", \"held\": %" PRIu32 ", \"failed\": %" PRIu32
             ", \"left\": %" PRIu32 ", \"spooled\": %" PRIu32 ", ",
             condition->kept, condition->held, condition->failed, condition->left,
             condition->spooled);
    json_text(out, "state_dir", str_from(state_dir));
    buf_addf(out, "}");
}
