#include "session/fault.h"

#include <stdio.h>

#define NAME_SHOWN (LOG_QUOTE_MAX + 40)
#define HELD_HINT "it is held after too many tries; --retry UIDL releases it"
#define LEFT_HINT "it stays on the server"

/* Its failures are recorded if the journal can find it again, and if it was not delivered by an
 * earlier run: with -a it is fetched once more, and stays what it was. */
static bool is_recorded(const struct listing *listing, const struct message *message)
{
    unsigned state = JOURNAL_FREE;
    if (message->entry != JOURNAL_NONE)
        state = journal_entry(listing->journal, message->entry)->state;
    return state != JOURNAL_DONE && state != JOURNAL_GONE &&
           (listing_has_uidl(message) || listing_print(listing, message) != NULL);
}

/* True if it is held from now on. */
static bool count_failure(struct poll *poll, struct listing *listing, struct message *message,
                          const char *why)
{
    uint32_t entry = listing_enter(listing, message);
    bool held = journal_entry(poll->journal, entry)->tries + 1u >= poll->run->account->max_tries;
    journal_mark_tried(poll->journal, entry);
    if (held)
        journal_hold(poll->journal, entry, why);
    else
        journal_fail(poll->journal, entry, why);
    return held;
}

void fault_refuse(struct poll *poll, struct listing *listing, struct message *message,
                  const char *why)
{
    char name[NAME_SHOWN];
    listing_name(listing, message, poll->run->log, name, sizeof name);
    poll->refused++;
    poll->run->figures.failed++;
    bool held = is_recorded(listing, message) && count_failure(poll, listing, message, why);
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
    if (is_recorded(listing, message)) {
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
    if (poll->alone || !is_recorded(listing, message)) {
        fault_refuse(poll, listing, message, why);
        return;
    }
    listing_name(listing, message, poll->run->log, name, sizeof name);
    log_line(poll->run->log, FP_LOG_NOTE, "%s: %s", name, why);
    journal_doubt(poll->journal, listing_enter(listing, message), why);
}
