/* SPDX-License-Identifier: ISC */
#include "session/through.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/variables.h"
#include "session/destination.h"

#define STATUS_DROP 99

static int open_raw(const struct parcel *raw, struct err *err)
{
    int input = openat(raw->folder, raw->name, O_RDONLY | O_CLOEXEC);
    return input < 0 ? err_errno(err, ERR_IO, errno, "cannot read %s", raw->path) : input;
}

/* What it prints goes through our hands: a full disk is an error of ours (ERR_LOCAL), whatever
 * the command makes of it. */
static int run(const struct poll *poll, const struct parcel *raw, int input, struct parcel *made,
               struct child_result *result, struct err *err)
{
    const struct sink sink = spool_sink(made);
    const struct account *account = poll->run->account;
    const struct variables of = {account->title, raw->uidl, raw->octets, raw->header};
    char **variables = variables_make(&of);
    const struct child_job job = {.command = account->pipe_through,
                                  .input = input,
                                  .sink = &sink,
                                  .env = (const char *const *)variables,
                                  .deadline = clock_in(account->mda_timeout * 1000),
                                  .stoppable = true,
                                  .log = poll->run->log};
    int ended = child_run(&job, result, err);
    variables_free(variables);
    return ended;
}

/* In a pipeline an error text comes with status 0. A message is known by what filters leave alone;
 * one that came without any of it may become anything. */
static bool is_still(const struct header *raw, const struct header *made)
{
    static const char *const names[] = {"Message-ID", "Date", "From"};
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str value = header_value(raw, names[i]);
        if (value.len > 0 && str_equal(value, header_value(made, names[i])))
            return true;
        known = known || value.len > 0;
    }
    return !known;
}

static int judge(const struct child_result *result, const struct parcel *made, struct parcel *raw,
                 enum through_end *end, struct err *err)
{
    bool exited = result->end == CHILD_EXITED;
    bool good = made->octets > 0 && is_still(raw->header, made->header);
    if (result->end == CHILD_STOPPED)
        return err_set(err, ERR_STOPPED, "interrupted while pipe_through ran");
    *end = exited && result->code == STATUS_DROP ? THROUGH_DROP
           : exited && result->code == 0 && good ? THROUGH_TAKE
                                                 : THROUGH_LATER;
    if (*end != THROUGH_LATER)
        return 0;
    free(raw->why);
    if (result->end == CHILD_TIMEOUT)
        raw->why = xasprintf("pipe_through did not end in time (mda_timeout)");
    else if (result->end == CHILD_SIGNALLED)
        raw->why = xasprintf("pipe_through was ended by signal %d", result->code);
    else if (result->code != 0)
        raw->why = xasprintf("pipe_through ended with status %d", result->code);
    else if (made->octets == 0)
        raw->why = xasprintf("pipe_through printed nothing");
    else
        raw->why = xasprintf("what pipe_through printed has none of the message's Message-ID, Date "
                             "and From");
    raw->status = result->code;
    return 0;
}

/* Three in a row that come to the same end: the rest need not wait for it. */
static void count(struct destination *through, enum through_end end, int status)
{
    bool alike = through->row > 0 && through->status == status;
    through->row = end != THROUGH_LATER ? 0 : alike ? through->row + 1 : 1;
    through->status = status;
    through->shut = through->row >= DESTINATION_ROW;
}

/* There is no room for what it prints, which may have no end: it waits, and others go on. */
static int put_off(struct parcel *raw, enum through_end *end, struct err *err)
{
    free(raw->why);
    raw->why = xstrdup(err->text);
    raw->status = err_status(err->kind);
    *end = THROUGH_LATER;
    err_clear(err);
    return 0;
}

int through_run(const struct poll *poll, struct parcel **parcel, struct deliver *to,
                enum through_end *end, struct err *err)
{
    struct child_result ended;
    struct parcel *raw = *parcel, *made;
    struct destination *through = &poll->routes.through->destination;
    *end = THROUGH_LATER;
    if (through->shut)
        return 0;
    int input = open_raw(raw, err);
    if (input < 0)
        return -1;
    if (deliver_begin(to, &made, err) < 0) {
        close(input);
        return -1;
    }
    int result = run(poll, raw, input, made, &ended, err);
    close(input);
    if (result == 0)
        result = judge(&ended, made, raw, end, err);
    if (result == 0 && *end == THROUGH_TAKE)
        result = deliver_finish(made, err);
    if (result < 0 && (err->kind == ERR_IO || err->kind == ERR_LOCAL))
        result = put_off(raw, end, err);
    if (result == 0)
        count(through, *end, raw->status);
    if (result < 0 || *end != THROUGH_TAKE) {
        deliver_drop(made);
        return result;
    }
    made->raw = raw;
    made->uidl = raw->uidl;
    *parcel = made;
    return 0;
}
