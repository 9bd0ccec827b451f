/* SPDX-License-Identifier: ISC */
#include "session/fault.h"

#include <stdio.h>

#include "base/clock.h"
#include "session/again.h"

#define NAME_SHOWN (LOG_QUOTE_MAX + 40)
#define WHY_SHOWN (ERR_TEXT_MAX + 64)
#define BROKEN_ALIKE 2  /* in a poll in which nothing came: the next is the server's fault */
#define UNNAMED_MAX 100 /* numbers: more than a poll has connections that can break */
#define LEFT_HINT "it stays on the server"

/* Its failures are recorded if the journal can find it again, and if it is neither delivered nor
 * here: fetched once more, with -a or to be compared, it stays what it was. */
static bool is_recorded(const struct listing *listing, const struct message *message)
{
    unsigned state = journal_entry(listing->journal, message->entry).state;
    return state != JOURNAL_DONE && state != JOURNAL_GONE && !record_is_here(state) &&
           (listing_has_uidl(message) || listing_fingerprint(listing, message) != NULL);
}

/* True if it is held from now on. */
static bool count_failure(struct poll *poll, struct listing *listing, struct message *message,
                          const struct journal_failure *failure)
{
    uint32_t entry = listing_enter(listing, message);
    bool held = journal_entry(poll->journal, entry).tries + 1u >= poll->run->account->max_tries;
    journal_mark_tried(poll->journal, entry);
    struct journal_failure again = *failure;
    again.next_try = (uint64_t)again_next_try(journal_entry(poll->journal, entry).tries + 1u,
                                              poll->run->account->max_tries, poll->rules.now);
    if (held)
        journal_hold(poll->journal, entry, &again);
    else
        journal_fail(poll->journal, entry, failure);
    return held;
}

static bool has_number(const struct queue *queue, uint32_t from, uint32_t to,
                       const struct message *message)
{
    while (from < to && queue->at[from] != message->number)
        from++;
    return from < to && !listing_has_uidl(message);
}

/* Numbers are the same on the next connection, as long as none ended with QUIT. */
static void note_number(struct poll *poll, const struct message *message, bool told)
{
    struct queue *unnamed = &poll->unnamed;
    if (listing_has_uidl(message) || unnamed->count >= UNNAMED_MAX)
        return;
    queue_push(unnamed, message->number);
    if (!told)
        return;
    unnamed->at[unnamed->count - 1] = unnamed->at[unnamed->next];
    unnamed->at[unnamed->next++] = message->number;
}

bool fault_was_told(const struct poll *poll, const struct message *message)
{
    return message->entry != JOURNAL_NONE
               ? journal_entry(poll->journal, message->entry).tried
               : has_number(&poll->unnamed, 0, poll->unnamed.next, message);
}

void fault_refuse(struct poll *poll, struct listing *listing, struct message *message,
                  const struct journal_failure *failure)
{
    char name[NAME_SHOWN], why[WHY_SHOWN];
    listing_name(listing, message, poll->run->log, name, sizeof name);
    poll->refused++;
    poll->run->figures.failed++;
    bool held = is_recorded(listing, message) && count_failure(poll, listing, message, failure);
    if (message->entry != JOURNAL_NONE)
        journal_mark_tried(poll->journal, message->entry);
    note_number(poll, message, true);
    poll->run->figures.held += held;
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; %s", name,
             reason_text(failure->reason, failure->words, why, sizeof why),
             held ? AGAIN_HINT : LEFT_HINT);
}

void fault_leave_large(struct poll *poll, struct listing *listing, struct message *message)
{
    char name[NAME_SHOWN], size[24], limit[24];
    bool once = is_recorded(listing, message);
    if (once) {
        journal_hold(poll->journal, listing_enter(listing, message),
                     &(struct journal_failure){.reason = REASON_TOO_LONG});
        journal_mark_tried(poll->journal, message->entry);
    }
    poll->run->figures.too_large++;
    log_line(poll->run->log, once ? FP_LOG_WARNING : FP_LOG_NOTE,
             "%s: %s, over the limit of %s; it stays on the server",
             listing_name(listing, message, poll->run->log, name, sizeof name),
             str_spell_size(message->size, size),
             str_spell_size(poll->run->account->max_size, limit));
}

