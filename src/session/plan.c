/* SPDX-License-Identifier: ISC */
#include "session/plan.h"

#include "base/clock.h"
#include "state/calendar.h"

void plan_spend(struct plan_spent *spent, uint64_t size)
{
    spent->messages++;
    spent->octets += size < UINT64_MAX - spent->octets ? size : UINT64_MAX - spent->octets;
}

/* What is longer than max_bytes alone must come at some time: it is the next run's first. */
bool plan_has_room(const struct account *account, uint64_t size, struct plan_spent *spent)
{
    uint64_t most = account->max_bytes;
    if (account->max_messages != 0 && spent->messages >= account->max_messages)
        return false;
    spent->full = spent->full || (most != 0 && spent->messages > 0 &&
                                  (spent->octets >= most || size > most - spent->octets));
    return !spent->full;
}

static enum plan_action fetch(const struct plan_rules *rules, const struct plan_message *message,
                              enum plan_action how, struct plan_spent *spent)
{
    if (rules->account->max_size != 0 && message->size > rules->account->max_size)
        return PLAN_REFUSE;
    if (message->unsure)
        return how;
    if (!plan_has_room(rules->account, message->size, spent)) {
        bool ahead = spent->ahead > 0;
        spent->ahead -= ahead;
        return ahead ? how : PLAN_LEAVE;
    }
    plan_spend(spent, message->size);
    return how;
}

bool plan_was_due(const struct plan_rules *rules, int64_t due)
{
    int64_t today = rules->now / CLOCK_DAY;
    return due > 0 && due < today;
}

static bool is_old_enough(const struct plan_rules *rules, const struct plan_message *message)
{
    const struct account *account = rules->account;
    return account->keep == ACCOUNT_KEEP_FOR && !rules->clock_doubted &&
           message->first_seen >= (int64_t)CALENDAR_SET * CLOCK_DAY &&
           rules->now - message->first_seen >= account->keep_seconds;
}

/* Age has to be found twice, on different days: once, the clock may err. */
static enum plan_action delete_by_age(const struct plan_rules *rules,
                                      const struct plan_message *message)
{
    if (!is_old_enough(rules, message))
        return PLAN_LEAVE;
    return plan_was_due(rules, message->due) ? PLAN_DELETE : PLAN_DUE;
}

/* A delivered one. */
static enum plan_action leave_or_delete(const struct plan_rules *rules,
                                        const struct plan_message *message)
{
    if (rules->switches.never_delete)
        return PLAN_LEAVE;
    if (message->policy == JOURNAL_STUB)
        return PLAN_LEAVE;
    if (message->policy == JOURNAL_DELETE || rules->switches.flush)
        return PLAN_DELETE;
    return delete_by_age(rules, message);
}

struct plan_message plan_look_up(const struct plan_rules *rules, const struct journal *journal,
                                 uint32_t id, uint64_t size)
{
    struct plan_message message = {.size = size, .known = JOURNAL_FREE};
    if (id == JOURNAL_NONE)
        return message;
    struct journal_entry entry = journal_entry(journal, id);
    message.known = entry.state;
    message.policy = entry.policy;
    message.due = entry.due;
    if (rules->account->keep == ACCOUNT_KEEP_FOR) /* nobody else asks when */
        message.first_seen = (int64_t)journal_record(journal, id).first_seen;
    return message;
}

enum plan_action plan_decide(const struct plan_rules *rules, const struct plan_message *message,
                             struct plan_spent *spent)
{
    switch (message->known) {
    case JOURNAL_FREE:
        return fetch(rules, message, PLAN_FETCH, spent);
    case JOURNAL_FAILED:
        return fetch(rules, message, PLAN_RETRY, spent);
    case JOURNAL_DOUBTED:
        return fetch(rules, message, PLAN_ALONE, spent);
    case JOURNAL_HELD:
    case JOURNAL_LEFT:
    case JOURNAL_TAKEN: /* it is here, or delivered: recovery looks again */
    case JOURNAL_KEPT:  /* it is here */
    case JOURNAL_REFUSED:
        return PLAN_LEAVE;
    case JOURNAL_GONE: /* it was deleted, and is back */
        if (rules->switches.fetch_seen)
            return fetch(rules, message, PLAN_FETCH, spent);
        if (rules->switches.never_delete)
            return PLAN_LEAVE;
        return rules->switches.flush || plan_deletes_new(rules) ? PLAN_DELETE
                                                                : delete_by_age(rules, message);
    case JOURNAL_DONE:
        break;
    }
    if (rules->switches.fetch_seen)
        return fetch(rules, message, PLAN_FETCH, spent);
    return leave_or_delete(rules, message);
}

bool plan_is_limited(const struct plan_rules *rules)
{
    return rules->account->max_messages != 0 || rules->account->max_bytes != 0;
}

bool plan_keeps_new(const struct plan_rules *rules)
{
    const struct account *account = rules->account;
    return account->keep == ACCOUNT_KEEP ||
           (account->keep == ACCOUNT_KEEP_FOR && account->keep_seconds > 0);
}

bool plan_deletes_new(const struct plan_rules *rules)
{
    return !rules->switches.never_delete && !plan_keeps_new(rules);
}
