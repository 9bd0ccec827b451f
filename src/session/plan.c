#include "session/plan.h"

#define CLOCK_SET 1767225600 /* 2026-01-01 */

static enum plan_action fetch(const struct plan_rules *rules, const struct plan_message *message,
                              enum plan_action how, uint32_t *fetched)
{
    if (rules->max_size != 0 && message->size > rules->max_size)
        return PLAN_REFUSE;
    if (rules->max_messages != 0 && *fetched >= rules->max_messages)
        return PLAN_LEAVE;
    ++*fetched;
    return how;
}

static bool is_due(const struct plan_rules *rules, const struct plan_message *message)
{
    if (rules->never_delete)
        return false;
    if (!message->keep || rules->flush)
        return true;
    /* A date from before there was a fetchpop comes from a clock that was not set. */
    return rules->keep == PLAN_KEEP_FOR && message->first_seen >= CLOCK_SET &&
           rules->now - message->first_seen >= rules->keep_seconds;
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
        return !rules->never_delete && (rules->flush || plan_deletes_new(rules)) ? PLAN_DELETE
                                                                                 : PLAN_LEAVE;
    case JOURNAL_DONE:
        break;
    }
    if (rules->fetch_seen)
        return fetch(rules, message, PLAN_FETCH, fetched);
    return is_due(rules, message) ? PLAN_DELETE : PLAN_LEAVE;
}

bool plan_deletes_new(const struct plan_rules *rules)
{
    if (rules->never_delete)
        return false;
    return rules->keep == PLAN_NOKEEP || (rules->keep == PLAN_KEEP_FOR && rules->keep_seconds == 0);
}