static void put_off(struct poll *poll, struct listing *listing, struct message *message,
                    const struct journal_failure *failure, const struct log *log,
                    enum log_level level)
{
    char name[NAME_SHOWN], why[WHY_SHOWN];
    listing_name(listing, message, poll->run->log, name, sizeof name);
    poll->later++;
    poll->run->figures.failed++;
    if (is_recorded(listing, message)) {
        uint32_t entry = listing_enter(listing, message);
        journal_mark_tried(poll->journal, entry);
        journal_put_off(poll->journal, entry, failure);
    }
    log_line(log, level, "%s: %s; the next run tries again", name,
             reason_text(failure->reason, failure->words, why, sizeof why));
}

void fault_put_off(struct poll *poll, struct listing *listing, struct message *message,
                   const struct journal_failure *failure)
{
    put_off(poll, listing, message, failure, poll->run->log, FP_LOG_ERROR);
}

void fault_put_off_aside(struct poll *poll, struct listing *listing, struct message *message,
                         const struct journal_failure *failure)
{
    put_off(poll, listing, message, failure, &poll->aside.log, FP_LOG_ERROR);
}

void fault_postpone(struct poll *poll, struct listing *listing, struct message *message,
                    const struct journal_failure *failure)
{
    if (is_recorded(listing, message))
        journal_put_off(poll->journal, listing_enter(listing, message), failure);
}

static uint64_t since_when(const struct poll *poll, struct str words)
{
    uint64_t since, now = (uint64_t)poll->rules.now;
    return str_number(words, now, &since) < 0 ? now : since;
}

bool fault_is_a_day_old(const struct poll *poll, struct str words)
{
    return (uint64_t)poll->rules.now - since_when(poll, words) >= CLOCK_DAY &&
           !poll->rules.clock_doubted;
}

static bool was_seen(const struct poll *poll, uint32_t entry, unsigned days)
{
    uint64_t seen = journal_record(poll->journal, entry).first_seen,
             now = (uint64_t)poll->rules.now;
    return seen <= now && now - seen >= (uint64_t)days * CLOCK_DAY && !poll->rules.clock_doubted;
}

bool fault_was_seen_a_day_ago(const struct poll *poll, uint32_t entry)
{
    return was_seen(poll, entry, 1);
}

/* An earlier poll saw the server refuse it. */
static bool was_refused(const struct poll *poll, uint32_t entry)
{
    unsigned state = journal_entry(poll->journal, entry).state;
    return (state == JOURNAL_FAILED || state == JOURNAL_HELD) &&
           journal_record(poll->journal, entry).reason == REASON_REFUSED;
}

void fault_refuse_for_now(struct poll *poll, struct listing *listing, struct message *message,
                          const struct journal_failure *failure)
{
    struct journal_entry known = journal_entry(poll->journal, message->entry);
    bool again = was_refused(poll, message->entry);
    if (again && (known.state == JOURNAL_HELD || was_seen(poll, message->entry, known.tries + 1u)))
        fault_refuse(poll, listing, message, failure);
    else
        put_off(poll, listing, message, failure, poll->run->log,
                again ? FP_LOG_NOTE : FP_LOG_ERROR);
}

bool fault_postpone_refused(struct poll *poll, struct listing *listing, struct message *message,
                            const struct journal_failure *failure, bool later)
{
    unsigned max = poll->run->account->max_tries;
    struct journal_entry known = journal_entry(poll->journal, message->entry);
    struct journal_failure again = *failure;
    if (!was_refused(poll, message->entry) ||
        (known.state != JOURNAL_HELD && !was_seen(poll, message->entry, later ? max : 1))) {
        fault_postpone(poll, listing, message, failure);
        return false;
    }
    again.next_try = (uint64_t)again_next_try(max + known.tries, max, poll->rules.now);
    journal_hold(poll->journal, message->entry, &again);
    poll->run->figures.held++;
    return true;
}

