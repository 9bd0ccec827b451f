/* SPDX-License-Identifier: ISC */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/connection.h"
#include "session/dates.h"
#include "session/decide.h"
#include "session/destination.h"
#include "session/fault.h"
#include "session/kept.h"
#include "session/recover.h"
#include "session/sift.h"
#include "session/statedir.h"
#include "state/mailbox.h"

#define RECONNECTS_MAX 5 /* after framing faults, each of a message not suspected before */

/* Everything of one poll. */
struct session {
    struct session_run *run;
    const struct account *account;
    struct log *log;
    struct deliver_settings settings;
    char mailbox[MAILBOX_ID + 1], state[FOLDER_ID + 1];
    struct poll poll;
    struct connection connection;
    struct manners manners;
    struct manners_end end;
    bool opened; /* the destinations are */
};

static void fill_settings(struct session *session)
{
    const struct account *account = session->account;
    mailbox_id(account->server, account->user, session->mailbox);
    session->settings = account_delivery(account);
    session->settings.state_dir = session->run->state_dir;
    session->settings.mailbox = session->mailbox;
    session->settings.state = session->state;
    session->settings.log = &session->poll.aside.log;
    session->settings.idle = connection_keep_alive;
    session->settings.idle_ctx = &session->connection;
}

/* ---- before the network ---- */

/* What of an earlier run cannot be settled now is told as trouble of the destination, and what is
 * known of it there stays. */
static int settle_earlier(struct session *session, struct err *err)
{
    struct routes *routes = &session->poll.routes;
    int result = recover(session->poll.journal, session->poll.settings, session->run, err);
    if (result != 0)
        err_prefix(err, "recovering from the last run");
    if (result <= 0)
        return result;
    routes->at->destination.trouble = *err;
    for (size_t i = 0; i < routes->count; i++)
        routes->at[i].settings.unsettled = true;
    return 0;
}

/* A destination takes no mail at all, which is told once a day; nothing is known of the server. A
 * full disk is told as everywhere. */
static int refuse(struct session *session, const struct err *err)
{
    session->end.offline = true;
    session->end.destination = err->kind != ERR_LOCAL;
    return -1;
}

/* What can go wrong here goes wrong before a connection is made. What is kept here needs none. */
static int prepare(struct session *session, struct err *err)
{
    fill_settings(session);
    aside_begin(&session->poll.aside, session->log, !session->run->attended);
    routes_init(&session->poll.routes, session->account, &session->settings);
    session->poll.settings = &session->poll.routes.at->settings;
    if (statedir_open(&session->poll.journal, session->run, session->poll.settings, session->state,
                      err) < 0)
        return -1;
    if (recover_find_places(session->poll.journal, session->poll.settings, err) < 0)
        return -1;
    if (dates_begin(session->poll.journal, &session->poll.rules, session->run, err) < 0)
        return -1;
    sift_begin(&session->poll);
    manners_begin(&session->manners, session->run, session->poll.rules.now);
    habits_load(&session->poll.habits, session->manners.note, session->poll.rules.now);
    if (routes_probe(&session->poll.routes, err) < 0)
        return refuse(session, err);
    if (session->run->mode != SESSION_POLL)
        return 0;
    if (settle_earlier(session, err) < 0)
        return -1;
    if (routes_open(&session->poll.routes, err) < 0)
        return refuse(session, err);
    session->opened = true;
    if (recover_record_places(session->poll.journal, &session->poll.routes, session->poll.rules.now,
                              err) < 0)
        return -1;
    return kept_deliver(&session->poll, err);
}

/* ---- connection after connection ---- */

static bool is_over(const struct session *session)
{
    return session->poll.over.kind != ERR_NONE || stop_asked() ||
           clock_left(session->poll.deadline) == 0;
}

/* The server was let in, and then had no answer to several commands in one write. */
static bool lost_commands(const struct session *session, const struct err *err)
{
    const struct connection *connection = &session->connection;
    return connection->let_in && !connection->listed && !connection_is_one_by_one(connection) &&
           session->account->pipelining == ACCOUNT_PIPELINING_AUTO &&
           (err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED) && !is_over(session);
}

/* As connection_poll; what the server turns out to want other than usual, it gets at once. */
static enum connection_end poll_as_it_likes(struct session *session, struct err *err)
{
    enum connection_end end = connection_poll(&session->connection, err);
    if (end == CONNECTION_LOST && lost_commands(session, err)) {
        log_line(session->log, FP_LOG_NOTE, "%s; one command at a time from now on", err->text);
        session->connection.one_by_one = true;
        err_clear(err);
        end = connection_poll(&session->connection, err);
    }
    bool wants_utf8 = end == CONNECTION_DONE && session->poll.wants_utf8 && !session->poll.utf8;
    if (wants_utf8 && is_over(session)) {
        session->poll.cut_short = session->poll.over.kind == ERR_NONE;
    } else if (wants_utf8) {
        session->manners.note->utf8 = session->poll.utf8 = true;
        end = connection_poll(&session->connection, err);
    }
    return end;
}

/* The doubted ones had the first connection: the others have the next. */
static bool had_their_turn(struct session *session, enum connection_end end)
{
    struct poll *poll = &session->poll;
    bool first = poll->doubted_first && poll->alone;
    poll->doubted_first = false;
    if (!first || (end != CONNECTION_DONE && end != CONNECTION_AGAIN_ALL))
        return false;
    poll->alone = false;
    poll->cut_short |= poll->over.kind == ERR_NONE && is_over(session);
    return !is_over(session);
}

