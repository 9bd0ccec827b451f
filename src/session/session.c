#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/blame.h"
#include "session/connect.h"
#include "session/fetch.h"
#include "session/manners.h"
#include "session/recall.h"
#include "session/recover.h"
#include "session/top.h"
#include "state/mailbox.h"

#define RECONNECTS_MAX 5 /* after framing faults, each of a message not suspected before */
#define SECONDS_A_DAY 86400
#define NOOP_MS ((int64_t)60 * 1000)

/* Everything of one poll. */
struct session {
    struct session_run *run;
    const struct account *account;
    struct log *log;
    struct deliver_settings settings;
    char mailbox[MAILBOX_ID + 1];
    struct journal *journal;
    struct fetch_job job;
    struct pop3 *pop3;
    struct listing listing;
    uint32_t *verified,
        verified_count; /* may be deleted: delivered by an earlier run, and the same */
    int64_t next_noop;  /* clock_ms() */
    struct manners manners;
    struct manners_end end;
    bool counted;      /* figures of the listing are there: later connections see less */
    bool listing_junk; /* lines in both lists that make no sense: mail may be missing */
};

static enum deliver_kind kind_of(enum account_target target)
{
    switch (target) {
    case ACCOUNT_MBOX:
        return DELIVER_MBOX;
    case ACCOUNT_MDA:
        return DELIVER_MDA;
    default:
        return DELIVER_MAILDIR;
    }
}

/* NOOP, while a command keeps us and the server might think that we are gone. */
static void keep_alive(void *ctx)
{
    struct session *session = ctx;
    struct reply reply;
    struct err ignored; /* whoever speaks to the server next meets it again */
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
    session->settings = (struct deliver_settings){
        .kind = kind_of(account->target),
        .where = account->where,
        .durable = account->durable,
        .command_timeout = account->mda_timeout * 1000,
        .lock_timeout = account->timeout * 1000,
        .state_dir = session->run->state_dir,
        .mailbox = session->mailbox,
        .account = account->title,
        .log = session->log,
        .idle = keep_alive,
        .idle_ctx = session,
    };
}

static void fill_rules(struct session *session)
{
    const struct account *account = session->account;
    struct plan_rules *rules = &session->job.rules;
    rules->keep = account->keep == ACCOUNT_KEEP     ? PLAN_KEEP
                  : account->keep == ACCOUNT_NOKEEP ? PLAN_NOKEEP
                                                    : PLAN_KEEP_FOR;
    rules->keep_seconds = account->keep_seconds;
    rules->fetch_seen = account->fetch_seen;
    rules->flush = account->flush;
    rules->never_delete = account->never_delete;
    rules->max_size = account->max_size;
    rules->max_messages = account->max_messages;
    rules->max_tries = account->max_tries > UINT16_MAX ? UINT16_MAX : (uint16_t)account->max_tries;
    rules->now = clock_wall();
}

/* ---- before the network ---- */

static int open_journal(struct session *session, struct err *err)
{
    const struct account *account = session->account;
    bool write = session->run->mode == SESSION_POLL;
    struct journal_settings settings = {.state_dir = session->run->state_dir,
                                        .server = account->server,
                                        .user = account->user,
                                        .mode = write ? JOURNAL_WRITE : JOURNAL_READ,
                                        .durable = account->durable,
                                        .log = session->log};
    bool there = access(session->run->state_dir, F_OK) == 0; /* then the journal flushes its name */
    if (write && file_make_folder(session->run->state_dir, account->durable && !there, err) < 0)
        return err_prefix(err, "state folder");
    if (journal_open(&session->journal, &settings, err) < 0)
        return -1;
    session->job.journal = session->journal;
    if (write && journal_is_new(session->journal))
        log_line(session->log, FP_LOG_NOTE,
                 "a new journal is begun in %s: everything on the server counts as new",
                 session->run->state_dir);
    return 0;
}

