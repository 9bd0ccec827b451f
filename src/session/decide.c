#include "session/decide.h"

#include <stdio.h>

#include "session/again.h"
#include "session/dates.h"
#include "session/fault.h"

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
                  known != JOURNAL_GONE && known != JOURNAL_HELD;
    if (is_fetched(message)) {
        figures->planned++;
        figures->octets_planned += message->size;
        figures->fresh += known != JOURNAL_DONE;
    } else {
        figures->seen += known == JOURNAL_DONE || known == JOURNAL_GONE;
        bool large = known == JOURNAL_HELD &&
                     journal_record(poll->journal, message->entry).reason == REASON_TOO_LONG;
        figures->too_large += large;
        figures->held += known == JOURNAL_HELD && !large;
        figures->left +=
            is_new && !record_is_here(known) && message->action == PLAN_LEAVE &&
            (message->entry == JOURNAL_NONE || !journal_entry(poll->journal, message->entry).tried);
    }
}

/* Held, and to be tried again: its time has come, or the limit has changed. If LIST did not tell
 * how long it is, it is longer than the limit of then. */
static bool is_worth_a_try(const struct poll *poll, const struct message *message)
{
    uint64_t max = poll->run->account->max_size, then = 0;
    struct record record = journal_record(poll->journal, message->entry);
    if (record.reason == REASON_TOO_LONG)
        return max == 0 || message->size <= max;
    if (record.reason != REASON_SURPRISE)
        return again_is_due(record.next_try, poll->rules.now);
    (void)str_number(record.words, UINT64_MAX, &then);
    return max == 0 || (then != 0 && max > then);
}

bool decide_broke_the_line(const struct poll *poll, uint32_t entry)
{
    enum reason reason = journal_record(poll->journal, entry).reason;
    return reason == REASON_BROKEN_LINE || reason == REASON_OUT_OF_STEP || reason == REASON_NO_END;
}

static void decide(struct poll *poll, struct listing *listing, struct message *message, bool count,
                   struct plan_spent *spent)
{
    struct plan_message known =
        plan_look_up(&poll->rules, poll->journal, message->entry, message->size);
    enum journal_state state = known.known;
    if (known.known == JOURNAL_HELD && is_worth_a_try(poll, message))
        state = known.known =
            decide_broke_the_line(poll, message->entry) ? JOURNAL_DOUBTED : JOURNAL_FAILED;
    message->compare = message->compare && (state == JOURNAL_DONE || state == JOURNAL_GONE);
    if (message->compare) /* its UIDL is known, but does it have it still? */
        known.known = JOURNAL_FREE;
    message->action = plan_decide(&poll->rules, &known, spent);
    if (message->compare && message->action == PLAN_REFUSE)
        message->action = PLAN_LEAVE;
    known.known = state;
    if (!message->compare)
        dates_note_due(poll->journal, &poll->rules, message, &known);
    /* What was told as a failure in this poll is not asked for again on its next connection. */
    if (message->entry != JOURNAL_NONE && journal_entry(poll->journal, message->entry).tried &&
        message->action != PLAN_DELETE)
        message->action = PLAN_LEAVE;
    const char *only = poll->rules.switches.only;
    if (only != NULL)
        message->action = str_is(listing_uidl(listing, message), only) && !record_is_here(state)
                              ? PLAN_FETCH
                              : PLAN_LEAVE;
    if (count)
        count_planned(poll, message, known.known);
}

/* max_messages and max_bytes count those first that did not fail before. */
static int turn_of(const struct poll *poll, const struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return 0;
    unsigned state = journal_entry(poll->journal, message->entry).state;
    return state == JOURNAL_DOUBTED ? 2 : state == JOURNAL_FAILED ? 1 : 0;
}

void decide_all(struct poll *poll, struct listing *listing, bool count)
{
    const struct session_figures *figures = &poll->run->figures; /* of earlier connections, too */
    struct plan_spent spent = {.messages = figures->fetched, .octets = figures->octets};
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
        if (message->action == PLAN_FETCH && message->entry != JOURNAL_NONE && !message->compare &&
            journal_entry(poll->journal, message->entry).state == JOURNAL_DONE)
            journal_put_off(poll->journal, message->entry,
                            &(struct journal_failure){.reason = REASON_ASKED_AGAIN});
    }
}

void decide_refuse_long_ones(struct poll *poll, struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == PLAN_REFUSE)
            fault_leave_large(poll, listing, &listing->messages[i]);
}

void decide_tell(struct poll *poll, const struct listing *listing)
{
    static const char *const words[] = {[PLAN_FETCH] = "would be fetched",
                                        [PLAN_RETRY] = "would be tried again",
                                        [PLAN_ALONE] = "would be tried again, alone",
                                        [PLAN_DELETE] = "would be deleted, if it is still the same",
                                        [PLAN_DUE] = "would be deleted by a poll on another day",
                                        [PLAN_REFUSE] = "too large, would stay on the server"};
    char name[LOG_QUOTE_MAX + 40];
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct message *message = &listing->messages[i];
        poll->run->figures.deleted += message->action == PLAN_DELETE ||
                                      (is_fetched(message) && plan_deletes_new(&poll->rules));
        if (message->action == PLAN_LEAVE || poll->run->answer == NULL)
            continue;
        char line[sizeof name + 100];
        listing_name(listing, message, poll->run->log, name, sizeof name);
        snprintf(line, sizeof line, "%s, %llu octets: %s", name, (unsigned long long)message->size,
                 words[message->action]);
        poll->run->answer(poll->run->ctx, line);
    }
}

static bool is_due_alone(const struct poll *poll, uint32_t id)
{
    return journal_entry(poll->journal, id).state == JOURNAL_HELD &&
           decide_broke_the_line(poll, id) &&
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
