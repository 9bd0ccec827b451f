/* SPDX-License-Identifier: ISC */
#include "session/session.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "net/conn.h"
#include "net/tls.h"
#include "session/adopt.h"
#include "session/connect.h"
#include "session/dates.h"
#include "session/decide.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/fetch.h"
#include "session/habits.h"
#include "session/kept.h"
#include "session/manners.h"
#include "session/match.h"
#include "session/poll.h"
#include "session/queue.h"
#include "session/recall.h"
#include "session/recover.h"
#include "session/sift.h"
#include "session/statedir.h"
#include "session/stub.h"
#include "session/verify.h"
#include "state/mailbox.h"

#define RECONNECTS_MAX 5 /* after framing faults, each of a message not suspected before */
#define SECONDS_A_DAY 86400
#define ONE_BY_ONE_SECONDS ((int64_t)30 * SECONDS_A_DAY)
#define SLICE_LEAST 2   /* messages: a single one is not a slice ... */
#define SLICE_MOST 1000 /* ... nor are this many: the slices that are known have some hundreds */
#define NOOP_MS ((int64_t)60 * 1000)

/* Everything of one poll. */
struct session {
    struct session_run *run;
    const struct account *account;
    struct log *log;
    struct deliver_settings settings;
    char mailbox[MAILBOX_ID + 1], state[FOLDER_ID + 1];
    struct journal *journal;
    struct poll poll;
    struct pop3 *pop3;
    struct listing listing;
    struct queue verified; /* may be deleted: delivered by an earlier run, and the same; or by a
                            * rule */
    int64_t next_noop;     /* clock_ms() */
    struct manners manners;
    struct manners_end end;
    uint32_t slice; /* messages in the last listing, if none of them was to stay as it is */
    bool unsure;    /* it had messages that may all look new once more: no UIDL, or another one */
    bool counted;   /* figures of the listing are there: later connections see less */
    bool listing_junk; /* lines in both lists that make no sense */
    bool faulted;      /* a connection ended over a message that is known */
    bool let_in;       /* the last connection got through the login */
    bool listed;       /* a listing came on this connection */
    bool one_by_one;   /* a listing in one write got no answer: one command at a time */
    bool top_broke;    /* this one ended over TOP */
    bool dele_undone;  /* some were accepted on this one, and it may not end with QUIT */
    bool opened;       /* the destinations are */
    uint32_t missing;  /* messages that STAT counts and no list has */
};

/* NOOP, so that the server does not hang up while a command takes its time. */
static void keep_alive(void *ctx)
{
    struct session *session = ctx;
    struct reply reply;
    struct err ignored; /* the next command to the server meets it again */
    if (session->pop3 == NULL || pop3_outstanding(session->pop3) > 0 ||
        clock_left(session->next_noop) > 0)
        return;
    session->next_noop = clock_in(NOOP_MS);
    (void)pop3_call(session->pop3, str_from("NOOP"), NULL, &reply, &ignored);
}

static void fill_settings(struct session *session)
{
    const struct account *account = session->account;
    mailbox_id(account->server, account->user, session->mailbox);
    session->settings = account_delivery(account);
    session->settings.state_dir = session->run->state_dir;
    session->settings.mailbox = session->mailbox;
    session->settings.state = session->state;
    session->settings.log = &session->poll.aside.log;
    session->settings.idle = keep_alive;
    session->settings.idle_ctx = session;
}

/* ---- before the network ---- */

/* What can go wrong here goes wrong before a connection is made. What is kept here needs none. */
static int prepare(struct session *session, struct err *err)
{
    fill_settings(session);
    aside_begin(&session->poll.aside, session->log, !session->run->attended);
    routes_init(&session->poll.routes, session->account, &session->settings);
    session->poll.settings = &session->poll.routes.at->settings;
    if (routes_probe(&session->poll.routes, err) < 0 ||
        statedir_open(&session->journal, session->run, session->poll.settings, session->state,
                      err) < 0)
        return -1;
    session->poll.journal = session->journal;
    if (recover_find_places(session->journal, session->poll.settings, err) < 0)
        return -1;
    if (dates_begin(session->journal, &session->poll.rules, session->run, err) < 0)
        return -1;
    sift_begin(&session->poll);
    manners_begin(&session->manners, session->run, session->poll.rules.now);
    habits_load(&session->poll.habits, session->manners.note, session->poll.rules.now);
    if (session->run->mode != SESSION_POLL)
        return 0;
    if (recover(session->journal, session->poll.settings, err) < 0)
        return err_prefix(err, "recovering from the last run");
    if (routes_open(&session->poll.routes, err) < 0)
        return -1;
    session->opened = true;
    if (recover_record_places(session->journal, &session->poll.routes, session->poll.rules.now,
                              err) < 0)
        return -1;
    return kept_deliver(&session->poll, err);
}

