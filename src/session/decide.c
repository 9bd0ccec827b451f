/* SPDX-License-Identifier: ISC */
#include "session/decide.h"

#include <stdio.h>

#include "session/again.h"
#include "session/dates.h"
#include "session/fault.h"
#include "session/identify.h"
#include "session/sift.h"

#define RULE_SHOWN 300 /* octets of where a rule stands */

static bool is_fetched(const struct message *message)
{
    return message->action == PLAN_FETCH || message->action == PLAN_RETRY ||
           message->action == PLAN_ALONE;
}

static void count_planned(const struct poll *poll, const struct message *message,
                          enum journal_state known)
{
    struct session_figures *figures = &poll->run->figures;
    bool is_new = poll->rules.switches.only == NULL && known != JOURNAL_DONE &&
                  known != JOURNAL_GONE && known != JOURNAL_HELD && known != JOURNAL_LEFT &&
                  known != JOURNAL_TAKEN;
    if (is_fetched(message)) {
        figures->planned++;
        figures->octets_planned += message->size;
        figures->fresh += known != JOURNAL_DONE;
    } else {
        figures->seen += known == JOURNAL_DONE || known == JOURNAL_GONE || known == JOURNAL_LEFT;
        bool large = known == JOURNAL_HELD &&
                     journal_record(poll->journal, message->entry).reason == REASON_TOO_LONG;
        figures->too_large += large;
        figures->held += known == JOURNAL_HELD && !large;
        figures->left += is_new && !record_is_here(known) && message->action == PLAN_LEAVE &&
                         !journal_entry(poll->journal, message->entry).tried;
    }
}

/* Held because it came empty: such a message is looked at when others come. */
static bool is_held_empty(const struct poll *poll, uint32_t entry)
{
    enum reason reason = journal_record(poll->journal, entry).reason;
    return reason == REASON_ALL_EMPTY || reason == REASON_EMPTY;
}

/* Held, and to be tried again: its time has come, or the limit has changed. If LIST did not tell
 * how long it is, it is longer than the limit of then. others: there are others to be fetched. */
static bool is_worth_a_try(const struct poll *poll, const struct message *message, bool others)
{
    uint64_t max = poll->run->account->max_size, then = 0;
    struct record record = journal_record(poll->journal, message->entry);
    if (others && (record.reason == REASON_ALL_EMPTY ||
                   (record.reason == REASON_EMPTY && fault_is_a_day_old(poll, record.words))))
        return true;
    if (record.reason == REASON_TOO_LONG)
        return max == 0 || message->size <= max;
    if (record.reason != REASON_SURPRISE)
        return again_is_due(record.next_try, poll->rules.now);
    (void)str_number(record.words, UINT64_MAX, &then);
    return max == 0 || (then != 0 && max > then);
}

/* Has it failed by breaking connections, or putting them out of step? */
static bool breaks_connections(const struct poll *poll, uint32_t entry)
{
    enum reason reason = journal_record(poll->journal, entry).reason;
    return reason == REASON_BROKEN_LINE || reason == REASON_OUT_OF_STEP || reason == REASON_NO_END;
}

/* What a rule left, or gave a stub of, is judged anew when that is due. */
static enum journal_state state_of(const struct poll *poll, const struct message *message,
                                   enum journal_state state, bool others)
{
    if (state == JOURNAL_HELD && is_worth_a_try(poll, message, others))
        return breaks_connections(poll, message->entry) ? JOURNAL_DOUBTED : JOURNAL_FAILED;
    if (state == JOURNAL_FREE)
        return state;
    struct journal_entry entry = journal_entry(poll->journal, message->entry);
    return sift_is_by_rule(&entry) && !sift_is_settled(poll, message->entry) ? JOURNAL_FREE : state;
}

/* It was delivered as a stub, then the whole was asked for, and that run did not get it. */
static bool is_whole_owed(const struct poll *poll, const struct message *message)
{
    return journal_entry(poll->journal, message->entry).state == JOURNAL_FAILED &&
           journal_record(poll->journal, message->entry).reason == REASON_WHOLE;
}

/* What a rule spares (session/sift.h) counts for no limit. */
static bool is_spared(const struct poll *poll, const struct listing *listing,
                      struct message *message)
{
    enum rule_action action = (enum rule_action)sift_verdict(poll, listing, message).action;
    if (action == RULE_FETCH || (action == RULE_STUB && is_whole_owed(poll, message)))
        return false;
    bool tried = journal_entry(poll->journal, message->entry).tried;
    message->action = action == RULE_STUB && !tried ? PLAN_STUB : PLAN_LEAVE;
    return true;
}

