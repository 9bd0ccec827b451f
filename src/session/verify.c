/* SPDX-License-Identifier: ISC */
#include "session/verify.h"

#include <stdlib.h>

#include "session/fingerprints.h"
#include "session/match.h"
#include "state/mailbox.h"

struct verifying {
    struct poll *poll;
    struct listing *listing;
    struct queue *verified;
};

static void verify_one(void *ctx, uint32_t number, const struct fingerprint *fingerprint)
{
    const struct verifying *verifying = ctx;
    struct listing *listing = verifying->listing;
    const struct journal *journal = verifying->poll->journal;
    struct message *message = listing_find(listing, number);
    struct record record = journal_record(journal, message->entry);
    unsigned state = journal_entry(journal, message->entry).state;
    uint64_t max = verifying->poll->run->account->max_size;
    enum fingerprints_verdict verdict = match_compare(listing, message, fingerprint);
    bool came = state != JOURNAL_LEFT && state != JOURNAL_HELD;
    bool same =
        verdict == FINGERPRINTS_SAME && !(came && match_is_touched(listing, message, fingerprint));
    if ((came && !record_fingerprint(&record).known) || same) {
        if (message->action == PLAN_DELETE)
            queue_push(verifying->verified, number);
        return;
    }
    if (fingerprint->known)
        listing_set_fingerprint(listing, message, fingerprint);
    if (!came) { /* of another mailbox, perhaps */
        if (verdict != FINGERPRINTS_ALIKE)
            match_doubt(listing, message);
        return;
    }
    message->compare = true;
    message->action = max != 0 && message->size > max ? PLAN_LEAVE : PLAN_FETCH;
}

/* By the journal alone: an earlier run fetched it, and it is left where it is. */
static bool is_known(const struct journal *journal, const struct message *message)
{
    if (message->action != PLAN_LEAVE && message->action != PLAN_DUE)
        return false;
    unsigned state = journal_entry(journal, message->entry).state;
    return state == JOURNAL_DONE || state == JOURNAL_GONE || state == JOURNAL_HELD ||
           state == JOURNAL_LEFT || record_is_here(state);
}

int verify_deletions(struct poll *poll, struct pop3 *pop3, struct listing *listing,
                     struct queue *verified, struct err *err)
{
    char former[MAILBOX_ID + 1];
    struct queue delivered = {NULL, 0, 0};
    struct verifying verifying = {poll, listing, verified};
    bool renamed = journal_was_renamed(poll->journal, former);
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == PLAN_DELETE ||
            (renamed && is_known(poll->journal, &listing->messages[i])))
            queue_push(&delivered, listing->messages[i].number);
    const struct fingerprints asked = {.pop3 = pop3,
                                       .habits = &poll->habits,
                                       .numbers = delivered.at,
                                       .count = delivered.count,
                                       .fingerprint = verify_one,
                                       .ctx = &verifying};
    int result = fingerprints_run(&asked, err);
    free(delivered.at);
    if (result == 0 && renamed)
        journal_confirm_name(poll->journal);
    return result;
}
