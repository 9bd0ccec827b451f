/* SPDX-License-Identifier: ISC */
#include "session/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/header.h"
#include "delivery/unread.h"
#include "delivery/variables.h"

#define DELETE 2

/* With the empty line that ends it. */
static struct str cut(struct str text)
{
    struct str rest = text;
    while (rest.len > 0) {
        struct str line = str_until(&rest, '\n');
        if (line.len == 0 || (line.len == 1 && line.ptr[0] == '\r'))
            break;
    }
    return str_of(text.ptr, text.len - rest.len);
}

/* A file of no name, to be read from its beginning. */
static int write_down(const struct poll *poll, struct str header, struct err *err)
{
    int fd = file_unnamed(poll->settings->state_dir, err);
    if (fd < 0)
        return -1;
    if (file_write(fd, header.ptr, header.len, "a header for filter_command", err) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

/* What it says on standard error, and whether it says anything. */
struct complaints {
    const struct log *log;
    bool any;
};

static void hear(void *ctx, enum log_level level, const char *line)
{
    struct complaints *complaints = ctx;
    complaints->any = true;
    log_line(complaints->log, level, "%s", line);
}

static int run(const struct poll *poll, const struct filter_message *message, int input,
               struct complaints *complaints, struct child_result *result, struct err *err)
{
    struct log log = poll->aside.log;
    log.write = hear;
    log.ctx = complaints;
    complaints->log = &poll->aside.log;
    const struct account *account = poll->run->account;
    struct header *header = header_new();
    header_feed(header, message->header.ptr, message->header.len);
    const struct variables of = {account->title, message->uidl, message->size, header};
    char **variables = variables_make(&of);
    const struct child_job job = {.command = account->filter_command,
                                  .input = input,
                                  .env = (const char *const *)variables,
                                  .deadline = clock_in(account->mda_timeout * 1000),
                                  .stoppable = true,
                                  .log = &log};
    int ended = child_run(&job, result, err);
    header_free(header);
    variables_free(variables);
    return ended;
}

static int judge(const struct child_result *result, enum rule_action *action, struct err *err)
{
    static const enum rule_action says[] = {RULE_FETCH, RULE_LEAVE, RULE_DELETE};
    if (result->end == CHILD_STOPPED)
        return err_set(err, ERR_STOPPED, "interrupted while filter_command ran");
    if (result->end == CHILD_TIMEOUT)
        return err_set(err, ERR_LOCAL,
                       "filter_command did not end in time; run it by hand, or raise mda_timeout");
    if (result->end == CHILD_SIGNALLED)
        return err_set(err, ERR_LOCAL, "filter_command was ended by signal %d; run it by hand",
                       result->code);
    if (result->code > DELETE)
        return err_set(
            err, ERR_LOCAL,
            "filter_command ended with status %d, which is not 0, 1 or 2; run it by hand",
            result->code);
    *action = says[result->code];
    return 0;
}

int filter_ask(const struct poll *poll, const struct filter_message *message,
               enum rule_action *action, bool *doubtful, struct err *err)
{
    struct child_result result;
    struct complaints complaints = {.any = false};
    int input = write_down(poll, cut(message->header), err);
    if (input < 0)
        return -1;
    bool marked = unread_mark(input);
    int ended = run(poll, message, input, &complaints, &result, err);
    *doubtful = marked && unread_is(input) && complaints.any;
    close(input);
    return ended < 0 ? -1 : judge(&result, action, err);
}
