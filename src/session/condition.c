/* SPDX-License-Identifier: ISC */
#include "session/condition.h"

#include <stdio.h>

#include "session/statedir.h"

static void count(struct condition *condition, const struct journal *journal)
{
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        struct journal_entry entry = journal_entry(journal, id);
        unsigned state = entry.state;
        condition->spooled += record_is_here(state);
        if (entry.absent != 0) /* what the server does not list any more is not there */
            continue;
        condition->kept += state == JOURNAL_DONE;
        condition->held += state == JOURNAL_HELD;
        condition->left += state == JOURNAL_LEFT;
        condition->failed += state == JOURNAL_FAILED || state == JOURNAL_DOUBTED;
    }
}

static void look_up(struct condition *condition, const struct note *note, int64_t now)
{
    bool well = note->trouble[0] == '\0';
    condition->last_poll = note->touched;
    condition->last_success = well ? note->touched : note->succeeded;
    snprintf(condition->trouble, sizeof condition->trouble, "%s", note->trouble);
    condition->failures = note->failures;
    condition->failing_since = note->failing_since;
    condition->refused = note->refused.secret.known;
    condition->refused_since = condition->refused ? note->refused.when : 0;
    int64_t next = condition->refused && note->refused.next > note->not_before ? note->refused.next
                                                                               : note->not_before;
    condition->next_try = next > now ? next : 0;
}

void condition_find(struct condition *condition, const struct journal *journal,
                    const struct note *note, int64_t now)
{
    *condition = (struct condition){0};
    count(condition, journal);
    look_up(condition, note, now);
}

int condition_read(struct condition *condition, const struct account *account,
                   const char *state_dir, int64_t now, struct err *err)
{
    struct journal *journal;
    struct log log = {.level = FP_LOG_ERROR};
    if (statedir_journal(&journal, account, state_dir, JOURNAL_READ, &log, err) < 0)
        return -1;
    struct note *note = note_load(state_dir, account->server, account->user, NOTE_READ, now);
    condition_find(condition, journal, note, now);
    note_free(note);
    journal_close(journal);
    return 0;
}