/* Every message but those that a connection broke over. */
static enum connection_end poll_most(struct session *session, struct err *err)
{
    for (int round = 0;; round++) {
        enum connection_end end = poll_as_it_likes(session, err);
        if (had_their_turn(session, end)) {
            err_clear(err);
            continue;
        }
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
        enum connection_end end = connection_poll(&session->connection, err);
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
 * refused; or the listing may be one. */
static bool may_show_more(const struct session *session, uint32_t fetched)
{
    const struct poll *poll = &session->poll;
    const struct connection *connection = &session->connection;
    uint32_t now = session->run->figures.fetched, most = session->account->max_messages;
    uint64_t octets = session->account->max_bytes;
    return session->run->mode == SESSION_POLL && session->manners.note != NULL &&
           !connection->unsure &&
           (poll->over.kind != ERR_NONE || connection_may_be_slice(connection)) && now > fetched &&
           connection->login_delay <= 0 && poll->owned && poll->local.kind == ERR_NONE &&
           !poll->cut_short && (most == 0 || poll->fetched < most) &&
           (octets == 0 || poll->octets < octets);
}

/* A server that lets nobody in again so soon shows the rest to the next run. */
static enum connection_end poll_slices(struct session *session, struct err *err)
{
    uint32_t fetched = session->run->figures.fetched, slice; /* by now: what was here */
    enum connection_end end = poll_most(session, err);
    while (end == CONNECTION_DONE && may_show_more(session, fetched)) {
        struct err over = session->poll.over;
        err_clear(&session->poll.over);
        session->poll.cut_short = is_over(session);
        if (session->poll.cut_short)
            break;
        slice = session->connection.slice;
        fetched = session->run->figures.fetched;
        session->connection.slice = 0;
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

/* What was accepted and not confirmed, or left for another connection, gets one on which nothing is
 * fetched. If that fails, too, the next run tries again. */
static void delete_alone(struct session *session)
{
    const struct session_figures *figures = &session->run->figures;
    const struct connection *connection = &session->connection;
    uint32_t before;
    struct err ignored;
    do {
        if ((!connection->dele_undone && !connection->dele_left) || connection->login_delay > 0 ||
            stop_asked() || clock_left(session->poll.deadline) == 0)
            return;
        before = figures->deleted;
        session->poll.only_deletes = true;
        (void)connection_poll(&session->connection, &ignored);
    } while (connection->dele_left && figures->deleted > before);
}

static int poll_server(struct session *session, struct err *err)
{
    uint32_t failures = session->manners.note->failures;
    /* They may have failed since the server lets nobody in twice: what broke a connection had no
     * turn behind new mail, and gets none. New mail comes first in every other poll. */
    session->poll.doubted_first = failures > 0 && failures % 2 == 0;
    enum connection_end end = poll_slices(session, err);
    /* Not all of the rest came; the messages at fault have their turn too. */
    bool others =
        session->connection.faulted && (end == CONNECTION_AGAIN_ALL || err->kind == ERR_FRAMING);
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
    if (trouble->kind == ERR_NONE && sift_trouble(poll) != NULL)
        trouble = sift_trouble(poll);
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
    if (session->connection.missing > 0)
        add_error(session, &sum, ERR_PROTOCOL,
                  "the server's lists end before the count that it gives itself; tell its "
                  "administrator");
    if (session->connection.listing_junk)
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
        (void)recover_record_places(session->poll.journal, &session->poll.routes,
                                    session->poll.rules.now, &err);
    if (session->run->mode == SESSION_POLL && session->poll.journal != NULL &&
        journal_is_dirty(session->poll.journal) && journal_sync(session->poll.journal, &err) < 0 &&
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
    session->connection = (struct connection){.poll = &session->poll, .manners = &session->manners};
    int result = prepare(session, err);
    if (result < 0 && err->kind == ERR_BUSY)
        run->figures.quiet = !run->attended;
    if (result == 0 && !offline)
        result = manners_get_secret(&session->manners, err);
    if (result == 0 && !offline)
        result = poll_server(session, err);
    if (session->poll.journal != NULL && run->mode == SESSION_POLL)
        destination_conclude(&session->poll);
    settle(session, result);
    if (session->opened)
        run->figures.held += kept_tidy(&session->poll);
    if (result < 0)
        session->end.server = *err;
    manners_tell_undeleted(&session->manners, session->poll.undeleted.count,
                           session->poll.undeleted.number, session->poll.undeleted.words);
    if (result == 0)
        manners_tell_reappeared(&session->manners, session->poll.reappeared);
    result = conclude(session, result, err);
    session->end.now = clock_wall();
    session->end.destination = session->end.destination ||
                               destination_trouble(&session->poll)->kind != ERR_NONE ||
                               sift_trouble(&session->poll) != NULL;
    session->end.here = session->poll.local.kind != ERR_NONE;
    session->end.offline = session->end.offline || offline;
    session->end.login_delay = session->connection.login_delay;
    habits_keep(&session->poll.habits, session->manners.note, session->end.now);
    manners_end(&session->manners, &session->end, err);
    aside_end(&session->poll.aside, !run->figures.quiet || !session->end.destination);
    routes_free(&session->poll.routes);
    free(session->poll.unnamed.at);
    journal_close(session->poll.journal); /* and with it the lock */
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
