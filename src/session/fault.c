#include "session/fault.h"

#include <stdio.h>

#define NAME_SHOWN (LOG_QUOTE_MAX + 40)
#define HELD_HINT "it is held after so many tries; --retry UIDL releases it"
#define LEFT_HINT "it stays on the server"

/* A message with neither UIDL nor fingerprint could not be found again in the journal. */
static bool can_be_found_again(const struct listing *listing, const struct message *message)
{
    return listing_has_uidl(message) || listing_print(listing, message) != NULL;
}

/* By an earlier run: it is fetched once more (-a), and stays what it was. */
static bool was_delivered(const struct poll *poll, const struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return false;
    unsigned state = journal_entry(poll->journal, message->entry)->state;
    return state == JOURNAL_DONE || state == JOURNAL_GONE;
}

static void count_failure(struct poll *poll, struct listing *listing, struct message *message,
                          const char *why, bool *held)
{
    uint32_t entry = listing_enter(listing, message);
    *held = journal_entry(poll->journal, entry)->tries + 1u >= poll->run->account->max_tries;
    journal_mark_tried(poll->journal, entry);
    if (*held)
        journal_hold(poll->journal, entry, why);
    else
        journal_fail(poll->journal, entry, why);
}

void fault_refuse(struct poll *poll, struct listing *listing, struct message *message,
                  const char *why)
{
    char name[NAME_SHOWN];
    bool held = false;
    listing_name(listing, message, poll->run->log, name, sizeof name);
    poll->refused++;
    poll->run->figures.failed++;
    if (can_be_found_again(listing, message) && !was_delivered(poll, message))
        count_failure(poll, listing, message, why, &held);
    poll->run->figures.held += held;
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; %s", name, why, held ? HELD_HINT : LEFT_HINT);
}

void fault_put_off(struct poll *poll, struct listing *listing, struct message *message,
                   const char *why)
{
    char name[NAME_SHOWN];
    listing_name(listing, message, poll->run->log, name, sizeof name);
    poll->later++;
    poll->run->figures.failed++;
    if (can_be_found_again(listing, message) && !was_delivered(poll, message)) {
        uint32_t entry = listing_enter(listing, message);
        journal_mark_tried(poll->journal, entry);
        journal_put_off(poll->journal, entry, why);
    }
    log_line(poll->run->log, FP_LOG_ERROR, "%s: %s; the next run tries again", name, why);
}

void fault_break(struct poll *poll, struct listing *listing, struct message *message,
                 const char *why)
{
    char name[NAME_SHOWN];
    if (poll->alone || !can_be_found_again(listing, message) || was_delivered(poll, message)) {
        fault_refuse(poll, listing, message, why);
        return;
    }
    listing_name(listing, message, poll->run->log, name, sizeof name);
    log_line(poll->run->log, FP_LOG_NOTE, "%s: %s", name, why);
    journal_doubt(poll->journal, listing_enter(listing, message), why);
}
