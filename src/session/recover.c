/* SPDX-License-Identifier: ISC */
#include "session/recover.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mounts.h"
#include "base/xalloc.h"
#include "delivery/keep.h"
#include "session/kept.h"
#include "state/rename.h"

static size_t count_open(const struct journal *journal)
{
    size_t n = 0;
    for (uint32_t id = 0; id < journal_count(journal); id++)
        n += journal_entry(journal, id).state == JOURNAL_TAKEN;
    return n;
}

/* The run that published it did not live to tell; or this one has. */
static void tell(struct session_run *run, const struct journal *journal,
                 const struct deliver_settings *settings, uint32_t id, struct str receipt)
{
    struct deliver_file file;
    char room[JOURNAL_UIDL_ROOM];
    const struct deliver_settings *to = deliver_read_receipt(settings, receipt, &file);
    run->figures.fetched++;
    if (to == NULL)
        return;
    run->figures.octets += file.octets;
    if (run->delivered == NULL)
        return;
    const struct session_message message = {.uidl = journal_uidl(journal, id, room),
                                            .octets = file.octets,
                                            .name = file.name,
                                            .target = {to->kind, to->where}};
    run->delivered(run->ctx, &message);
}

static void settle(struct journal *journal, const struct deliver_settings *settings, uint32_t id,
                   const struct deliver_claim *claim)
{
    const struct journal_file file = {.name = str_from(claim->file.name),
                                      .octets = claim->file.octets};
    char shown[LOG_QUOTE_MAX + 4], room[JOURNAL_UIDL_ROOM];
    if (claim->found == DELIVER_OPEN)
        return;
    if (claim->found == DELIVER_PUBLISHED) {
        journal_done(journal, id);
        return;
    }
    if (claim->doubtful || (claim->found == DELIVER_LOST && !claim->kept))
        log_line(settings->log, FP_LOG_WARNING,
                 "a message that was being delivered cannot be found (UIDL %s); it is %s again",
                 log_quote(settings->log, journal_uidl(journal, id, room), shown),
                 claim->doubtful ? "delivered" : "fetched");
    bool stub = journal_entry(journal, id).policy == JOURNAL_STUB; /* the whole is on the server */
    if (claim->found == DELIVER_KEPT && !stub) {
        journal_keep(journal, id, JOURNAL_KEPT, false, &file,
                     &(struct journal_failure){.reason = REASON_WAITING});
        return;
    }
    journal_drop(journal, id);
}

/* Other destinations, or other messages of the same one, need not wait for what cannot be seen. */
static bool may_go_on(const struct deliver_settings *settings, const struct err *err)
{
    return err->kind != ERR_STOPPED && (err->kind != ERR_LOCKED || settings->next != NULL);
}

/* As recover. */
static int settle_open(struct journal *journal, const struct deliver_settings *settings,
                       struct session_run *run, struct err *err)
{
    size_t n = count_open(journal), filled = 0;
    if (n == 0)
        return 0;
    /* The process that wrote these takes may have died before its flush. Nothing may be published
     * because of a take that a power cut could still undo. */
    if (journal_flush(journal, err) < 0)
        return -1;
    struct deliver_claim *claims = xcalloc(n, sizeof *claims);
    uint32_t *ids = xcalloc(n, sizeof *ids);
    char **receipts = xcalloc(n, sizeof *receipts);
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        if (journal_entry(journal, id).state != JOURNAL_TAKEN)
            continue;
        ids[filled] = id;
        receipts[filled] = journal_receipt(journal, id);
        claims[filled].kept = record_is_here(journal_entry(journal, id).before);
        claims[filled].receipt = str_from(receipts[filled]);
        filled++;
    }
    int result = deliver_check(settings, claims, n, err);
    for (size_t i = 0; i < n; i++)
        settle(journal, settings, ids[i], &claims[i]);
    struct err later;
    int synced = journal_sync(journal, result < 0 ? &later : err);
    for (size_t i = 0; i < n; i++) {
        if (synced == 0 && claims[i].found == DELIVER_PUBLISHED)
            tell(run, journal, settings, ids[i], claims[i].receipt);
        free(receipts[i]);
    }
    free(receipts);
    free(claims);
    free(ids);
    if (synced < 0)
        return -1;
    return result < 0 && may_go_on(settings, err) ? 1 : result;
}

