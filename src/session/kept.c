/* SPDX-License-Identifier: ISC */
#include "session/kept.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "delivery/keep.h"
#include "session/again.h"
#include "session/batch.h"
#include "session/destination.h"
#include "session/heading.h"
#include "session/plan.h"
#include "session/sift.h"
#include "session/through.h"

#define SPARE_PERCENT 5

/* ---- the files ---- */

void kept_list(const struct journal *journal, struct spool_list *list)
{
    char room[JOURNAL_FILE_MAX];
    uint64_t octets;
    *list = (struct spool_list){.count = 0};
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        enum journal_state state = journal_entry(journal, id).state;
        if ((state != JOURNAL_TAKEN && !record_is_here(state)) ||
            journal_file(journal, id, room, &octets).len == 0)
            continue;
        list->at = xreallocarray(list->at, list->count + 1, sizeof *list->at);
        list->at[list->count++] = xstrdup(room);
    }
    if (list->count > 0)
        qsort(list->at, list->count, sizeof *list->at, str_order);
}

void kept_free_list(struct spool_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i]);
    free(list->at);
    *list = (struct spool_list){.count = 0};
}

static int rename_file(struct journal *journal, uint32_t id,
                       const struct deliver_settings *settings, struct err *err)
{
    char room[JOURNAL_FILE_MAX], other[SPOOL_NAME_MAX];
    uint64_t octets;
    if (journal_file(journal, id, room, &octets).len == 0 ||
        spool_is_own(room, settings->mailbox) || !spool_rename(room, settings->mailbox, other))
        return 0;
    if (keep_rename(settings, room, other, err) < 0)
        return -1;
    journal_rename_file(journal, id, str_from(other));
    return 0;
}

int kept_rename(struct journal *journal, const struct deliver_settings *settings, struct err *err)
{
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        enum journal_state state = journal_entry(journal, id).state;
        if ((state == JOURNAL_TAKEN || record_is_here(state)) &&
            rename_file(journal, id, settings, err) < 0)
            return -1;
    }
    return journal_is_dirty(journal) ? journal_sync(journal, err) : 0;
}

uint32_t kept_tidy(struct poll *poll)
{
    uint32_t held = 0;
    char room[JOURNAL_FILE_MAX];
    uint64_t octets;
    struct err ignored;
    for (uint32_t id = 0; id < journal_count(poll->journal); id++) {
        enum journal_state state = journal_entry(poll->journal, id).state;
        if (!record_is_here(state))
            continue;
        bool refused = state == JOURNAL_REFUSED;
        held += refused;
        if (journal_file(poll->journal, id, room, &octets).len == 0)
            continue;
        if (refused)
            (void)keep_hold(poll->settings, room, &ignored);
        keep_mark(poll->settings, room);
    }
    return held;
}

enum kept_room kept_has_room(const struct poll *poll, uint64_t coming, uint64_t size,
                             struct err *err)
{
    uint64_t max = poll->run->account->spool_max;
    bool full = poll->kept_octets + coming + size > max;
    bool scarce = poll->kept_octets > 0 &&
                  file_would_fill(poll->settings->state_dir, coming + size, SPARE_PERCENT);
    if (!full && !scarce)
        return KEPT_ROOM;
    if (coming > 0)
        return KEPT_WAIT;
    if (poll->kept_octets == 0 || (poll->kept_octets < max && !scarce))
        return KEPT_ROOM; /* however long: it would wait for ever */
    if (poll->kept_octets >= max)
        err_set(err, ERR_LOCAL,
                "%llu octets of mail are kept in %s, over spool_max = %llu; they must go first, "
                "--status names them",
                (unsigned long long)poll->kept_octets, poll->settings->state_dir,
                (unsigned long long)max);
    else
        err_set(err, ERR_LOCAL,
                "mail is kept in %s, and its file system is nearly full; nothing more is fetched "
                "until it has room",
                poll->settings->state_dir);
    return KEPT_FULL;
}

/* ---- delivering ---- */

struct again {
    struct poll *poll;
    char (*uidls)[JOURNAL_UIDL_ROOM]; /* of the batch, in its order */
    bool owned;                       /* always: the files stay */
    struct batch batch;
};

#define NAME_ROOM (LOG_QUOTE_MAX + 40)

static const char *name_of(const struct poll *poll, uint32_t id, char name[NAME_ROOM])
{
    char quoted[LOG_QUOTE_MAX + 4], uidl[JOURNAL_UIDL_ROOM];
    snprintf(name, NAME_ROOM, "message kept here (UIDL %s)",
             log_quote(poll->run->log, journal_uidl(poll->journal, id, uidl), quoted));
    return name;
}

