#include "session/blame.h"

#include <stdio.h>

#include "base/clock.h"

#define NAME_SHOWN (LOG_QUOTE_MAX + 40)
#define WHY_SHOWN (ERR_TEXT_MAX + 64)
#define HELD_HINT "it is held after so many tries; --retry UIDL releases it"
#define LEFT_HINT "it stays on the server"

uint32_t blame_entry(struct fetch_job *job, struct listing *listing, struct message *message)
{
    struct journal_subject subject = listing_subject(listing, message);
    if (message->entry == JOURNAL_NONE) {
        message->entry = journal_add(job->journal, &subject, clock_wall());
        journal_list(job->journal, message->entry);
    }
    return message->entry;
}

/* A message with neither UIDL nor fingerprint could not be found again in the journal. */
static bool can_be_told_again(const struct listing *listing, const struct message *message)
{
    return listing_has_uidl(message) || listing_fingerprint(listing, message) != NULL;
}

/* By an earlier run: it is fetched once more (-a), and stays what it was. */
static bool was_delivered(const struct fetch_job *job, const struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return false;
    unsigned state = journal_entry(job->journal, message->entry).state;
    return state == JOURNAL_DONE || state == JOURNAL_GONE;
}

static void count_failure(struct fetch_job *job, struct listing *listing, struct message *message,
                          const struct journal_failure *failure, bool *held)
{
    uint32_t entry = blame_entry(job, listing, message);
    *held = journal_entry(job->journal, entry).tries + 1 >= job->rules.max_tries;
    journal_mark_tried(job->journal, entry);
    if (*held)
        journal_hold(job->journal, entry, failure);
    else
        journal_fail(job->journal, entry, failure);
}

void blame_refuse(struct fetch_job *job, struct listing *listing, struct message *message,
                  const struct journal_failure *failure)
{
    char name[NAME_SHOWN], why[WHY_SHOWN];
    bool held = false;
    listing_name(listing, message, job->run->log, name, sizeof name);
    job->refused++;
    job->run->figures.failed++;
    if (can_be_told_again(listing, message) && !was_delivered(job, message))
        count_failure(job, listing, message, failure, &held);
    job->run->figures.held += held;
    log_line(job->run->log, FP_LOG_ERROR, "%s: %s; %s", name,
             reason_text(failure->reason, failure->words, why, sizeof why),
             held ? HELD_HINT : LEFT_HINT);
}

void blame_put_off(struct fetch_job *job, struct listing *listing, struct message *message,
                   const struct journal_failure *failure)
{
    char name[NAME_SHOWN], why[WHY_SHOWN];
    listing_name(listing, message, job->run->log, name, sizeof name);
    job->later++;
    job->run->figures.failed++;
    if (can_be_told_again(listing, message) && !was_delivered(job, message)) {
        uint32_t entry = blame_entry(job, listing, message);
        journal_mark_tried(job->journal, entry);
        journal_put_off(job->journal, entry, failure);
    }
    log_line(job->run->log, FP_LOG_ERROR, "%s: %s; the next run tries again", name,
             reason_text(failure->reason, failure->words, why, sizeof why));
}

void blame_fault(struct fetch_job *job, struct listing *listing, uint32_t number,
                 const struct journal_failure *failure)
{
    job->blamed++;
    blame_refuse(job, listing, listing_find(listing, number), failure);
}

void blame_break(struct fetch_job *job, struct listing *listing, uint32_t number,
                 const struct err *why)
{
    struct message *message = listing_find(listing, number);
    char name[NAME_SHOWN];
    struct journal_failure failure = {.reason = why->kind == ERR_FRAMING ? REASON_OUT_OF_STEP
                                                                         : REASON_BROKEN_LINE,
                                      .words = str_from(why->text)};
    job->blamed++;
    if (job->alone || !can_be_told_again(listing, message) || was_delivered(job, message)) {
        blame_refuse(job, listing, message, &failure);
        return;
    }
    listing_name(listing, message, job->run->log, name, sizeof name);
    log_line(job->run->log, FP_LOG_NOTE, "%s: %s", name, why->text);
    journal_doubt(job->journal, blame_entry(job, listing, message), &failure);
}
