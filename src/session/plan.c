#include "session/plan.h"

#define CLOCK_SET 1767225600 /* 2026-01-01 */

static enum plan_action fetch(const struct plan_rules *rules, const struct plan_message *message,
                              enum plan_action how, uint32_t *fetched)
{
    const struct account *account = rules->account;
    if (account->max_size != 0 && message->size > account->max_size)
        return PLAN_REFUSE;
    if (account->max_messages != 0 && *fetched >= account->max_messages)
        return PLAN_LEAVE;
    ++*fetched;
    return how;
}

static bool is_due(const struct plan_rules *rules, const struct plan_message *message)
{
    const struct account *account = rules->account;
    if (rules->switches.never_delete)
        return false;
    if (!message->keep || rules->switches.flush)
        return true;
    /* A date from before there was a fetchpop comes from a clock that was not set. */
    return account->keep == ACCOUNT_KEEP_FOR && message->first_seen >= CLOCK_SET &&
           rules->now - message->first_seen >= account->keep_seconds;
}

struct plan_message plan_look_up(const struct plan_rules *rules, const struct journal *journal,
                                 uint32_t id, uint64_t size)
{
    struct plan_message message = {.size = size, .known = JOURNAL_FREE};
    if (id == JOURNAL_NONE)
        return message;
    struct journal_entry entry = journal_entry(journal, id);
    message.known = entry.state;
    message.keep = entry.keep;
    if (rules->account->keep == ACCOUNT_KEEP_FOR) /* nobody else asks when */
        message.first_seen = (int64_t)journal_record(journal, id).first_seen;
    return message;
}

enum plan_action plan_decide(const struct plan_rules *rules, const struct plan_message *message,
                             uint32_t *fetched)
{
    switch (message->known) {
    case JOURNAL_FREE:
    case JOURNAL_TAKEN: /* recovery leaves none; if one is there, it was not delivered */
        return fetch(rules, message, PLAN_FETCH, fetched);
    case JOURNAL_FAILED:
        return fetch(rules, message, PLAN_RETRY, fetched);
    case JOURNAL_DOUBTED:
        return fetch(rules, message, PLAN_ALONE, fetched);
    case JOURNAL_HELD:
        return PLAN_LEAVE;
    case JOURNAL_GONE: /* it was deleted, and is back */
        return !rules->switches.never_delete && (rules->switches.flush || plan_deletes_new(rules))
                   ? PLAN_DELETE
                   : PLAN_LEAVE;
    case JOURNAL_DONE:
        break;
    }
    if (rules->switches.fetch_seen)
        return fetch(rules, message, PLAN_FETCH, fetched);
    return is_due(rules, message) ? PLAN_DELETE : PLAN_LEAVE;
}

bool plan_deletes_new(const struct plan_rules *rules)
{
    const struct account *account = rules->account;
    if (rules->switches.never_delete)
        return false;
    return account->keep == ACCOUNT_NOKEEP ||
           (account->keep == ACCOUNT_KEEP_FOR && account->keep_seconds == 0);
}