static void on_settled(void *ctx, const struct batch_item *item, const struct parcel *parcel)
{
    struct poll *poll = ((struct again *)ctx)->poll;
    char name[NAME_ROOM];
    if (parcel->outcome == PARCEL_DELIVERED || parcel->why != NULL) /* else it was not tried */
        journal_mark_tried(poll->journal, item->entry);
    if (parcel->outcome == PARCEL_DELIVERED) {
        poll->run->figures.fetched++;
        poll->run->figures.octets += parcel->octets;
        destination_took(poll, parcel);
        if (!item->dropped)
            poll_tell_delivered(poll, item->entry, parcel);
    } else if (parcel->why != NULL) {
        destination_refused(poll, item->entry, name_of(poll, item->entry, name), parcel);
    }
}

static bool is_shut(void *ctx, const struct parcel *parcel)
{
    return destination_is_shut(((struct again *)ctx)->poll, parcel);
}

static bool failed(void *ctx, const struct parcel *parcel, const struct err *err)
{
    return destination_failed(((struct again *)ctx)->poll, parcel, err);
}

static bool is_due(const struct poll *poll, uint32_t id)
{
    struct journal_entry entry = journal_entry(poll->journal, id);
    if (!record_is_here(entry.state) || entry.tried)
        return false;
    return again_is_due(journal_record(poll->journal, id).next_try, poll->rules.now);
}

/* What is left of it is litter. */
static void give_up(struct poll *poll, uint32_t id, const char *name)
{
    char quoted[LOG_QUOTE_MAX + 4], uidl[JOURNAL_UIDL_ROOM];
    log_line(poll->run->log, FP_LOG_WARNING,
             "a message that was kept here is gone or damaged (UIDL %s); it is fetched again if "
             "the server has it",
             log_quote(poll->run->log, journal_uidl(poll->journal, id, uidl), quoted));
    keep_unmark(poll->settings, name);
    journal_put_off(poll->journal, id, &(struct journal_failure){.reason = REASON_RELEASED});
}

/* Its disk may not be mounted. Gone is what is not there a day later, by a clock that is right. */
static bool is_gone(const struct poll *poll, uint32_t id)
{
    struct record record = journal_record(poll->journal, id);
    return record.reason == REASON_MISSING && !poll->rules.clock_doubted &&
           record.next_try <= (uint64_t)poll->rules.now;
}

static void miss(struct poll *poll, uint32_t id)
{
    char name[NAME_ROOM];
    const struct journal_failure failure = {.reason = REASON_MISSING,
                                            .next_try = (uint64_t)(poll->rules.now + CLOCK_DAY)};
    log_line(poll->run->log, FP_LOG_ERROR,
             "%s: its file is not there: is its disk mounted? Without it, it is fetched again "
             "after a day",
             name_of(poll, id, name));
    poll->run->figures.failed++;
    poll->later++;
    journal_keep(poll->journal, id, journal_entry(poll->journal, id).state, false, NULL, &failure);
}

static bool can_be_read(const struct poll *poll, const char *name)
{
    char bytes[16 * 1024], *path;
    uint64_t octets;
    ssize_t got = -1;
    if (keep_path(poll->settings->state_dir, name, &path, &octets, NULL) != 0)
        return false;
    int fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0);
    free(path);
    if (fd < 0)
        return false;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        ;
    close(fd);
    return got == 0;
}

/* A bad sector, or another user's rights: this one waits, and the others go on. */
static void set_aside(struct poll *poll, uint32_t id, const struct err *why)
{
    char name[NAME_ROOM];
    journal_mark_tried(poll->journal, id);
    destination_unreadable(poll, id, name_of(poll, id, name), why->text);
}

/* It goes where the rules of today say, and through pipe_through. */
static int resume(struct again *again, uint32_t id, const char *name, const char *path,
                  uint64_t octets, struct err *err)
{
    struct poll *poll = again->poll;
    struct parcel *parcel;
    struct batch_item item = {.entry = id};
    enum through_end end = THROUGH_TAKE;
    int64_t arrived;
    const struct route *through = keep_is_passed(name) ? NULL : poll->routes.through;
    const struct route *route = sift_kept(poll, path, octets, &arrived);
    if (deliver_resume(through != NULL ? through->deliver : route->deliver, name, &parcel, err) < 0)
        return -1;
    parcel->uidl = journal_uidl(poll->journal, id, again->uidls[again->batch.count]);
    if (through != NULL && through_run(poll, &parcel, route->deliver, &end, err) < 0) {
        deliver_drop(parcel);
        return -1;
    }
    item.dropped = end == THROUGH_DROP;
    heading_set_time(parcel, arrived);
    batch_add(&again->batch, parcel, item);
    return 0;
}