static bool is_today(const struct deliver_settings *settings, struct str place)
{
    bool today = false;
    struct buf line;
    buf_init(&line, RECORD_WORDS_MAX);
    for (; settings != NULL && !today; settings = settings->next) {
        buf_clear(&line);
        deliver_place(settings, &line);
        today = str_equal(buf_str(&line), place);
    }
    buf_free(&line);
    return today;
}

static int sweep_today(const struct deliver_settings *settings, struct err *err)
{
    int result = 0;
    struct buf place;
    buf_init(&place, RECORD_WORDS_MAX);
    for (const struct deliver_settings *at = settings; at != NULL && result == 0; at = at->next) {
        buf_clear(&place);
        deliver_place(at, &place);
        result = deliver_sweep(settings, buf_str(&place), err);
    }
    buf_free(&place);
    return result;
}

/* The places of today, and those of the last run that is known of: a power cut may have taken the
 * journal's line and left the file. */
static int sweep_places(const struct journal *journal, const struct deliver_settings *settings,
                        struct err *err)
{
    size_t count;
    const struct visit *places = journal_places(journal, &count);
    uint64_t last = 0;
    int result = sweep_today(settings, err);
    for (size_t i = 0; i < count; i++)
        last = places[i].day > last ? places[i].day : last;
    for (size_t i = 0; i < count && result == 0; i++)
        if ((places[i].day == last || i == count - 1) &&
            !is_today(settings, str_from(places[i].place)))
            result = deliver_sweep(settings, str_from(places[i].place), err);
    return result;
}

/* Litter in a place that can no longer be written does no harm. False: there is nothing that is
 * marked as kept and that the journal does not name. */
static bool sweep(const struct journal *journal, const struct deliver_settings *settings)
{
    struct deliver_settings sparing = *settings;
    struct spool_list kept;
    struct err err;
    kept_list(journal, &kept);
    sparing.keeps = &kept;
    int stay = sweep_places(journal, &sparing, &err) < 0 ? -1 : keep_sweep(&sparing, &err);
    if (stay < 0)
        log_line(settings->log, FP_LOG_WARNING, "cleaning up after the last run: %s", err.text);
    kept_free_list(&kept);
    return stay != 0;
}

struct found {
    struct journal *journal;
    uint32_t count;
};

static void on_found(void *ctx, const char *name, uint64_t octets)
{
    struct found *found = ctx;
    const struct journal_file file = {.name = str_from(name), .octets = octets};
    found->count++;
    journal_find_file(found->journal, &file, clock_wall());
}

/* What the journal would name if it had no gaps (`all`), or were not an older copy. */
static int find_unnamed(struct journal *journal, const struct deliver_settings *settings, bool all,
                        struct err *err)
{
    struct deliver_settings sparing = *settings;
    struct spool_list kept;
    struct found found = {.journal = journal};
    const struct keep_finder finder = {.found = on_found, .ctx = &found, .all = all};
    kept_list(journal, &kept);
    sparing.keeps = &kept;
    int result = keep_find_unnamed(&sparing, &finder, err);
    kept_free_list(&kept);
    if (result < 0 || found.count == 0)
        return result;
    log_line(settings->log, FP_LOG_WARNING,
             "%u message(s) in %s that the journal does not name are delivered, perhaps twice",
             found.count, settings->state_dir);
    return journal_sync(journal, err);
}

/* What runs of this mailbox have left, once no take is open. */
static int clean_up(struct journal *journal, const struct deliver_settings *settings,
                    struct err *err)
{
    size_t places;
    (void)journal_places(journal, &places); /* none: no run has got beyond this */
    if ((journal_has_gaps(journal) || places == 0) &&
        find_unnamed(journal, settings, true, err) < 0)
        return -1;
    return sweep(journal, settings) ? find_unnamed(journal, settings, false, err) : 0;
}