/* What can go wrong here goes wrong before a connection is made. */
static int prepare(struct session *session, struct err *err)
{
    fill_settings(session);
    fill_rules(session);
    if (deliver_probe(&session->settings, err) < 0 || open_journal(session, err) < 0)
        return -1;
    manners_begin(&session->manners, session->run, session->job.rules.now);
    if (session->run->mode != SESSION_POLL)
        return 0;
    if (recover(session->journal, &session->settings, err) < 0)
        return err_prefix(err, "looking after the last run");
    if (deliver_open(&session->job.deliver, &session->settings, err) < 0)
        return -1;
    return recover_note_place(session->journal, session->job.deliver, err);
}

/* ---- listing and plan ---- */

static void set_window(struct session *session)
{
    const struct reply_capa *capa = pop3_capabilities(session->pop3);
    enum account_pipelining wish = session->account->pipelining;
    bool pipelining = wish == ACCOUNT_PIPELINING_ON ||
                      (wish == ACCOUNT_PIPELINING_AUTO && capa->known && capa->pipelining);
    pop3_set_window(session->pop3, pipelining ? POP3_WINDOW : 1);
}

/* Mail may be missing: each list that worked has lines that make no sense. */
static bool is_junk(const struct listing *listing)
{
    bool uidl = listing->uidl_junk > 0 || !listing->has_uidl;
    bool list = listing->list_junk > 0 || !listing->has_list;
    return uidl && list && listing->uidl_junk + listing->list_junk > 0;
}

/* That there are no UIDLs is said once: when the first message without one is met. */
static bool was_said(const struct session *session)
{
    for (uint32_t id = 0; id < journal_count(session->journal); id++) {
        struct journal_entry entry = journal_entry(session->journal, id);
        if (entry.state != JOURNAL_FREE && entry.blank)
            return true;
    }
    return false;
}

static int list(struct session *session, struct err *err)
{
    struct listing *listing = &session->listing;
    set_window(session);
    if (listing_fetch(listing, session->pop3, pop3_capabilities(session->pop3)->known, err) < 0)
        return err_prefix(err, "listing");
    set_window(session);
    if (!session->counted)
        session->run->figures.listed = listing->count;
    session->listing_junk = is_junk(listing);
    if (!listing->has_uidl && listing->count > 0 && !was_said(session)) {
        log_line(session->log, FP_LOG_NOTE,
                 "the server has no UIDL; messages are told by their headers");
    }
    if (listing_match(listing, session->pop3, session->log, err) < 0)
        return err_prefix(err, "listing");
    if (listing->has_uidl || listing->has_list)
        journal_listed_all(session->journal, clock_wall() / SECONDS_A_DAY);
    return 0;
}

static void count_planned(struct session_figures *figures, const struct message *message,
                          enum journal_state known)
{
    switch (message->action) {
    case PLAN_FETCH:
    case PLAN_RETRY:
    case PLAN_ALONE:
        figures->planned++;
        figures->octets_planned += message->size;
        figures->fresh += known != JOURNAL_DONE;
        break;
    default:
        figures->seen += known == JOURNAL_DONE || known == JOURNAL_GONE;
        figures->held += known == JOURNAL_HELD;
        break;
    }
}

/* What was told as a failure in this poll is not asked for again on its next connection. */
static bool was_tried(const struct session *session, const struct message *message)
{
    return message->entry != JOURNAL_NONE && journal_entry(session->journal, message->entry).tried;
}

/* Held for its length, and no longer too long: the limit has changed. */
static bool fits_now(const struct session *session, const struct message *message)
{
    uint64_t max = session->job.rules.max_size;
    enum reason reason = journal_record(session->journal, message->entry).reason;
    bool too_long = reason == REASON_TOO_LONG || reason == REASON_SURPRISE;
    return too_long && (max == 0 || message->size <= max);
}

static void plan_message(struct session *session, struct message *message, uint32_t *fetched)
{
    struct plan_message known = fetch_plan_message(&session->job, message);
    if (known.known == JOURNAL_HELD && fits_now(session, message))
        known.known = JOURNAL_FAILED;
    message->action = plan_decide(&session->job.rules, &known, fetched);
    if (was_tried(session, message) && message->action != PLAN_DELETE)
        message->action = PLAN_LEAVE;
    if (!session->counted)
        count_planned(&session->run->figures, message, known.known);
}

