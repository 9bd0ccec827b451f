/* SPDX-License-Identifier: ISC */
#include "session/destination.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "session/again.h"

struct undelivered {
    uint32_t entry;
    enum parcel_outcome outcome;
    int status;
    bool unsure;
    char *name, *why;
};

static struct undelivered note_down(uint32_t entry, const char *name, const struct parcel *parcel)
{
    return (struct undelivered){.entry = entry,
                                .outcome = parcel->outcome,
                                .status = parcel->status,
                                .unsure = parcel->unsure,
                                .name = xstrdup(name),
                                .why = xstrdup(parcel->why)};
}

static void clear(struct undelivered *message)
{
    free(message->name);
    free(message->why);
}

static void add(struct destination *destination, struct undelivered message)
{
    destination->waiting =
        xreallocarray(destination->waiting, destination->count + 1, sizeof *destination->waiting);
    destination->waiting[destination->count++] = message;
}

static void forget(struct destination *destination, size_t from)
{
    for (size_t i = from; i < destination->count; i++)
        clear(&destination->waiting[i]);
    destination->count = from;
    if (from > 0)
        return;
    free(destination->waiting);
    destination->waiting = NULL;
}

/* ---- a message's own fault ---- */

/* What delivers, and then hangs, makes a copy with each try: after the second they become rare. */
static void count_silence(struct poll *poll, uint32_t entry, const struct parcel *parcel)
{
    struct journal_entry known = journal_entry(poll->journal, entry);
    const struct journal_failure failure = {
        .reason = REASON_DESTINATION,
        .words = str_from(parcel->why),
        .next_try = known.tries > 0 ? again_next_try(known.tries, 1, poll->rules.now) : 0};
    journal_keep(poll->journal, entry, known.state, true, NULL, &failure);
}

/* True if it is held from now on. What was held stays held; a first one is only if it may be: the
 * destination takes others. */
static bool count_refusal(struct poll *poll, bool may_hold, const struct undelivered *message)
{
    struct journal_entry entry = journal_entry(poll->journal, message->entry);
    unsigned tries = entry.tries + 1u, most = poll->run->account->max_tries;
    bool held = entry.state == JOURNAL_REFUSED || (may_hold && tries >= most);
    const struct journal_failure failure = {
        .reason = REASON_DESTINATION,
        .words = str_from(message->why),
        .next_try = held ? again_next_try(tries, most, poll->rules.now) : 0};
    journal_keep(poll->journal, message->entry, held ? JOURNAL_REFUSED : JOURNAL_KEPT, true, NULL,
                 &failure);
    return held;
}

static void tell(struct poll *poll, bool may_hold, const struct undelivered *message)
{
    const char *then = "it is kept here, and the next run tries again";
    poll->run->figures.failed++;
    if (message->outcome == PARCEL_REFUSED) {
        poll->refused++;
        if (count_refusal(poll, may_hold, message))
            then = AGAIN_HINT;
    } else {
        if (message->unsure)
            then = "it may have been delivered; it is tried again, ever more rarely (--retry: at "
                   "once)";
        poll->later++;
    }
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; %s", message->name, message->why, then);
}

static void tell_all(struct poll *poll, struct destination *destination)
{
    if (destination->trouble.kind == ERR_NONE && destination->count > 0)
        aside_tell(&poll->aside);
    for (size_t i = 0; i < destination->count; i++)
        tell(poll, destination->delivered > 0, &destination->waiting[i]);
    forget(destination, 0);
}

void destination_unreadable(struct poll *poll, uint32_t entry, const char *name, const char *why)
{
    struct undelivered message = {
        .entry = entry, .outcome = PARCEL_REFUSED, .name = xstrdup(name), .why = xstrdup(why)};
    tell(poll, true, &message);
    clear(&message);
}

/* ---- this machine's fault ---- */

/* sysexits.h names what is wrong; what else there is may pass. */
static enum err_kind kind_of(int status)
{
    static const enum err_kind kinds[] = {[73] = ERR_CREATE,   [74] = ERR_IO,    [75] = ERR_LOCAL,
                                          [76] = ERR_PROTOCOL, [77] = ERR_LOGIN, [78] = ERR_CONFIG};
    return status >= 73 && status <= 78 ? kinds[status] : ERR_LOCAL;
}