/* True if it is held from now on, or still. */
static bool note_empty(struct poll *poll, struct listing *listing, struct message *message,
                       enum reason reason)
{
    char since[24];
    unsigned max = poll->run->account->max_tries;
    uint32_t entry = listing_enter(listing, message);
    struct journal_entry known = journal_entry(poll->journal, entry);
    struct record record = journal_record(poll->journal, entry);
    struct str before = record.reason == reason ? record.words : str_from("");
    struct journal_failure failure = {.reason = reason};
    bool held = known.state == JOURNAL_HELD || fault_is_a_day_old(poll, before);
    snprintf(since, sizeof since, "%llu", (unsigned long long)since_when(poll, before));
    failure.words = str_from(since);
    if (held) {
        failure.next_try = (uint64_t)again_next_try(max + known.tries, max, poll->rules.now);
        journal_hold(poll->journal, entry, &failure);
    } else {
        journal_put_off(poll->journal, entry, &failure);
    }
    poll->run->figures.held += held;
    return held;
}

void fault_refuse_empty(struct poll *poll, struct listing *listing, struct message *message,
                        bool others_came)
{
    char name[NAME_SHOWN], why[WHY_SHOWN];
    enum reason reason = others_came ? REASON_EMPTY : REASON_ALL_EMPTY;
    (void)note_empty(poll, listing, message, reason);
    journal_mark_tried(poll->journal, message->entry);
    poll->refused++;
    poll->run->figures.failed++;
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; " AGAIN_HINT,
             listing_name(listing, message, poll->run->log, name, sizeof name),
             reason_text(reason, str_from(""), why, sizeof why));
}

bool fault_postpone_empty(struct poll *poll, struct listing *listing, struct message *message)
{
    return is_recorded(listing, message) && note_empty(poll, listing, message, REASON_ALL_EMPTY);
}

void fault_leave(struct poll *poll, uint32_t count)
{
    poll->later += count;
    if (count > 0)
        log_line(poll->run->log, FP_LOG_ERROR,
                 "messages that broke the connection before and must wait for the next run: %u",
                 count);
}

bool fault_is_passing(struct str words)
{
    return str_contains_any_nocase(words, "try again|try later|temporar|too many|too often|"
                                          "too fast|busy|overload|please wait|maintenance|"
                                          "download exceed");
}

void fault_break(struct poll *poll, struct listing *listing, struct message *message,
                 const struct err *why)
{
    char name[NAME_SHOWN];
    const struct journal_failure failure = {.reason = why->kind == ERR_FRAMING ? REASON_OUT_OF_STEP
                                                                               : REASON_BROKEN_LINE,
                                            .words = str_from(why->text)};
    bool server = poll->alone && poll->broken >= BROKEN_ALIKE && poll->fetched == 0;
    /* With another header than before it is not known as the one that is to be asked for alone. */
    bool again = has_number(&poll->unnamed, poll->unnamed.next, poll->unnamed.count, message);
    if (!is_recorded(listing, message) || again || (poll->alone && !server)) {
        poll->broken += poll->alone;
        fault_refuse(poll, listing, message, &failure);
        return;
    }
    listing_name(listing, message, poll->run->log, name, sizeof name);
    log_line(poll->run->log, FP_LOG_NOTE, "%s: %s", name, why->text);
    journal_doubt(poll->journal, listing_enter(listing, message), &failure);
    note_number(poll, message, false);
    if (server)
        err_set(&poll->over, ERR_AGAIN,
                "message after message breaks the connection: %s; the next run goes on", why->text);
}