/* ---- listing and plan ---- */

/* Some servers announce PIPELINING and lose what comes behind the first command of a write. */
static bool is_one_by_one(const struct session *session)
{
    int64_t when = session->manners.note->one_by_one;
    return session->one_by_one ||
           (when != 0 && session->poll.rules.now - when < ONE_BY_ONE_SECONDS);
}

static void set_window(struct session *session)
{
    const struct reply_capa *capa = pop3_capabilities(session->pop3);
    enum account_pipelining wish = session->account->pipelining;
    bool pipelining =
        wish == ACCOUNT_PIPELINING_ON || (wish == ACCOUNT_PIPELINING_AUTO && capa->known &&
                                          capa->pipelining && !is_one_by_one(session));
    pop3_set_window(session->pop3, pipelining ? POP3_WINDOW : 1);
}

/* Mail may be missing: each list that worked has lines that make no sense. */
static bool is_junk(const struct listing *listing)
{
    bool uidl = listing->uidl_junk > 0 || !listing->has_uidl;
    bool list = listing->list_junk > 0 || !listing->has_list;
    return uidl && list && listing->uidl_junk + listing->list_junk > 0;
}

/* That there are no UIDLs is logged once: when the first message without one is met. */
static bool has_blank_entry(const struct session *session)
{
    for (uint32_t id = 0; id < journal_count(session->journal); id++) {
        struct journal_entry entry = journal_entry(session->journal, id);
        if (entry.state != JOURNAL_FREE && entry.blank)
            return true;
    }
    return false;
}

/* TOP is advice: a connection that breaks over it costs the fingerprints, not the poll. */
static int without_top(struct session *session, const char *what, struct err *err)
{
    bool broke = err->kind == ERR_MESSAGE || err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED ||
                 err->kind == ERR_FRAMING;
    session->top_broke = broke && !habits_has(&session->poll.habits, HABIT_TOP);
    if (broke)
        session->poll.habits.known |= HABIT_TOP;
    return err_prefix(err, "%s", what);
}

/* The first listing of all, where the account wants no more of it than its end: the rest counts as
 * fetched. */
static int begin_with_newest(struct session *session, struct err *err)
{
    const struct account *account = session->account;
    const struct adopt_but but = {.newest = account->newest, .since = account->since};
    if (session->run->mode != SESSION_POLL || session->run->switches.catch_up ||
        session->run->switches.only != NULL || (but.newest == 0 && but.since == 0) ||
        journal_was_listed(session->journal))
        return 0;
    return adopt_listing(&session->poll, &session->listing, session->pop3, &but, err);
}

static int list(struct session *session, struct err *err)
{
    struct listing *listing = &session->listing;
    bool capa = pop3_capabilities(session->pop3)->known && !is_one_by_one(session);
    set_window(session);
    if (listing_fetch(listing, session->pop3, capa, err) < 0)
        return err_prefix(err, "listing");
    if (session->one_by_one)
        session->manners.note->one_by_one = session->poll.rules.now;
    session->listed = true;
    set_window(session);
    manners_learn_expiry(&session->manners, pop3_capabilities(session->pop3)->expire_days);
    if (!session->counted)
        session->run->figures.listed = listing->count;
    session->listing_junk = is_junk(listing);
    if (!listing->has_uidl && listing->count > 0 && !has_blank_entry(session)) {
        log_line(session->log, FP_LOG_NOTE,
                 "the server has no UIDL; messages are recognised by their headers");
    }
    session->missing = listing->missing;
    if (match_listing(listing, session->pop3, session->log, err) < 0)
        return without_top(session, "listing", err);
    if (begin_with_newest(session, err) < 0)
        return without_top(session, "looking at dates", err);
    if ((listing->has_uidl || listing->has_list) && listing->missing == 0)
        journal_listed_all(session->journal, clock_wall() / SECONDS_A_DAY);
    return 0;
}

/* ---- one connection ---- */