static void blame_machine(struct destination *destination, size_t from)
{
    const struct undelivered *first = &destination->waiting[from];
    const char *then = first->unsure ? "tried again, ever more rarely (--retry: at once)"
                                     : "delivered once that is mended";
    size_t n = destination->count - from;
    if (destination->trouble.kind != ERR_NONE)
        ;
    else if (n == 1)
        err_set(&destination->trouble, kind_of(first->status), "%s: %s; it is kept here and %s",
                first->name, first->why, then);
    else
        err_set(&destination->trouble, kind_of(first->status),
                "%s, for all of %zu messages in a row; they are kept here and %s", first->why, n,
                then);
    forget(destination, from);
}

/* A row of them; or nothing was delivered, all came to one end, and that speaks of the machine; or
 * each has been tried often enough to be held, if only something were delivered. */
static bool is_machine(const struct poll *poll, const struct destination *destination)
{
    bool often = true;
    if (destination->row >= DESTINATION_ROW)
        return true;
    if (destination->delivered > 0 || destination->row < destination->count ||
        destination->outcome != PARCEL_REFUSED)
        return false;
    for (size_t i = 0; i < destination->count; i++)
        often = often && journal_entry(poll->journal, destination->waiting[i].entry).tries >=
                             poll->run->account->max_tries;
    return often || (destination->status >= 73 && destination->status <= 78);
}

/* ---- one after the other ---- */

static struct destination *of(const struct poll *poll, const struct parcel *parcel)
{
    return &routes_of(&poll->routes, parcel)->destination;
}

void destination_took(struct poll *poll, const struct parcel *parcel)
{
    struct destination *destination = of(poll, parcel);
    destination->delivered++;
    destination->row = 0;
    tell_all(poll, destination);
}

void destination_refused(struct poll *poll, uint32_t entry, const char *name,
                         const struct parcel *parcel)
{
    struct destination *destination = of(poll, parcel);
    struct undelivered message = note_down(entry, name, parcel);
    if (parcel->unsure && record_is_here(journal_entry(poll->journal, entry).state))
        count_silence(poll, entry, parcel);
    if (journal_entry(poll->journal, entry).state == JOURNAL_REFUSED) {
        tell(poll, true, &message); /* as before: that says nothing of today */
        clear(&message);
        return;
    }
    bool alike = destination->row > 0 && destination->outcome == parcel->outcome &&
                 destination->status == parcel->status;
    if (!alike && destination->delivered > 0)
        tell_all(poll, destination);
    destination->row = alike ? destination->row + 1 : 1;
    destination->outcome = parcel->outcome;
    destination->status = parcel->status;
    add(destination, message);
    destination->shut = destination->row >= DESTINATION_ROW;
}

bool destination_failed(struct poll *poll, const struct parcel *parcel, const struct err *err)
{
    struct destination *destination = of(poll, parcel);
    destination->shut = true;
    if (err->kind == ERR_STOPPED || destination_all_shut(poll))
        return false;
    if (destination->trouble.kind == ERR_NONE)
        destination->trouble = *err;
    return true;
}

void destination_reopen(struct poll *poll)
{
    for (size_t i = 0; i < poll->routes.count; i++)
        poll->routes.at[i].destination.shut = false;
    if (poll->routes.through != NULL)
        poll->routes.through->destination.shut = false;
}

bool destination_is_shut(const struct poll *poll, const struct parcel *parcel)
{
    const struct route *through = poll->routes.through;
    return (through != NULL && parcel->to == through->deliver) || of(poll, parcel)->shut;
}

bool destination_all_shut(const struct poll *poll)
{
    bool shut = true;
    for (size_t i = 0; i < poll->routes.count; i++)
        shut = shut && poll->routes.at[i].destination.shut;
    return shut;
}

bool destination_is_doubtful(const struct poll *poll)
{
    bool doubtful = true;
    for (size_t i = 0; i < poll->routes.count; i++)
        doubtful = doubtful && poll->routes.at[i].destination.row >= DESTINATION_ROW;
    return doubtful;
}

void destination_conclude(struct poll *poll)
{
    for (size_t i = 0; i < poll->routes.count; i++) {
        struct destination *destination = &poll->routes.at[i].destination;
        size_t count = destination->count, row = destination->row;
        /* A row that goes on after a conclusion is longer than what still waits to be told. */
        if (count > 0 && is_machine(poll, destination))
            blame_machine(destination, count > row ? count - row : 0);
        tell_all(poll, destination);
    }
}

const struct err *destination_trouble(const struct poll *poll)
{
    size_t i = 0;
    while (i + 1 < poll->routes.count && poll->routes.at[i].destination.trouble.kind == ERR_NONE)
        i++;
    return &poll->routes.at[i].destination.trouble;
}
