#include "session/held.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/words.h"
#include "session/manners.h"
#include "state/journal.h"

static void describe(const struct journal *journal, uint32_t id, const struct log *log, char *out,
                     size_t cap)
{
    struct journal_entry entry = journal_entry(journal, id);
    struct record record = journal_record(journal, id);
    char uidl[LOG_QUOTE_MAX + 4], room[JOURNAL_UIDL_ROOM], date[32], tries[24];
    char words[ERR_TEXT_MAX], text[2 * ERR_TEXT_MAX], shown[LOG_QUOTE_MAX + 4];
    time_t since = (time_t)record.first_seen;
    struct tm tm;
    size_t len = 0;
    if (words_unescape(record.words, words, sizeof words, &len) < 0)
        len = 0;
    reason_text(record.reason, str_of(words, len), text, sizeof text);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M", localtime_r(&since, &tm));
    bool held = entry.state == JOURNAL_HELD, counted = held || entry.tries > 0;
    snprintf(tries, sizeof tries, ", %u %s", entry.tries, entry.tries == 1 ? "try" : "tries");
    snprintf(out, cap, "%s: UIDL %s, first seen %s%s: %s%s", held ? "held" : "failing",
             log_quote(log, journal_uidl(journal, id, room), uidl), date, counted ? tries : "",
             log_quote(log, str_from(text), shown), counted ? "" : "; the next run tries again");
}

int held_list(const struct account *account, const char *state_dir,
              void (*line)(void *ctx, const char *text), void *ctx, struct err *err)
{
    struct journal *journal;
    char text[ERR_TEXT_MAX];
    struct log log = {.level = FP_LOG_ERROR}; /* writes nothing, knows what to blank */
    account_hide(account, &log);
    struct journal_settings settings = {.state_dir = state_dir,
                                        .server = account->server,
                                        .user = account->user,
                                        .mode = JOURNAL_READ};
    if (journal_open(&journal, &settings, err) < 0)
        return -1;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        unsigned state = journal_entry(journal, id).state;
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
                 struct log *log, unsigned *released, struct err *err)
{
    struct journal *journal;
    char room[JOURNAL_UIDL_ROOM];
    struct journal_settings settings = {.state_dir = state_dir,
                                        .server = account->server,
                                        .user = account->user,
                                        .mode = JOURNAL_WRITE,
                                        .durable = account->durable,
                                        .log = log};
    *released = 0;
    if (file_make_folder(state_dir, account->durable, err) < 0 ||
        journal_open(&journal, &settings, err) < 0)
        return -1;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        if (journal_entry(journal, id).state != JOURNAL_HELD ||
            (uidl != NULL && !str_is(journal_uidl(journal, id, room), uidl)))
            continue;
        journal_retry(journal, id);
        ++*released;
    }
    int result = *released > 0 ? journal_sync(journal, err) : 0;
    journal_close(journal);
    return result;
}