static int record_deleted(struct session *session, const struct queue *deleted, struct err *err)
{
    for (uint32_t i = 0; i < deleted->count; i++)
        journal_gone(session->journal, listing_find(&session->listing, deleted->at[i])->entry);
    session->run->figures.deleted += deleted->count;
    return journal_sync(session->journal, err);
}

/* Nothing of the listing was known, and it is longer than any that was all. */
static bool may_be_slice(const struct session *session)
{
    return session->slice >= SLICE_LEAST && session->slice < SLICE_MOST &&
           session->slice > session->manners.note->whole;
}

/* After QUIT's +OK, and not before, what had its DELE is gone. */
static int quit(struct session *session, const struct fetched *fetched, struct err *err)
{
    const struct queue *deleted = &fetched->deleted;
    bool some = deleted->count > 0;
    /* To connect again at once, wait for the answer: until then the mailbox may be locked. */
    bool waits = some || may_be_slice(session);
    bool confirmed = fetched->quit == FETCH_QUIT_CONFIRMED;
    if (fetched->quit == FETCH_QUIT_NOT_SENT &&
        pop3_quit(session->pop3, waits, some, &confirmed, err) < 0)
        return some || err->kind == ERR_FRAMING ? -1 : 0;
    if (confirmed)
        return record_deleted(session, deleted, err);
    if (!some)
        return 0;
    return err_set(err, ERR_AGAIN,
                   "the server did not confirm that it deleted mail; the next run deletes it, and "
                   "fetches none again");
}

static enum connection_end fetch_and_quit(struct session *session, struct err *err)
{
    struct fetched fetched = {.quit = FETCH_QUIT_NOT_SENT};
    enum connection_end end = fetch_run(&session->poll, session->pop3, &session->listing,
                                        &session->verified, &fetched, err);
    /* After QUIT some servers never show again what they handed out. */
    if (end == CONNECTION_DONE && session->poll.owned && quit(session, &fetched, err) < 0)
        end = CONNECTION_LOST;
    session->dele_undone =
        end == CONNECTION_DONE && !session->poll.owned && fetched.deleted.count > 0;
    free(fetched.deleted.at);
    return end;
}

/* What is to be done is known, and nothing was asked for yet. */
static int prepare_connected(struct session *session, struct err *err)
{
    if (list(session, err) < 0)
        return -1;
    if (decide_all(&session->poll, session->pop3, &session->listing, !session->counted,
                   &session->verified, err) < 0)
        return without_top(session, "looking at headers", err);
    session->counted = true;
    uint32_t busy = decide_count_busy(&session->listing);
    session->slice = busy < session->listing.count ? 0 : busy;
    session->unsure = false;
    for (uint32_t i = 0; i < session->listing.count; i++)
        session->unsure |= !listing_has_uidl(&session->listing.messages[i]);
    if (session->run->progress != NULL)
        session->run->progress(session->run->ctx, &session->run->figures);
    if (session->run->mode != SESSION_POLL)
        return 0;
    session->next_noop = clock_in(NOOP_MS);
    decide_owe_again(&session->poll, &session->listing);
    if (adopt_learn(&session->listing, session->pop3, err) < 0)
        return without_top(session, "looking at mail that another program fetched", err);
    if (verify_deletions(&session->poll, session->pop3, &session->listing, &session->verified,
                         err) < 0)
        return without_top(session, "checking delivered mail", err);
    decide_refuse_long_ones(&session->poll, &session->listing);
    if (journal_sync(session->journal, err) < 0)
        return -1;
    if (!session->poll.only_deletes &&
        stub_run(&session->poll, session->pop3, &session->listing, err) < 0)
        return without_top(session, "the beginning of a message", err);
    return 0;
}

static int catch_up(struct session *session, struct err *err)
{
    bool confirmed;
    struct err ignored; /* nothing was to be deleted */
    if (list(session, err) < 0)
        return -1;
    const struct session_switches *wish = &session->run->switches;
    const struct adopt_but but = {.newest = wish->newest, .since = wish->since};
    if (adopt_listing(&session->poll, &session->listing, session->pop3, &but, err) < 0)
        return without_top(session, "looking at dates", err);
    (void)pop3_quit(session->pop3, false, false, &confirmed, &ignored);
    return journal_sync(session->journal, err);
}