bool decide_is_newest(const struct poll *poll, const struct listing *listing,
                      const struct message *message)
{
    uint32_t behind = listing->count - (uint32_t)(message - listing->messages);
    return behind <= poll->run->account->keep_newest && !poll->rules.switches.flush;
}

/* Has it to be fetched to be known? Of those that nothing can be told of, no more than there are
 * delivered ones that are not found in the listing. */
static bool is_unsure(const struct message *message, struct plan_spent *spent)
{
    bool nameless = message->entry == JOURNAL_NONE && message->vague && spent->copies > 0;
    spent->copies -= nameless;
    return message->compare || nameless;
}

static void decide(struct poll *poll, struct listing *listing, struct message *message, bool count,
                   struct plan_spent *spent)
{
    struct plan_message known =
        plan_look_up(&poll->rules, poll->journal, message->entry, message->size);
    enum journal_state state = known.known =
        state_of(poll, message, known.known, spent->messages > 0);
    if (is_spared(poll, listing, message)) {
        if (count)
            count_planned(poll, message, JOURNAL_LEFT);
        return;
    }
    message->compare = message->compare &&
                       (state == JOURNAL_DONE || state == JOURNAL_GONE || record_is_here(state));
    if (message->compare) /* its UIDL is known, but does it have it still? */
        known.known = JOURNAL_FREE;
    known.unsure = is_unsure(message, spent);
    message->action = plan_decide(&poll->rules, &known, spent);
    if (message->compare && message->action == PLAN_REFUSE)
        message->action = PLAN_LEAVE;
    if ((message->action == PLAN_DELETE || message->action == PLAN_DUE) &&
        decide_is_newest(poll, listing, message))
        message->action = PLAN_LEAVE;
    known.known = state;
    if (!message->compare)
        dates_note_due(poll->journal, &poll->rules, message, &known);
    /* What was told as a failure in this poll is not asked for again on its next connection. */
    if (message->action != PLAN_DELETE && fault_was_told(poll, message))
        message->action = PLAN_LEAVE;
    const char *only = poll->rules.switches.only;
    if (only != NULL)
        message->action = str_is(listing_uidl(listing, message), only) && !record_is_here(state) &&
                                  state != JOURNAL_TAKEN
                              ? PLAN_FETCH
                              : PLAN_LEAVE;
    if (count)
        count_planned(poll, message, known.known);
}

/* max_messages and max_bytes count those first that did not fail before. */
static int turn_of(const struct poll *poll, const struct message *message)
{
    unsigned state = journal_entry(poll->journal, message->entry).state;
    bool empty = state == JOURNAL_HELD && is_held_empty(poll, message->entry);
    return state == JOURNAL_DOUBTED ? 2 : state == JOURNAL_FAILED || empty ? 1 : 0;
}

/* Delivered ones that are not found in the listing so far. */
static uint32_t count_unlisted(const struct poll *poll)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < journal_count(poll->journal) && plan_is_limited(&poll->rules); id++)
        count += journal_entry(poll->journal, id).listed == 0 &&
                 identify_is_delivered(poll->journal, id);
    return count;
}

static void decide_each(struct poll *poll, struct listing *listing, bool count, uint32_t ahead)
{
    struct plan_spent spent = {.messages = poll->fetched,
                               .octets = poll->octets,
                               .ahead = ahead,
                               .copies = count_unlisted(poll)};
    bool more = true; /* messages of a later turn */
    for (int turn = 0; turn < 3 && more; turn++) {
        more = false;
        for (uint32_t i = 0; i < listing->count; i++) {
            int own = turn_of(poll, &listing->messages[i]);
            more = more || own > turn;
            if (own == turn)
                decide(poll, listing, &listing->messages[i], count, &spent);
        }
    }
}

/* What is spared makes room for others below max_messages and max_bytes. As many of those as
 * were spared before are looked at with the rest, so that the rounds are few. */
static int sift(struct poll *poll, struct pop3 *pop3, struct listing *listing, struct queue *dele,
                struct err *err)
{
    uint32_t spared, ahead = 0;
    do {
        decide_each(poll, listing, false, ahead);
        if (sift_listing(poll, pop3, listing, &spared, err) < 0)
            return -1;
        ahead += spared;
    } while (spared > 0);
    return sift_conclude(poll, pop3, listing, dele, err);
}

int decide_all(struct poll *poll, struct pop3 *pop3, struct listing *listing, bool count,
               struct queue *dele, struct err *err)
{
    if (sift_open(poll, listing) && sift(poll, pop3, listing, dele, err) < 0)
        return -1;
    decide_each(poll, listing, count, 0);
    return 0;
}

