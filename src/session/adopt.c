/* SPDX-License-Identifier: ISC */
#include "session/adopt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/maildate.h"
#include "session/fingerprints.h"
#include "session/queue.h"
#include "session/run.h"
#include "session/statedir.h"
#include "state/journal.h"

/* --- from a list ------------------------------------------------------------------------------ */

int adopt_begin(struct adoption *adoption, const struct account *account, const char *state_dir,
                struct log *log, struct err *err)
{
    *adoption = (struct adoption){.now = clock_wall()};
    return statedir_journal(&adoption->journal, account, state_dir, JOURNAL_WRITE, log, err);
}

void adopt_uidl(struct adoption *adoption, struct str uidl, int64_t when)
{
    const struct journal_subject subject = {.uidl = uidl};
    if (journal_find(adoption->journal, uidl, 0) != JOURNAL_NONE) {
        adoption->known++;
        return;
    }
    bool usable = when > 0 && when < adoption->now;
    uint32_t id = journal_add(adoption->journal, &subject, usable ? when : adoption->now);
    journal_adopt(adoption->journal, id);
    adoption->taken++;
}

int adopt_end(struct adoption *adoption, struct err *err)
{
    int result = journal_sync(adoption->journal, err);
    journal_close(adoption->journal);
    return result;
}

/* --- what the server says of it --------------------------------------------------------------- */

struct asking {
    struct listing *listing;
    int64_t since;
    struct queue late; /* messages that are as young as that */
};

/* Learnt from TOP, as what it is compared with later will be. */
static void learn(void *ctx, uint32_t number, const struct fingerprint *fingerprint)
{
    struct listing *listing = ((struct asking *)ctx)->listing;
    struct message *message = listing_find(listing, number);
    if (fingerprint->known)
        listing_set_fingerprint(listing, message, fingerprint);
    if (message->entry != JOURNAL_NONE) {
        struct journal_subject subject = listing_subject(listing, message);
        journal_learn(listing->journal, message->entry, &subject);
    }
}

static void look_at_date(void *ctx, uint32_t number, struct str date)
{
    struct asking *asking = ctx;
    int64_t when;
    if (maildate_read(date, &when) < 0 || when >= asking->since)
        queue_push(&asking->late, number);
}

/* Nothing is known of it but its UIDL. */
static bool is_bare(const struct listing *listing, const struct message *message)
{
    if (journal_entry(listing->journal, message->entry).state != JOURNAL_DONE ||
        journal_size(listing->journal, message->entry) != 0)
        return false;
    struct record record = journal_record(listing->journal, message->entry);
    return !record_fingerprint(&record).known;
}

static int ask(struct asking *asking, struct pop3 *pop3, const struct queue *numbers, bool dates,
               struct err *err)
{
    const struct fingerprints asked = {.pop3 = pop3,
                                       .habits = asking->listing->habits,
                                       .numbers = numbers->at,
                                       .count = numbers->count,
                                       .fingerprint = learn,
                                       .date = dates ? look_at_date : NULL,
                                       .ctx = asking};
    return fingerprints_run(&asked, err);
}

int adopt_learn(struct listing *listing, struct pop3 *pop3, struct err *err)
{
    struct asking asking = {.listing = listing};
    struct queue bare = {NULL, 0, 0};
    for (uint32_t i = 0; i < listing->count; i++)
        if (is_bare(listing, &listing->messages[i]))
            queue_push(&bare, listing->messages[i].number);
    int result = ask(&asking, pop3, &bare, false, err);
    free(bare.at);
    return result;
}

/* --- from the listing ------------------------------------------------------------------------- */

static bool is_fetched(const struct listing *listing, const struct message *message)
{
    if (message->compare)
        return false;
    unsigned state = journal_entry(listing->journal, message->entry).state;
    return state == JOURNAL_DONE || state == JOURNAL_GONE || state == JOURNAL_TAKEN ||
           record_is_here(state);
}

/* Without a UIDL it is its header that tells it. */
static void adopt(struct listing *listing, struct message *message)
{
    if (!listing_has_uidl(message) && listing_fingerprint(listing, message) == NULL)
        return;
    message->compare = false;
    journal_adopt(listing->journal, listing_enter(listing, message));
}

static uint32_t count_left(const struct listing *listing)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count; i++)
        count += !is_fetched(listing, &listing->messages[i]);
    return count;
}

static void answer(const struct session_run *run, uint32_t before, uint32_t left)
{
    char line[120];
    snprintf(line, sizeof line, "%u marked as fetched, %u left to be fetched",
             (unsigned)(before - left), (unsigned)left);
    if (run->answer != NULL)
        run->answer(run->ctx, line);
}

int adopt_listing(struct poll *poll, struct listing *listing, struct pop3 *pop3,
                  const struct adopt_but *but, struct err *err)
{
    struct asking asking = {.listing = listing, .since = but->since};
    struct queue wanted = {NULL, 0, 0};
    uint32_t before = count_left(listing);
    for (uint32_t i = 0; i + but->newest < listing->count; i++)
        if (!is_fetched(listing, &listing->messages[i]))
            queue_push(&wanted, listing->messages[i].number);
    int result = ask(&asking, pop3, &wanted, but->since != 0, err);
    for (uint32_t i = 0; i < wanted.count && result == 0; i++)
        if (queue_has_next(&asking.late) && asking.late.at[asking.late.next] == wanted.at[i])
            asking.late.next++; /* in the same order */
        else
            adopt(listing, listing_find(listing, wanted.at[i]));
    if (result == 0)
        answer(poll->run, before, count_left(listing));
    free(wanted.at);
    free(asking.late.at);
    return result;
}