static enum connection_end poll_connected(struct session *session, struct err *err)
{
    bool confirmed;
    struct err ignored; /* nothing was to be deleted */
    session->top_broke = false;
    if (session->run->switches.catch_up && catch_up(session, err) == 0)
        return CONNECTION_DONE;
    if (session->run->switches.catch_up || prepare_connected(session, err) < 0)
        return session->top_broke ? CONNECTION_AGAIN_ALL : CONNECTION_LOST;
    if (session->run->mode == SESSION_POLL)
        return fetch_and_quit(session, err);
    if (session->run->mode == SESSION_DRY_RUN)
        decide_tell(&session->poll, &session->listing);
    (void)pop3_quit(session->pop3, false, false, &confirmed, &ignored);
    return CONNECTION_DONE;
}

static void note_certificate(struct session *session)
{
    struct tls *tls = conn_tls(pop3_conn(session->pop3));
    int days = tls != NULL ? tls_peer_days_left(tls) : INT_MAX;
    session->run->figures.certificate_seen = days != INT_MAX;
    session->run->figures.certificate_days = days;
}

static enum connection_end poll_once(struct session *session, struct err *err)
{
    enum connection_end end = CONNECTION_LOST;
    session->poll.owned = true;
    journal_reread(session->journal);
    listing_init(&session->listing, session->journal, &session->poll.habits);
    session->listed = false;
    session->let_in = connect_open(&session->pop3, session->run, session->manners.note,
                                   session->poll.deadline, &session->end.login_delay, err) == 0;
    if (session->let_in)
        note_certificate(session);
    if (session->let_in)
        end = poll_connected(session, err);
    if (end != CONNECTION_DONE && (end != CONNECTION_LOST || !err_keeps_connection(err->kind)))
        recall_forget(session->manners.note); /* it may have been the reason */
    session->faulted = session->faulted || end == CONNECTION_AGAIN_ALL;
    connect_close(session->pop3);
    session->pop3 = NULL;
    session->unsure |= session->listing.alike > 0;
    if (session->listing.alike > 0)
        log_line(session->log, FP_LOG_WARNING,
                 "most UIDLs have changed; %u message(s) without Message-ID and Date may have come "
                 "twice",
                 session->listing.alike);
    free(session->verified.at);
    session->verified = (struct queue){NULL, 0, 0};
    sift_end(&session->poll);
    listing_free(&session->listing);
    return end;
}

static bool is_over(const struct session *session)
{
    return session->poll.over.kind != ERR_NONE || stop_asked() ||
           clock_left(session->poll.deadline) == 0;
}

/* The server was let in, and then had no answer to several commands in one write. */
static bool lost_commands(const struct session *session, const struct err *err)
{
    return session->let_in && !session->listed && !is_one_by_one(session) &&
           session->account->pipelining == ACCOUNT_PIPELINING_AUTO &&
           (err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED) && !is_over(session);
}

/* As poll_once; what the server turns out to want other than usual, it gets at once. */
static enum connection_end poll_as_it_likes(struct session *session, struct err *err)
{
    enum connection_end end = poll_once(session, err);
    if (end == CONNECTION_LOST && lost_commands(session, err)) {
        log_line(session->log, FP_LOG_NOTE, "%s; one command at a time from now on", err->text);
        session->one_by_one = true;
        err_clear(err);
        end = poll_once(session, err);
    }
    if (end == CONNECTION_DONE && session->poll.wants_utf8 && !session->poll.utf8 &&
        !is_over(session)) {
        session->manners.note->utf8 = session->poll.utf8 = true;
        end = poll_once(session, err);
    }
    return end;
}

/* Every message but those that a connection broke over. */
static enum connection_end poll_most(struct session *session, struct err *err)
{
    for (int round = 0;; round++) {
        enum connection_end end = poll_as_it_likes(session, err);
        if (end == CONNECTION_AGAIN_ALL && session->poll.alone) { /* the doubted ones have begun */
            err_clear(err);
            return CONNECTION_DONE;
        }
        if (end == CONNECTION_DONE || end == CONNECTION_LOST || round == RECONNECTS_MAX ||
            is_over(session))
            return end;
        /* What comes through one by one is not fetched again. */
        if (round > 0 || end == CONNECTION_AGAIN_ONE_BY_ONE)
            session->poll.careful = true;
        log_line(session->log, FP_LOG_NOTE, "%s; reconnecting", err->text);
        err_clear(err);
    }
}