int recover(struct journal *journal, const struct deliver_settings *settings,
            struct session_run *run, struct err *err)
{
    struct deliver_settings former = *settings;
    char id[MAILBOX_ID + 1];
    int settled = settle_open(journal, settings, run, err);
    if (settled != 0)
        return settled;
    if (journal_was_renamed(journal, id) && !rename_is_known(settings->state_dir, id)) {
        former.mailbox = id; /* another account may have that mailbox by now, and these files */
        if (clean_up(journal, &former, err) < 0)
            return -1;
    }
    if (kept_rename(journal, settings, err) < 0)
        return -1;
    if (clean_up(journal, settings, err) < 0)
        return -1;
    return journal_close_gaps(journal, err);
}

static bool is_known(const struct journal *journal, struct str place)
{
    size_t count, i = 0;
    const struct visit *places = journal_places(journal, &count);
    while (i < count && !str_is(place, places[i].place))
        i++;
    return i < count;
}

static int record_place(struct journal *journal, const struct route *route, int64_t now,
                        struct err *err)
{
    struct buf place;
    int result = 0;
    int64_t today = now < CLOCK_DAY ? 1 : now / CLOCK_DAY;
    buf_init(&place, RECORD_WORDS_MAX);
    deliver_place(&route->settings, &place);
    if (!is_known(journal, buf_str(&place)))
        result = deliver_settle(route->deliver, err);
    journal_set_place(journal, buf_str(&place),
                      deliver_is_gone(&route->settings) ? 0 : (uint64_t)today);
    buf_free(&place);
    return result;
}

int recover_record_places(struct journal *journal, const struct routes *routes, int64_t now,
                          struct err *err)
{
    for (size_t i = 0; i < routes->count; i++)
        if (record_place(journal, &routes->at[i], now, err) < 0)
            return -1;
    return journal_is_dirty(journal) ? journal_sync(journal, err) : 0;
}

static const char *by_hand(const struct deliver_settings *settings)
{
    return settings->kind == DELIVER_MAILDIR ? ", with cur, new and tmp in it" : "";
}

/* Where it never was, the table of mount points may know better. */
static int find_first(const struct deliver_settings *settings, struct err *err)
{
    char *missing = mounts_find_missing(MOUNTS_TABLE, settings->where);
    if (missing == NULL)
        return 0;
    err_set(err, ERR_CREATE,
            "the %s %s is not made: nothing is mounted on %s; mount it, or make it by hand%s",
            deliver_kind_name(settings->kind), settings->where, missing, by_hand(settings));
    free(missing);
    return -1;
}

static int find_place(const struct journal *journal, const struct deliver_settings *settings,
                      struct err *err)
{
    struct buf place;
    char date[16];
    struct tm tm;
    if (!deliver_is_gone(settings))
        return 0;
    buf_init(&place, RECORD_WORDS_MAX);
    deliver_place(settings, &place);
    time_t day = (time_t)(journal_place_day(journal, buf_str(&place)) * CLOCK_DAY);
    buf_free(&place);
    if (day == 0)
        return find_first(settings, err);
    if (gmtime_r(&day, &tm) == NULL || strftime(date, sizeof date, "%Y-%m-%d", &tm) == 0)
        date[0] = '\0';
    return err_set(err, ERR_CREATE,
                   "the %s %s is gone; it was there on %s: is its disk mounted? Make it by hand if "
                   "that is meant%s",
                   deliver_kind_name(settings->kind), settings->where, date, by_hand(settings));
}

int recover_find_places(const struct journal *journal, const struct deliver_settings *settings,
                        struct err *err)
{
    for (; settings != NULL; settings = settings->next)
        if (find_place(journal, settings, err) < 0)
            return -1;
    return 0;
}