/* max_messages counts those first that did not fail before. */
static int turn_of(const struct session *session, const struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return 0;
    unsigned state = journal_entry(session->journal, message->entry).state;
    return state == JOURNAL_DOUBTED ? 2 : state == JOURNAL_FAILED ? 1 : 0;
}

static void make_plan(struct session *session)
{
    uint32_t fetched = session->run->figures.fetched; /* by earlier connections of this run */
    bool more = true;                                 /* messages of a later turn */
    for (int turn = 0; turn < 3 && more; turn++) {
        more = false;
        for (uint32_t i = 0; i < session->listing.count; i++) {
            int own = turn_of(session, &session->listing.messages[i]);
            more = more || own > turn;
            if (own == turn)
                plan_message(session, &session->listing.messages[i], &fetched);
        }
    }
    session->counted = true;
}

static void refuse_long_ones(struct session *session)
{
    for (uint32_t i = 0; i < session->listing.count; i++)
        if (session->listing.messages[i].action == PLAN_REFUSE)
            blame_refuse(&session->job, &session->listing, &session->listing.messages[i],
                         &(struct journal_failure){.reason = REASON_TOO_LONG});
}

/* A UIDL alone is no licence to delete: size and header have to be those of the message that was
 * delivered. What cannot show its header is fetched, to be compared then. */
static void verify_fingerprint(void *ctx, uint32_t number, const struct fingerprint *fingerprint)
{
    struct session *session = ctx;
    struct message *message = listing_find(&session->listing, number);
    struct record record = journal_record(session->journal, message->entry);
    struct fingerprint known = record_fingerprint(&record);
    if (fingerprint->known && known.known &&
        memcmp(fingerprint->bytes, known.bytes, sizeof fingerprint->bytes) == 0) {
        session->verified[session->verified_count++] = number;
        return;
    }
    if (!fingerprint
             ->known) { /* it has to be fetched to be compared; if that is too much, it stays */
        uint64_t max = session->job.rules.max_size;
        message->compare = true;
        message->action = max != 0 && message->size > max ? PLAN_LEAVE : PLAN_FETCH;
        return;
    }
    journal_unlist(session->journal, message->entry);
    message->entry = JOURNAL_NONE;
    message->action = PLAN_FETCH;
    message->vague = true;
    listing_set_fingerprint(&session->listing, message, fingerprint);
    log_line(session->log, FP_LOG_NOTE,
             "message %u has the UIDL of one that was delivered, but not its header; it is fetched",
             number);
}

static int verify(struct session *session, struct err *err)
{
    size_t count = 0;
    session->verified_count = 0;
    for (uint32_t i = 0; i < session->listing.count; i++)
        count += session->listing.messages[i].action == PLAN_DELETE;
    if (count == 0)
        return 0;
    uint32_t *numbers = xcalloc(count, sizeof *numbers);
    struct top top = {.pop3 = session->pop3,
                      .numbers = numbers,
                      .fingerprint = verify_fingerprint,
                      .ctx = session};
    session->verified = xcalloc(count, sizeof *session->verified);
    for (uint32_t i = 0; i < session->listing.count; i++)
        if (session->listing.messages[i].action == PLAN_DELETE)
            numbers[top.count++] = session->listing.messages[i].number;
    int result = 0;
    if (top_is_possible(session->pop3))
        result = top_run(&top, err);
    else
        for (size_t i = 0; i < top.count; i++)
            verify_fingerprint(session, numbers[i], &(struct fingerprint){.known = false});
    free(numbers);
    return result;
}

/* ---- one connection ---- */

static int note_deleted(struct session *session, const uint32_t *deleted, uint32_t count,
                        struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct message *message = listing_find(&session->listing, deleted[i]);
        journal_gone(session->journal, message->entry);
    }
    session->run->figures.deleted += count;
    return journal_sync(session->journal, err);
}

/* After QUIT's +OK, and not before, what had its DELE is gone. */
static int quit(struct session *session, const uint32_t *deleted, uint32_t count, struct err *err)
{
    bool confirmed = false;
    if (pop3_quit(session->pop3, count > 0, count > 0, &confirmed, err) < 0)
        return count > 0 || err->kind == ERR_FRAMING ? -1 : 0;
    if (confirmed)
        return note_deleted(session, deleted, count, err);
    if (count == 0)
        return 0;
    return err_set(err, ERR_AGAIN,
                   "the server did not confirm that it deleted mail; nothing is "
                   "lost, the next run deletes it without fetching it again");
}

