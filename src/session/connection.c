/* SPDX-License-Identifier: ISC */
#include "session/connection.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/tls.h"
#include "session/adopt.h"
#include "session/connect.h"
#include "session/decide.h"
#include "session/fetch.h"
#include "session/match.h"
#include "session/recall.h"
#include "session/sift.h"
#include "session/stub.h"
#include "session/verify.h"

#define ONE_BY_ONE_SECONDS ((int64_t)30 * CLOCK_DAY)
#define SLICE_LEAST 2   /* messages: a single one is not a slice ... */
#define SLICE_MOST 1000 /* ... nor are this many: the slices that are known have some hundreds */
#define NOOP_MS ((int64_t)60 * 1000)
#define SHARE_FAILURES 2 /* polls that failed before deletions are shared out */
#define SHARE_MOST 50    /* of a session then; a half of that after the next, ... */
#define SHARE_HALVED 2u  /* ... so often */

void connection_keep_alive(void *ctx)
{
    struct connection *connection = ctx;
    struct reply reply;
    struct err ignored; /* the next command to the server meets it again */
    if (connection->pop3 == NULL || pop3_outstanding(connection->pop3) > 0 ||
        clock_left(connection->next_noop) > 0)
        return;
    connection->next_noop = clock_in(NOOP_MS);
    (void)pop3_call(connection->pop3, str_from("NOOP"), NULL, &reply, &ignored);
}

/* ---- the listing ---- */

bool connection_is_one_by_one(const struct connection *connection)
{
    int64_t when = connection->manners->note->one_by_one;
    return connection->one_by_one ||
           (when != 0 && connection->poll->rules.now - when < ONE_BY_ONE_SECONDS);
}

static void set_window(struct connection *connection)
{
    const struct reply_capa *capa = pop3_capabilities(connection->pop3);
    enum account_pipelining wish = connection->poll->run->account->pipelining;
    bool pipelining = wish == ACCOUNT_PIPELINING_ON ||
                      (wish == ACCOUNT_PIPELINING_AUTO && capa->known && capa->pipelining &&
                       !connection_is_one_by_one(connection));
    pop3_set_window(connection->pop3, pipelining ? POP3_WINDOW : 1);
}

/* Mail may be missing: each list that worked has lines that make no sense. */
static bool is_junk(const struct listing *listing)
{
    bool uidl = listing->uidl_junk > 0 || !listing->has_uidl;
    bool list = listing->list_junk > 0 || !listing->has_list;
    return uidl && list && listing->uidl_junk + listing->list_junk > 0;
}

/* That there are no UIDLs is logged once: when the first message without one is met. */
static bool has_blank_entry(const struct journal *journal)
{
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        struct journal_entry entry = journal_entry(journal, id);
        if (entry.state != JOURNAL_FREE && entry.blank)
            return true;
    }
    return false;
}

/* TOP is advice: a connection that breaks over it costs the fingerprints, not the poll. */
static int without_top(struct connection *connection, const char *what, struct err *err)
{
    bool broke = err->kind == ERR_MESSAGE || err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED ||
                 err->kind == ERR_FRAMING;
    connection->top_broke = broke && !habits_has(&connection->poll->habits, HABIT_TOP);
    if (broke)
        connection->poll->habits.known |= HABIT_TOP;
    return err_prefix(err, "%s", what);
}

/* The first listing of all, where the account wants no more of it than its end: the rest counts as
 * fetched. */
static int begin_with_newest(struct connection *connection, struct err *err)
{
    struct poll *poll = connection->poll;
    const struct session_run *run = poll->run;
    const struct adopt_but but = {.newest = run->account->newest, .since = run->account->since};
    if (run->mode != SESSION_POLL || run->switches.catch_up || run->switches.only != NULL ||
        (but.newest == 0 && but.since == 0) || journal_was_listed(poll->journal))
        return 0;
    return adopt_listing(poll, &connection->listing, connection->pop3, &but, err);
}

static int list(struct connection *connection, struct err *err)
{
    struct poll *poll = connection->poll;
    struct pop3 *pop3 = connection->pop3;
    struct listing *listing = &connection->listing;
    bool capa = pop3_capabilities(pop3)->known && !connection_is_one_by_one(connection);
    set_window(connection);
    if (listing_fetch(listing, pop3, capa, err) < 0)
        return err_prefix(err, "listing");
    if (connection->one_by_one)
        connection->manners->note->one_by_one = poll->rules.now;
    connection->listed = true;
    set_window(connection);
    manners_learn_expiry(connection->manners, pop3_capabilities(pop3)->expire_days);
    if (!connection->counted)
        poll->run->figures.listed = listing->count;
    connection->listing_junk = is_junk(listing);
    if (!listing->has_uidl && listing->count > 0 && !has_blank_entry(poll->journal))
        log_line(poll->run->log, FP_LOG_NOTE,
                 "the server has no UIDL; messages are recognised by their headers");
    connection->missing = listing->missing;
    if (match_listing(listing, pop3, poll->run->log, err) < 0)
        return without_top(connection, "listing", err);
    if (begin_with_newest(connection, err) < 0)
        return without_top(connection, "looking at dates", err);
    if ((listing->has_uidl || listing->has_list) && listing->missing == 0) {
        connection->new_day |= journal_count_day(poll->journal, clock_wall() / CLOCK_DAY);
        journal_count_missing(poll->journal, false);
    }
    return 0;
}