static int take_up(struct again *again, uint32_t id, struct err *err)
{
    struct poll *poll = again->poll;
    char name[JOURNAL_FILE_MAX];
    uint64_t octets, found = 0;
    char *path = NULL;
    int result = 1;
    if (journal_file(poll->journal, id, name, &octets).len > 0)
        result = keep_path(poll->settings->state_dir, name, &path, &found, err);
    if (result == 0 && found == octets) /* what it was when it was made durable */
        result = resume(again, id, name, path, octets, err);
    else if (result > 0 && name[0] != '\0' && !is_gone(poll, id))
        miss(poll, id);
    else if (result >= 0)
        give_up(poll, id, name);
    if (result < 0 && err->kind == ERR_IO && !can_be_read(poll, name)) {
        set_aside(poll, id, err);
        err_clear(err);
        result = 0;
    }
    free(path);
    return result < 0 ? -1 : 0;
}

/* The files of what is done go; each name was in the journal until now. */
static void remove_done(const struct poll *poll, const struct spool_list *files,
                        const struct batch_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (journal_entry(poll->journal, items[i].entry).state == JOURNAL_DONE)
            keep_remove(poll->settings, files->at[i]);
}

static int commit(struct again *again, struct err *err)
{
    struct poll *poll = again->poll;
    struct spool_list files = {.at = xcalloc(BATCH_ROOM, sizeof *files.at)};
    struct batch_item items[BATCH_ROOM];
    char room[JOURNAL_FILE_MAX];
    uint64_t octets;
    for (; files.count < again->batch.count; files.count++) {
        items[files.count] = again->batch.items[files.count];
        (void)journal_file(poll->journal, items[files.count].entry, room, &octets);
        keep_unmark(poll->settings, room);
        files.at[files.count] = xstrdup(room);
    }
    int result = batch_commit(&again->batch, &again->owned, err);
    remove_done(poll, &files, items, files.count);
    kept_free_list(&files);
    return result;
}

static bool is_late(const struct poll *poll)
{
    return stop_asked() || clock_left(poll->deadline) == 0;
}

static int add(struct again *again, uint32_t id, struct err *err)
{
    if (take_up(again, id, err) == 0)
        return 0;
    batch_drop(&again->batch);
    return -1;
}

/* In the order in which they came, until the row is over. */
static int deliver_row(struct again *again, struct err *err)
{
    struct poll *poll = again->poll;
    for (uint32_t id = 0;
         id < journal_count(poll->journal) && !is_late(poll) && !destination_all_shut(poll); id++) {
        if (is_due(poll, id) && add(again, id, err) < 0)
            return -1;
        if (batch_is_full(&again->batch) && commit(again, err) < 0)
            return -1;
    }
    return commit(again, err);
}

/* One that waits behind the row, drawn by lot. */
static int deliver_another(struct again *again, uint32_t due, struct err *err)
{
    uint32_t id = 0, skip = 0;
    (void)random_bytes((unsigned char *)&skip, sizeof skip);
    for (skip %= due; skip > 0 || !is_due(again->poll, id); id++)
        skip -= is_due(again->poll, id);
    destination_reopen(again->poll);
    return add(again, id, err) < 0 ? -1 : commit(again, err);
}

static uint32_t count_due(const struct poll *poll)
{
    uint32_t due = 0;
    for (uint32_t id = 0; id < journal_count(poll->journal); id++)
        due += is_due(poll, id);
    return due;
}

static int deliver_all(struct again *again, struct err *err)
{
    struct poll *poll = again->poll;
    const uint32_t *fetched = &poll->run->figures.fetched;
    int result = deliver_row(again, err);
    for (uint32_t due; result == 0 && !is_late(poll) && (due = count_due(poll)) > 0;) {
        uint32_t before = *fetched;
        result = deliver_another(again, due, err);
        if (*fetched == before)
            break;
        result = deliver_row(again, err);
    }
    return result;
}

static int deliver_due(struct poll *poll, struct err *err)
{
    struct again *again = xcalloc(1, sizeof *again);
    again->poll = poll;
    again->uidls = xcalloc(BATCH_ROOM, sizeof *again->uidls);
    again->owned = true;
    again->batch.journal = poll->journal;
    again->batch.files = batch_files(batch_room());
    again->batch.policy = plan_keeps_new(&poll->rules) ? JOURNAL_KEEP : JOURNAL_DELETE;
    again->batch.commands = routes_have_command(&poll->routes);
    again->batch.is_shut = is_shut;
    again->batch.failed = failed;
    again->batch.settled = on_settled;
    again->batch.ctx = again;
    int result = deliver_all(again, err);
    free(again->uidls);
    free(again);
    return result;
}

/* Most polls have nothing here, and a batch takes 300 kB. */
int kept_deliver(struct poll *poll, struct err *err)
{
    aside_tell(&poll->aside); /* of recovery */
    int result = count_due(poll) > 0 ? deliver_due(poll, err) : 0;
    poll->cut_short = is_late(poll) && count_due(poll) > 0;
    destination_reopen(poll);
    (void)kept_tidy(poll);
    poll->kept_octets = keep_octets(poll->settings->state_dir);
    return result;
}