static int fetch_and_quit(struct session *session, struct err *err)
{
    uint32_t *deleted = NULL, deleted_count = 0;
    int result = fetch_run(&session->job, session->pop3, &session->listing, session->verified,
                           session->verified_count, &deleted, &deleted_count, err);
    if (result == 0)
        result = quit(session, deleted, deleted_count, err);
    free(deleted);
    return result;
}

static void tell_plan(struct session *session)
{
    static const char *const words[] = {[PLAN_FETCH] = "would be fetched",
                                        [PLAN_RETRY] = "would be tried again",
                                        [PLAN_ALONE] = "would be tried again, alone",
                                        [PLAN_DELETE] = "would be deleted, if it is still the same",
                                        [PLAN_REFUSE] = "is longer than max_size"};
    char name[LOG_QUOTE_MAX + 40];
    for (uint32_t i = 0; i < session->listing.count; i++) {
        const struct message *message = &session->listing.messages[i];
        bool fetched = message->action == PLAN_FETCH || message->action == PLAN_RETRY ||
                       message->action == PLAN_ALONE;
        session->run->figures.deleted +=
            message->action == PLAN_DELETE || (fetched && plan_deletes_new(&session->job.rules));
        if (message->action == PLAN_LEAVE)
            continue;
        listing_name(&session->listing, message, session->log, name, sizeof name);
        if (session->run->answer != NULL) {
            char line[sizeof name + 100];
            snprintf(line, sizeof line, "%s, %llu octets: %s", name,
                     (unsigned long long)message->size, words[message->action]);
            session->run->answer(session->run->ctx, line);
        }
    }
}

static int poll_connected(struct session *session, struct err *err)
{
    if (list(session, err) < 0)
        return -1;
    make_plan(session);
    if (session->run->progress != NULL)
        session->run->progress(session->run->ctx, &session->run->figures);
    if (session->run->mode == SESSION_DRY_RUN)
        tell_plan(session);
    if (session->run->mode != SESSION_POLL) {
        bool confirmed;
        struct err ignored; /* nothing was to be deleted */
        (void)pop3_quit(session->pop3, false, false, &confirmed, &ignored);
        return 0;
    }
    session->next_noop = clock_in(NOOP_MS);
    if (verify(session, err) < 0)
        return err_prefix(err, "looking at delivered mail");
    refuse_long_ones(session);
    if (journal_sync(session->journal, err) < 0)
        return -1;
    return fetch_and_quit(session, err);
}

static int poll_once(struct session *session, struct err *err)
{
    journal_reread(session->journal);
    listing_init(&session->listing, session->journal);
    int result = connect_open(&session->pop3, session->account, session->manners.note, session->log,
                              &session->end.login_delay, err);
    if (result == 0)
        result = poll_connected(session, err);
    if (result < 0 && !err_keeps_connection(err->kind))
        recall_forget(session->manners.note); /* it may have been the reason */
    pop3_free(session->pop3);
    session->pop3 = NULL;
    free(session->verified);
    session->verified = NULL;
    listing_free(&session->listing);
    return result;
}

/* Every message but those that a connection broke over. A framing fault costs the connection;
 * another one is worth it as long as each fault teaches us something. */
static int poll_most(struct session *session, struct err *err)
{
    for (int round = 0;; round++) {
        uint32_t blamed = session->job.blamed;
        bool careful = session->job.careful;
        int result = poll_once(session, err);
        if (result == 0 || err->kind != ERR_FRAMING || round == RECONNECTS_MAX || stop_asked() ||
            clock_left(session->job.deadline) == 0 ||
            (session->job.blamed == blamed && session->job.careful == careful))
            return result;
        if (round > 0)
            session->job.careful = true; /* what comes through one by one is not fetched again */
        log_line(session->log, FP_LOG_NOTE, "%s; connecting anew", err->text);
        err_clear(err);
    }
}