/* Then those, on connections where nothing else is at stake. What breaks one is told by name. */
static int poll_doubted(struct session *session, struct err *err)
{
    const struct session_figures *figures = &session->run->figures;
    uint32_t left = decide_count_doubted(&session->poll);
    session->poll.alone = true;
    for (int round = 0; left > 0 && round < 2 * RECONNECTS_MAX && !is_over(session) &&
                        session->poll.local.kind == ERR_NONE;
         round++) {
        uint32_t before = left, deleted = figures->deleted;
        enum connection_end end = poll_once(session, err);
        if (end != CONNECTION_AGAIN_ALL && end != CONNECTION_DONE)
            return -1;
        err_clear(err);
        left = decide_count_doubted(&session->poll);
        if (left == before && deleted == figures->deleted && plan_is_limited(&session->poll.rules))
            return 0; /* the limit leaves them to the next run, as others */
    }
    fault_leave(&session->poll, left);
    return 0;
}

/* Some servers show, or hand out, a slice of a mailbox a session. What hints at it: the rest is
 * refused; or the listing may be one (may_be_slice). */
static bool may_show_more(const struct session *session, uint32_t fetched)
{
    const struct poll *poll = &session->poll;
    uint32_t now = session->run->figures.fetched, most = session->account->max_messages;
    uint64_t octets = session->account->max_bytes;
    return session->run->mode == SESSION_POLL && session->manners.note != NULL &&
           !session->unsure && (poll->over.kind != ERR_NONE || may_be_slice(session)) &&
           now > fetched && session->end.login_delay <= 0 && poll->owned &&
           poll->local.kind == ERR_NONE && !poll->cut_short &&
           (most == 0 || poll->fetched < most) && (octets == 0 || poll->octets < octets);
}

/* A server that lets nobody in again so soon shows the rest to the next run. */
static enum connection_end poll_slices(struct session *session, struct err *err)
{
    uint32_t fetched = 0, slice;
    enum connection_end end = poll_most(session, err);
    while (end == CONNECTION_DONE && may_show_more(session, fetched)) {
        struct err over = session->poll.over;
        err_clear(&session->poll.over);
        session->poll.cut_short = is_over(session);
        if (session->poll.cut_short)
            break;
        slice = session->slice;
        fetched = session->run->figures.fetched;
        session->slice = 0;
        log_line(session->log, FP_LOG_TRACE, "there may be more mail; connecting again");
        end = poll_most(session, err);
        if (session->run->figures.fetched > fetched)
            continue;
        if (end != CONNECTION_DONE)
            session->poll.over = over; /* if there was any: the rest is for the next run */
        else if (over.kind == ERR_NONE)
            session->manners.note->whole = slice;
        err_clear(err);
        return CONNECTION_DONE;
    }
    return end;
}

/* What was accepted and not confirmed gets a connection on which nothing is fetched. If that fails,
 * too, the next run tries again. */
static void delete_alone(struct session *session)
{
    struct err ignored;
    if (!session->dele_undone || session->end.login_delay > 0 || stop_asked() ||
        clock_left(session->poll.deadline) == 0)
        return;
    session->poll.only_deletes = true;
    (void)poll_once(session, &ignored);
}

static int poll_server(struct session *session, struct err *err)
{
    enum connection_end end = poll_slices(session, err);
    /* Not all of the rest came; the messages at fault have their turn too. */
    bool others = session->faulted && (end == CONNECTION_AGAIN_ALL || err->kind == ERR_FRAMING);
    if (end != CONNECTION_DONE && !others)
        return -1;
    if (session->run->mode != SESSION_POLL)
        return 0;
    if (end != CONNECTION_DONE) {
        log_line(session->log, FP_LOG_ERROR, "%s; the next run fetches the rest", err->text);
        session->poll.later++;
    }
    int result = poll_doubted(session, err);
    delete_alone(session);
    return result;
}

/* ---- the whole ---- */

/* The one result of all that happened: the worst kind, and the first words. */
static void add_error(struct session *session, struct err *sum, enum err_kind kind,
                      const char *text)
{
    int status = err_status(sum->kind);
    if (sum->kind == ERR_NONE || err_worst(status, err_status(kind)) != status)
        sum->kind = kind;
    if (text != NULL && session->run->figures.told)
        snprintf(sum->text, sizeof sum->text, "%s", text);
    session->run->figures.told = session->run->figures.told && text == NULL;
}

