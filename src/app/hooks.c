/* SPDX-License-Identifier: ISC */
#include "app/hooks.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/xalloc.h"

#define STATUS_LATER 75

/* Its exit status, or -1 if there is none; whatever is not 0 was logged. `spared`: so many INT and
 * TERM to us leave it running. */
static int run(const char *key, const char *command, int input, const char *const *env, int spared,
               const struct log *log)
{
    struct child_job job = {.command = command,
                            .input = input,
                            .env = env,
                            .deadline = clock_in(HOOKS_SECONDS * (int64_t)1000),
                            .stoppable = true,
                            .spared = spared,
                            .log = log};
    struct child_result result;
    struct err err;
    if (child_run(&job, &result, &err) < 0)
        log_line(log, FP_LOG_WARNING, "%s: %s", key, err.text);
    else if (result.end == CHILD_EXITED && result.code == 0)
        return 0;
    else if (result.end == CHILD_EXITED)
        log_line(log, result.code == STATUS_LATER ? FP_LOG_NOTE : FP_LOG_WARNING,
                 "%s: the command exited with %d", key, result.code);
    else
        log_line(log, FP_LOG_WARNING, "%s: the command was ended%s", key,
                 result.end == CHILD_TIMEOUT ? ", it took too long" : " by a signal");
    return result.end == CHILD_EXITED ? result.code : -1;
}

int hooks_before(const char *command, const struct log *log, struct err *err)
{
    if (command == NULL || run("before", command, -1, NULL, 0, log) != STATUS_LATER)
        return 0;
    return err_set(err, ERR_AGAIN,
                   "the command in before says: not now (75); the next run asks it again");
}

void hooks_after(const char *command, int status, const struct log *log)
{
    if (command == NULL)
        return;
    char *env = xasprintf("FETCHPOP_STATUS=%d", status);
    run("after", command, -1, (const char *const[]){env, NULL}, 1, log);
    free(env);
}

void hooks_new_begin(struct hooks_new *news)
{
    if (news->account->after_new != NULL)
        news->list = tmpfile(); /* without a name: nothing is left behind by a kill */
}

void hooks_new_add(struct hooks_new *news, struct str record)
{
    if (news->list == NULL)
        return;
    (void)fwrite(record.ptr, 1, record.len, news->list); /* ferror tells, at the end */
    (void)putc('\n', news->list);
}

void hooks_new_end(struct hooks_new *news, uint32_t delivered, const struct log *log)
{
    bool whole = news->list != NULL && fflush(news->list) == 0 && !ferror(news->list);
    if (news->account->after_new != NULL && delivered > 0) {
        char *account = xasprintf("FETCHPOP_ACCOUNT=%s", news->account->title);
        char *count = xasprintf("FETCHPOP_NEW=%lu", (unsigned long)delivered);
        if (!whole)
            log_line(log, FP_LOG_WARNING, "after_new gets no list: it cannot be written to %s",
                     P_tmpdir);
        else
            rewind(news->list);
        run("after_new", news->account->after_new, whole ? fileno(news->list) : -1,
            (const char *const[]){account, count, "FETCHPOP_LIST=/dev/stdin", NULL}, 1, log);
        free(account);
        free(count);
    }
    if (news->list != NULL)
        fclose(news->list);
    news->list = NULL;
}
