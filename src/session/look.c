/* SPDX-License-Identifier: ISC */
#include "session/look.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "session/connect.h"
#include "session/headers.h"
#include "session/listing.h"
#include "session/manners.h"
#include "session/pipe.h"
#include "session/rules.h"
#include "session/statedir.h"

#define TEXT_MAX 1000 /* octets of a field, decoded */

struct looker {
    struct session_run *run;
    const struct look *look;
    struct journal *journal;
    struct habits habits;
    struct listing listing;
    struct pop3 *pop3;
    struct fields *fields; /* of the message that is being asked for */
    bool owed;             /* one was retrieved that only the server has */
};

/* ---- rows ---- */

static const char *state_of(const struct looker *looker, const struct message *message)
{
    static const char *const words[] = {
        [JOURNAL_FREE] = "new",     [JOURNAL_FAILED] = "failed",  [JOURNAL_HELD] = "held",
        [JOURNAL_LEFT] = "left",    [JOURNAL_DOUBTED] = "failed", [JOURNAL_KEPT] = "spooled",
        [JOURNAL_REFUSED] = "held", [JOURNAL_TAKEN] = "new",      [JOURNAL_DONE] = "kept",
        [JOURNAL_GONE] = "kept",
    };
    struct journal_entry entry = journal_entry(looker->journal, message->entry);
    bool stub = entry.state == JOURNAL_DONE && entry.policy == JOURNAL_STUB;
    return stub ? "stub" : words[entry.state];
}

/* The rule that fits what is known of it, or NULL. */
static const struct rule *rule_of(const struct looker *looker, const struct message *message,
                                  const struct fields *fields)
{
    const struct rules *rules = &looker->run->account->rules;
    const struct rules_facts facts = {.size = message->size, .now = clock_wall(), .fields = fields};
    int64_t until;
    size_t rule = rules_find(rules, &facts, &until);
    return rule < rules->count ? &rules->at[rule] : NULL;
}

/* Decoded, and not longer than anybody reads; empty if there is none. */
static struct str text_of(const struct fields *fields, const char *name)
{
    struct field field = {.number = 0};
    if (fields == NULL || !fields_next(fields, name, &field))
        return str_of("", 0);
    struct str text = fields_text(fields, &field);
    return str_of(text.ptr, text.len < TEXT_MAX ? text.len : TEXT_MAX);
}

/* fields NULL: its header is not known. */
static void tell_row(const struct looker *looker, const struct message *message,
                     const struct fields *fields)
{
    struct look_row row = {.number = message->number,
                           .size = message->size,
                           .state = state_of(looker, message),
                           .uidl = listing_uidl(&looker->listing, message),
                           .date = text_of(fields, "Date"),
                           .from = text_of(fields, "From"),
                           .subject = text_of(fields, "Subject"),
                           .rule = rule_of(looker, message, fields)};
    looker->look->row(looker->look->ctx, &row);
}

/* ---- headers ---- */

static bool feed(void *ctx, const char *bytes, size_t len)
{
    struct looker *looker = ctx;
    fields_feed(looker->fields, bytes, len);
    return fields_is_done(looker->fields);
}

static void answer(void *ctx, uint32_t number, bool came)
{
    struct looker *looker = ctx;
    fields_end(looker->fields);
    tell_row(looker, listing_find(&looker->listing, number), came ? looker->fields : NULL);
    fields_free(looker->fields);
    looker->fields = fields_new();
}

/* A server without TOP shows number, size and state. */
static int tell_rows(struct looker *looker, const struct message *from, uint32_t count,
                     struct err *err)
{
    uint32_t *numbers = xcalloc(count, sizeof *numbers);
    const struct headers headers = {.pop3 = looker->pop3,
                                    .numbers = numbers,
                                    .count = count,
                                    .feed = feed,
                                    .answer = answer,
                                    .ctx = looker};
    int result = 0;
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = from[i].number;
    if (headers_possible(looker->pop3))
        result = headers_run(&headers, err);
    else
        for (uint32_t i = 0; i < count; i++)
            tell_row(looker, &from[i], NULL);
    free(numbers);
    return result;
}

/* ---- one message ---- */

static const struct message *find(struct looker *looker, struct err *err)
{
    const char *uidl = looker->look->uidl;
    const struct message *found = NULL;
    uint64_t number;
    unsigned count = 0;
    for (uint32_t i = 0; i < looker->listing.count; i++) {
        const struct message *message = &looker->listing.messages[i];
        if (!str_is(listing_uidl(&looker->listing, message), uidl))
            continue;
        found = message;
        count++;
    }
    if (count == 0 && looker->look->what == LOOK_SHOW &&
        str_number(str_from(uidl), REPLY_MESSAGES_MAX, &number) == 0)
        found = listing_find(&looker->listing, (uint32_t)number);
    if (count > 1)
        err_set(err, ERR_MESSAGE,
                "%u messages on the server have the UIDL %.80s; fetch them all, none is chosen",
                count, uidl);
    else if (found == NULL)
        err_set(err, ERR_MESSAGE, "no message on the server has the UIDL %.80s; see --list", uidl);
    return count > 1 ? NULL : found;
}

struct asked {
    enum pop3_verb verb;
    uint32_t number;
    bool sent, refused;
    struct pop3 *pop3;
};