void decide_whole(struct poll *poll, struct listing *listing)
{
    struct plan_spent spent = {.messages = poll->fetched, .octets = poll->octets};
    for (uint32_t i = 0; i < listing->count; i++)
        if (is_fetched(&listing->messages[i]))
            plan_spend(&spent, listing->messages[i].size);
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        if (message->action != PLAN_STUB ||
            sift_verdict(poll, listing, message).action != RULE_FETCH)
            continue;
        decide(poll, listing, message, false, &spent);
        if (message->action == PLAN_REFUSE)
            fault_leave_large(poll, listing, message);
    }
}

uint32_t decide_count_busy(const struct listing *listing)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < listing->count; i++)
        busy += listing->messages[i].action != PLAN_LEAVE;
    return busy;
}

void decide_owe_again(struct poll *poll, struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        if (message->action != PLAN_FETCH || message->entry == JOURNAL_NONE || message->compare)
            continue;
        struct journal_entry entry = journal_entry(poll->journal, message->entry);
        enum reason reason = !sift_is_by_rule(&entry)      ? REASON_ASKED_AGAIN
                             : entry.state == JOURNAL_LEFT ? REASON_RULES_SAY
                                                           : REASON_WHOLE;
        if (entry.state == JOURNAL_LEFT || entry.state == JOURNAL_DONE ||
            entry.state == JOURNAL_GONE)
            journal_put_off(poll->journal, message->entry,
                            &(struct journal_failure){.reason = reason});
        if (entry.state == JOURNAL_LEFT) /* it may be to be deleted: see session/sift.h */
            journal_find_due(poll->journal, message->entry, entry.due);
    }
}

void decide_refuse_long_ones(struct poll *poll, struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == PLAN_REFUSE)
            fault_leave_large(poll, listing, &listing->messages[i]);
}

/* " (rc:12)": the rule that says so; "" if none does. */
static const char *rule_of(const struct poll *poll, struct verdict verdict, char *out, size_t cap)
{
    const struct rules *rules = &poll->run->account->rules;
    out[0] = '\0';
    if (verdict.filtered)
        snprintf(out, cap, " (filter_command)");
    else if (verdict.rule < rules->count)
        snprintf(out, cap, " (%s:%u)", rules->at[verdict.rule].file, rules->at[verdict.rule].line);
    return out;
}

static const char *what_becomes_of(const struct message *message, struct verdict verdict)
{
    static const char *const words[] = {[PLAN_LEAVE] = "would stay on the server",
                                        [PLAN_FETCH] = "would be fetched",
                                        [PLAN_RETRY] = "would be tried again",
                                        [PLAN_ALONE] = "would be tried again, alone",
                                        [PLAN_DELETE] = "would be deleted, if it is still the same",
                                        [PLAN_DUE] = "would be deleted by a poll on another day",
                                        [PLAN_REFUSE] = "too large, would stay on the server",
                                        [PLAN_STUB] = "its beginning would be fetched"};
    return verdict.action == RULE_DELETE ? "would be deleted, unfetched"
                                         : words[verdict.due ? PLAN_DUE : message->action];
}

void decide_tell(struct poll *poll, const struct listing *listing)
{
    char name[LOG_QUOTE_MAX + 40], line[sizeof name + RULE_SHOWN + 100], by[RULE_SHOWN];
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        struct verdict verdict = sift_verdict(poll, listing, message);
        poll->run->figures.deleted += message->action == PLAN_DELETE ||
                                      verdict.action == RULE_DELETE ||
                                      (is_fetched(message) && plan_deletes_new(&poll->rules) &&
                                       !decide_is_newest(poll, listing, message));
        if ((message->action == PLAN_LEAVE && verdict.action == RULE_FETCH) ||
            poll->run->answer == NULL)
            continue;
        listing_name(listing, message, poll->run->log, name, sizeof name);
        snprintf(line, sizeof line, "%s, %llu octets: %s%s", name,
                 (unsigned long long)message->size, what_becomes_of(message, verdict),
                 rule_of(poll, verdict, by, sizeof by));
        poll->run->answer(poll->run->ctx, line);
    }
}

static bool is_due_alone(const struct poll *poll, uint32_t id)
{
    return journal_entry(poll->journal, id).state == JOURNAL_HELD && breaks_connections(poll, id) &&
           again_is_due(journal_record(poll->journal, id).next_try, poll->rules.now);
}

uint32_t decide_count_doubted(const struct poll *poll)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < journal_count(poll->journal); id++) {
        struct journal_entry entry = journal_entry(poll->journal, id);
        if (entry.listed != 0 && !entry.tried)
            count += entry.state == JOURNAL_DOUBTED || is_due_alone(poll, id);
    }
    return count;
}
