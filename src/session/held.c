#include "session/held.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "session/journal.h"
#include "session/manners.h"

static void describe(const struct journal *journal, uint32_t id, const struct log *log, char *out,
                     size_t cap)
{
    const struct journal_entry *entry = journal_entry(journal, id);
    struct journal_facts facts = journal_facts(journal, id);
    char uidl[LOG_QUOTE_MAX + 4], room[JOURNAL_UIDL_ROOM];
    char reason[ERR_TEXT_MAX], shown[LOG_QUOTE_MAX + 4], date[32], tries[24];
    time_t since = (time_t)facts.first_seen;
    struct tm tm;
    size_t len = 0;
    if (facts.words.len >= sizeof reason ||
        str_unescape(facts.words, reason, sizeof reason, &len) < 0)
        len = 0;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M", localtime_r(&since, &tm));
    bool held = entry->state == JOURNAL_HELD, counted = held || entry->tries > 0;
    snprintf(tries, sizeof tries, ", %u %s", entry->tries, entry->tries == 1 ? "try" : "tries");
    snprintf(out, cap, "%s: UIDL %s, first seen %s%s: %s%s", held ? "held" : "failing",
             log_quote(log, journal_uidl(journal, id, room), uidl), date, counted ? tries : "",
             log_quote(log, str_of(reason, len), shown),
             counted ? "" : "; the next run tries again");
}

int held_list(const struct account *account, const char *state_dir,
              void (*line)(void *ctx, const char *text), void *ctx, struct err *err)
{
    struct journal *journal;
    char text[ERR_TEXT_MAX];
    struct log log = {.level = FP_LOG_ERROR}; /* writes nothing, knows what to blank */
    account_hide(account, &log);
    if (journal_open(&journal, state_dir, account->server, account->user, JOURNAL_READ, false, NULL,
                     err) < 0)
        return -1;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        unsigned state = journal_entry(journal, id)->state;
        if (state != JOURNAL_HELD && state != JOURNAL_FAILED && state != JOURNAL_DOUBTED)
            continue;
        describe(journal, id, &log, text, sizeof text);
        line(ctx, text);
    }
    journal_close(journal);
    manners_status(account, state_dir, clock_wall(), line, ctx);
    return 0;
}

int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 unsigned *released, struct err *err)
{
    struct journal *journal;
    char room[JOURNAL_UIDL_ROOM];
    *released = 0;
    if (file_make_folder(state_dir, account->durable, err) < 0 ||
        journal_open(&journal, state_dir, account->server, account->user, JOURNAL_WRITE,
                     account->durable, NULL, err) < 0)
        return -1;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        if (journal_entry(journal, id)->state != JOURNAL_HELD ||
            (uidl != NULL && !str_is(journal_uidl(journal, id, room), uidl)))
            continue;
        journal_retry(journal, id);
        ++*released;
    }
    int result = *released > 0 ? journal_sync(journal, err) : 0;
    journal_close(journal);
    return result;
}