static int ask_once(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct asked *asked = ctx;
    (void)err;
    *verb = asked->verb;
    *number = asked->number;
    bool first = !asked->sent;
    asked->sent = true;
    return first;
}

static int take_once(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    const struct asked *asked = ctx;
    if (taken < 0)
        return -1;
    return answer->reply.kind == REPLY_OK
               ? 0
               : pop3_refused(asked->pop3, &answer->reply, ERR_MESSAGE, "the message", err);
}

/* One command about one message; its body goes to the sink. */
static int ask(struct looker *looker, enum pop3_verb verb, uint32_t number, const struct sink *body,
               struct err *err)
{
    struct asked asked = {.verb = verb, .number = number, .pop3 = looker->pop3};
    struct pop3_taker taker = {.sink = body != NULL ? *body : (struct sink){NULL, NULL}};
    struct pipeline pipe = {.pop3 = looker->pop3,
                            .ctx = &asked,
                            .next = ask_once,
                            .taker = body != NULL ? &taker : NULL,
                            .answer = take_once};
    return pipe_run(&pipe, NULL, err);
}

/* After QUIT some servers never show again what they handed out. */
static bool is_ours(const struct looker *looker, const struct message *message)
{
    struct journal_entry entry = journal_entry(looker->journal, message->entry);
    return record_is_here(entry.state) || entry.state == JOURNAL_GONE ||
           (entry.state == JOURNAL_DONE && entry.policy != JOURNAL_STUB);
}

static int show(struct looker *looker, struct err *err)
{
    const struct message *message = find(looker, err);
    if (message == NULL)
        return -1;
    if (!looker->look->whole && !headers_possible(looker->pop3))
        return err_set(
            err, ERR_MESSAGE,
            "the server has no TOP, so the header cannot be shown alone; -a shows it all");
    looker->owed = looker->look->whole && !is_ours(looker, message);
    return ask(looker, looker->look->whole ? POP3_RETR : POP3_TOP, message->number,
               &looker->look->body, err);
}

/* Only after QUIT's +OK it is gone; a poll that delivered it wants to know. */
static int delete_one(struct looker *looker, struct err *err)
{
    bool confirmed;
    const struct message *message = find(looker, err);
    if (message == NULL)
        return -1;
    if (tell_rows(looker, message, 1, err) < 0)
        return -1;
    if (!looker->look->confirm(looker->look->ctx))
        return err_set(err, ERR_STOPPED, "nothing was deleted; --yes answers the question");
    if (ask(looker, POP3_DELE, message->number, NULL, err) < 0 ||
        pop3_quit(looker->pop3, true, false, &confirmed, err) < 0)
        return -1;
    if (!confirmed)
        return err_set(err, ERR_AGAIN, "the server did not confirm the deletion; see --list");
    looker->run->figures.deleted++;
    if (journal_entry(looker->journal, message->entry).state != JOURNAL_DONE)
        return 0;
    journal_gone(looker->journal, message->entry);
    return journal_sync(looker->journal, err);
}

/* ---- the whole ---- */

static int list(struct looker *looker, struct err *err)
{
    for (uint32_t i = 0; i < looker->listing.count; i++)
        looker->run->figures.fresh += state_of(looker, &looker->listing.messages[i])[0] == 'n';
    return tell_rows(looker, looker->listing.messages, looker->listing.count, err);
}

static int look_around(struct looker *looker, struct err *err)
{
    const struct reply_capa *capa = pop3_capabilities(looker->pop3);
    enum account_pipelining wish = looker->run->account->pipelining;
    bool pipelining = wish == ACCOUNT_PIPELINING_ON ||
                      (wish == ACCOUNT_PIPELINING_AUTO && capa->known && capa->pipelining);
    pop3_set_window(looker->pop3, pipelining ? POP3_WINDOW : 1);
    if (listing_fetch(&looker->listing, looker->pop3, capa->known, err) < 0)
        return err_prefix(err, "listing");
    looker->run->figures.listed = looker->listing.count;
    if (looker->look->what == LOOK_DELETE)
        return delete_one(looker, err);
    int result = looker->look->what == LOOK_LIST ? list(looker, err) : show(looker, err);
    if (result == 0 && !looker->owed)
        pop3_leave(looker->pop3);
    return result;
}

static int open_journal(struct looker *looker, struct err *err)
{
    const struct session_run *run = looker->run;
    enum journal_mode mode = looker->look->what == LOOK_DELETE ? JOURNAL_WRITE : JOURNAL_READ;
    return statedir_journal(&looker->journal, run->account, run->state_dir, mode, run->log, err);
}

int look_run(struct session_run *run, const struct look *look, struct err *err)
{
    struct looker looker = {.run = run, .look = look};
    struct manners manners;
    struct manners_end end = {.now = clock_wall()};
    if (open_journal(&looker, err) < 0)
        return -1;
    looker.fields = fields_new();
    listing_init(&looker.listing, looker.journal, &looker.habits);
    manners_begin(&manners, run, end.now);
    int result = manners_get_secret(&manners, err);
    if (result == 0)
        result =
            connect_open(&looker.pop3, run, manners.note,
                         clock_in(run->account->session_timeout * 1000), &end.login_delay, err);
    if (result == 0)
        result = look_around(&looker, err);
    connect_close(looker.pop3);
    manners_end(&manners, &end, err);
    listing_free(&looker.listing);
    fields_free(looker.fields);
    journal_close(looker.journal);
    return result;
}