static uint32_t count_doubted(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < journal_count(session->journal); id++) {
        struct journal_entry entry = journal_entry(session->journal, id);
        count += entry.state == JOURNAL_DOUBTED && entry.listed != 0 && !entry.tried;
    }
    return count;
}

/* Then those, on connections where nothing else is at stake. What breaks one is told by name. */
static int poll_doubted(struct session *session, struct err *err)
{
    session->job.alone = true;
    for (int round = 0; count_doubted(session) > 0 && round < 2 * RECONNECTS_MAX; round++) {
        uint32_t blamed = session->job.blamed;
        if (stop_asked() || clock_left(session->job.deadline) == 0)
            break;
        if (poll_once(session, err) == 0)
            return 0;
        if (session->job.blamed == blamed)
            return -1;
        err_clear(err);
    }
    session->job.later += count_doubted(session);
    return 0;
}

static int poll_server(struct session *session, struct err *err)
{
    int result = poll_most(session, err);
    bool others = result < 0 && err->kind == ERR_FRAMING && session->job.blamed > 0;
    if (session->run->mode != SESSION_POLL || (result < 0 && !others))
        return result;
    if (others) { /* not all of the rest came; those that are to blame have their turn too */
        log_line(session->log, FP_LOG_ERROR, "%s; the rest comes next time", err->text);
        session->job.later++;
    }
    return poll_doubted(session, err);
}

/* ---- the whole ---- */

static void worse(struct err *err, const struct err *other)
{
    int status = err_status(err->kind);
    if (other->kind == ERR_NONE)
        return;
    if (err->kind == ERR_NONE || err_worst(status, err_status(other->kind)) != status)
        err->kind = other->kind;
    if (err->text[0] == '\0')
        memcpy(err->text, other->text, sizeof err->text);
}

/* The one result of all that happened. A failure that was told with its message has no text. */
static int conclude(struct session *session, int result, struct err *err)
{
    struct fetch_job *job = &session->job;
    struct err more = {.kind = ERR_NONE};
    if (result == 0)
        err_clear(err);
    if (job->local.kind != ERR_NONE) { /* what came of it is not worth telling */
        more = *err;
        *err = job->local;
        more.text[0] = '\0';
        worse(err, &more);
        err_clear(&more);
    }
    if (job->cut_short)
        err_set(&more, stop_asked() ? ERR_STOPPED : ERR_LOCAL,
                stop_asked()
                    ? "interrupted; what was complete is delivered, the rest comes next time"
                    : "session_timeout is over; the rest comes next time");
    worse(err, &more);
    if (session->listing_junk)
        err_set(&more, ERR_PROTOCOL, "the server's listing has lines that make no sense");
    else
        err_clear(&more);
    worse(err, &more);
    more.text[0] = '\0';
    more.kind = job->refused > 0 ? ERR_MESSAGE : job->later > 0 ? ERR_AGAIN : ERR_NONE;
    worse(err, &more);
    return err->kind == ERR_NONE ? 0 : -1;
}

static void settle(struct session *session, int result)
{
    struct err err;
    if (session->run->mode == SESSION_POLL && session->journal != NULL &&
        journal_is_dirty(session->journal) && journal_sync(session->journal, &err) < 0 &&
        result == 0 && session->job.local.kind == ERR_NONE)
        session->job.local = err;
}

int session_poll(struct session_run *run, struct err *err)
{
    struct session *session = xcalloc(1, sizeof *session);
    session->run = run;
    session->account = run->account;
    session->log = run->log;
    session->job.run = run;
    session->job.deadline = clock_in(run->account->session_timeout * 1000);
    log_hide(run->log, &run->account->password);
    int result = prepare(session, err);
    if (result == 0)
        result = manners_check_secret(&session->manners, err);
    if (result == 0)
        result = poll_server(session, err);
    settle(session, result);
    result = conclude(session, result, err);
    session->end.now = clock_wall();
    session->end.here = session->job.local.kind != ERR_NONE;
    manners_end(&session->manners, &session->end, err);
    deliver_close(session->job.deliver);
    journal_close(session->journal); /* and with it the lock */
    log_unhide(run->log, &run->account->password);
    free(session);
    return result;
}