/* ---- the end ---- */

static int record_deleted(struct connection *connection, const struct queue *deleted,
                          struct err *err)
{
    struct poll *poll = connection->poll;
    for (uint32_t i = 0; i < deleted->count; i++) {
        uint32_t entry = listing_find(&connection->listing, deleted->at[i])->entry;
        poll->reappeared += journal_entry(poll->journal, entry).state == JOURNAL_GONE;
        journal_gone(poll->journal, entry);
    }
    poll->run->figures.deleted += deleted->count;
    return journal_sync(poll->journal, err);
}

bool connection_may_be_slice(const struct connection *connection)
{
    return connection->slice >= SLICE_LEAST && connection->slice < SLICE_MOST &&
           connection->slice > connection->manners->note->whole;
}

/* After QUIT's +OK, and not before, what had its DELE is gone. */
static int quit(struct connection *connection, const struct fetched *fetched, struct err *err)
{
    const struct queue *deleted = &fetched->deleted;
    bool some = deleted->count > 0;
    /* To connect again at once, wait for the answer: until then the mailbox may be locked. */
    bool waits = some || connection_may_be_slice(connection);
    bool confirmed = fetched->quit == FETCH_QUIT_CONFIRMED;
    if (fetched->quit == FETCH_QUIT_NOT_SENT &&
        pop3_quit(connection->pop3, waits, some, &confirmed, err) < 0)
        return some || err->kind == ERR_FRAMING ? -1 : 0;
    if (confirmed)
        return record_deleted(connection, deleted, err);
    if (!some)
        return 0;
    return err_set(err, ERR_AGAIN,
                   "the server did not confirm that it deleted mail; the next run deletes it, and "
                   "fetches none again");
}

/* What is known by its header alone is known once it was fetched: only then is it clear which
 * messages are missing. */
static void count_missing(struct connection *connection)
{
    const struct listing *listing = &connection->listing;
    bool all =
        connection->new_day && (listing->has_uidl || listing->has_list) && listing->missing == 0;
    for (uint32_t i = 0; i < listing->count && all; i++)
        all = listing->messages[i].entry != JOURNAL_NONE || !listing->messages[i].vague;
    journal_count_missing(connection->poll->journal, all);
    connection->new_day = connection->new_day && !all;
}

static enum connection_end fetch_and_quit(struct connection *connection, struct err *err)
{
    struct fetched fetched = {.quit = FETCH_QUIT_NOT_SENT};
    enum connection_end end = fetch_run(connection->poll, connection->pop3, &connection->listing,
                                        &connection->verified, &fetched, err);
    if (end == CONNECTION_DONE)
        count_missing(connection);
    /* After QUIT some servers never show again what they handed out. */
    if (end == CONNECTION_DONE && connection->poll->owned && quit(connection, &fetched, err) < 0)
        end = CONNECTION_LOST;
    connection->dele_undone =
        end == CONNECTION_DONE && !connection->poll->owned && fetched.deleted.count > 0;
    free(fetched.deleted.at);
    return end;
}

/* ---- the story ---- */

static void count(struct connection *connection)
{
    const struct listing *listing = &connection->listing;
    const struct session_run *run = connection->poll->run;
    uint32_t busy = decide_count_busy(listing);
    connection->counted = true;
    connection->slice = busy < listing->count ? 0 : busy;
    connection->unsure = listing->any_vague;
    if (run->progress != NULL)
        run->progress(run->ctx, &run->figures);
}

/* Deletions count only if their session gets as far as QUIT. One that ends behind so many commands,
 * or so much time, never does if they are all tried again: after some polls that failed, one after
 * the other, it gets a share, and the rest has connections of its own. */