static int conclude(struct session *session, int result, struct err *err)
{
    const struct poll *poll = &session->poll;
    struct err sum = {.kind = ERR_NONE};
    bool local = poll->local.kind != ERR_NONE;
    session->run->figures.told = true;
    if (local)
        add_error(session, &sum, poll->local.kind, poll->local.text);
    const struct err *trouble = destination_trouble(poll);
    if (!local && trouble->kind != ERR_NONE)
        add_error(session, &sum, trouble->kind, trouble->text);
    if (result < 0 && err->kind != ERR_NONE) /* what came of trouble here is not worth telling */
        add_error(session, &sum, err->kind, local ? NULL : err->text);
    if (poll->cut_short && stop_asked())
        add_error(session, &sum, ERR_STOPPED,
                  "interrupted; what was complete is delivered, the next run fetches the rest");
    else if (poll->cut_short)
        add_error(session, &sum, ERR_LOCAL,
                  "session_timeout has passed; the next run fetches the rest");
    if (poll->over.kind != ERR_NONE)
        add_error(session, &sum, poll->over.kind, poll->over.text);
    if (session->missing > 0)
        add_error(session, &sum, ERR_PROTOCOL,
                  "the server's lists end before the count that it gives itself; tell its "
                  "administrator");
    if (session->listing_junk)
        add_error(session, &sum, ERR_PROTOCOL, "the server's listing has lines that make no sense");
    if (poll->refused + poll->later > 0) /* told with the messages */
        add_error(session, &sum, poll->refused > 0 ? ERR_MESSAGE : ERR_AGAIN, NULL);
    if (result < 0 && sum.kind == ERR_NONE) /* a bug: not a success */
        add_error(session, &sum, ERR_WORKER,
                  "the poll failed for no known reason; please report it");
    session->run->figures.told = session->run->figures.told && sum.kind != ERR_NONE;
    *err = sum;
    return sum.kind == ERR_NONE ? 0 : -1;
}

static void settle(struct session *session, int result)
{
    struct err err;
    if (session->opened) /* an mbox may be there by now */
        (void)recover_record_places(session->journal, &session->poll.routes,
                                    session->poll.rules.now, &err);
    if (session->run->mode == SESSION_POLL && session->journal != NULL &&
        journal_is_dirty(session->journal) && journal_sync(session->journal, &err) < 0 &&
        result == 0 && session->poll.local.kind == ERR_NONE)
        session->poll.local = err;
}

static int run_session(struct session_run *run, bool offline, struct err *err)
{
    struct session *session = xcalloc(1, sizeof *session);
    session->run = run;
    session->account = run->account;
    session->log = run->log;
    session->poll.run = run;
    session->poll.deadline = clock_in(run->account->session_timeout * 1000);
    session->poll.rules = (struct plan_rules){
        .account = run->account, .switches = run->switches, .now = clock_wall()};
    int result = prepare(session, err);
    if (result < 0 && err->kind == ERR_BUSY)
        run->figures.quiet = !run->attended;
    if (result == 0 && !offline)
        result = manners_get_secret(&session->manners, err);
    if (result == 0 && !offline)
        result = poll_server(session, err);
    if (session->journal != NULL && run->mode == SESSION_POLL)
        destination_conclude(&session->poll);
    settle(session, result);
    if (session->opened)
        run->figures.held += kept_tidy(&session->poll);
    if (result < 0)
        session->end.server = *err;
    manners_tell_undeleted(&session->manners, session->poll.undeleted.count,
                           session->poll.undeleted.number, session->poll.undeleted.words);
    result = conclude(session, result, err);
    session->end.now = clock_wall();
    session->end.destination = destination_trouble(&session->poll)->kind != ERR_NONE;
    session->end.here = session->poll.local.kind != ERR_NONE;
    session->end.offline = offline;
    habits_keep(&session->poll.habits, session->manners.note, session->end.now);
    manners_end(&session->manners, &session->end, err);
    aside_end(&session->poll.aside, !run->figures.quiet || !session->end.destination);
    routes_free(&session->poll.routes);
    journal_close(session->journal); /* and with it the lock */
    free(session);
    return result;
}

int session_poll(struct session_run *run, struct err *err)
{
    return run_session(run, false, err);
}

int session_deliver(struct session_run *run, struct err *err)
{
    return run_session(run, true, err);
}