static void share_deletions(struct connection *connection)
{
    struct listing *listing = &connection->listing;
    uint32_t failures = connection->manners->note->failures, count = 0;
    connection->dele_left = false;
    if (failures < SHARE_FAILURES)
        return;
    uint32_t halved = failures - SHARE_FAILURES;
    uint32_t most = SHARE_MOST >> (halved < SHARE_HALVED ? halved : SHARE_HALVED);
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == PLAN_DELETE && ++count > most)
            listing->messages[i].action = PLAN_LEAVE;
    connection->dele_left = count > most;
    if (count > most)
        log_line(connection->poll->run->log, FP_LOG_NOTE,
                 "the last polls failed: %" PRIu32 " messages are left for another connection to "
                 "delete",
                 count - most);
}

/* What is to be done is known, and nothing was asked for yet. */
static int prepare(struct connection *connection, struct err *err)
{
    struct poll *poll = connection->poll;
    struct pop3 *pop3 = connection->pop3;
    struct listing *listing = &connection->listing;
    if (list(connection, err) < 0)
        return -1;
    if (decide_all(poll, pop3, listing, !connection->counted, &connection->verified, err) < 0)
        return without_top(connection, "looking at headers", err);
    count(connection);
    if (poll->run->mode != SESSION_POLL)
        return 0;
    connection->next_noop = clock_in(NOOP_MS);
    decide_owe_again(poll, listing);
    if (adopt_learn(listing, pop3, err) < 0)
        return without_top(connection, "looking at mail that another program fetched", err);
    share_deletions(connection);
    if (verify_deletions(poll, pop3, listing, &connection->verified, err) < 0)
        return without_top(connection, "checking delivered mail", err);
    decide_refuse_long_ones(poll, listing);
    if (journal_sync(poll->journal, err) < 0)
        return -1;
    if (!poll->only_deletes && stub_run(poll, pop3, listing, err) < 0)
        return without_top(connection, "the beginning of a message", err);
    return 0;
}

static int catch_up(struct connection *connection, struct err *err)
{
    struct poll *poll = connection->poll;
    const struct session_switches *wish = &poll->run->switches;
    const struct adopt_but but = {.newest = wish->newest, .since = wish->since};
    if (list(connection, err) < 0)
        return -1;
    if (adopt_listing(poll, &connection->listing, connection->pop3, &but, err) < 0)
        return without_top(connection, "looking at dates", err);
    pop3_leave(connection->pop3);
    return journal_sync(poll->journal, err);
}

static enum connection_end work(struct connection *connection, struct err *err)
{
    const struct session_run *run = connection->poll->run;
    connection->top_broke = false;
    if (run->switches.catch_up && catch_up(connection, err) == 0)
        return CONNECTION_DONE;
    if (run->switches.catch_up || prepare(connection, err) < 0)
        return connection->top_broke ? CONNECTION_AGAIN_ALL : CONNECTION_LOST;
    if (run->mode == SESSION_POLL)
        return fetch_and_quit(connection, err);
    if (run->mode == SESSION_DRY_RUN)
        decide_tell(connection->poll, &connection->listing);
    pop3_leave(connection->pop3);
    return CONNECTION_DONE;
}

static void note_certificate(struct connection *connection)
{
    struct session_figures *figures = &connection->poll->run->figures;
    struct tls *tls = conn_tls(pop3_conn(connection->pop3));
    int days = tls != NULL ? tls_peer_days_left(tls) : INT_MAX;
    figures->certificate_seen = days != INT_MAX;
    figures->certificate_days = days;
}

/* What is of this connection alone. */
static void hang_up(struct connection *connection)
{
    connect_close(connection->pop3);
    connection->pop3 = NULL;
    connection->unsure |= connection->listing.alike > 0;
    if (connection->listing.alike > 0)
        log_line(connection->poll->run->log, FP_LOG_WARNING,
                 "most UIDLs have changed; %u message(s) without Message-ID and Date may have come "
                 "twice",
                 connection->listing.alike);
    free(connection->verified.at);
    connection->verified = (struct queue){NULL, 0, 0};
    sift_end(connection->poll);
    listing_free(&connection->listing);
}

enum connection_end connection_poll(struct connection *connection, struct err *err)
{
    enum connection_end end = CONNECTION_LOST;
    struct poll *poll = connection->poll;
    poll->owned = true;
    journal_reread(poll->journal);
    listing_init(&connection->listing, poll->journal, &poll->habits);
    connection->listed = false;
    connection->let_in = connect_open(&connection->pop3, poll->run, connection->manners->note,
                                      poll->deadline, &connection->login_delay, err) == 0;
    if (connection->let_in) {
        note_certificate(connection);
        end = work(connection, err);
    }
    if (end != CONNECTION_DONE && (end != CONNECTION_LOST || !err_keeps_connection(err->kind)))
        recall_forget(connection->manners->note); /* it may have been the reason */
    connection->faulted = connection->faulted || end == CONNECTION_AGAIN_ALL;
    hang_up(connection);
    return end;
}
