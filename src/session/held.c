/* SPDX-License-Identifier: ISC */
#include "session/held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/words.h"
#include "delivery/keep.h"
#include "session/kept.h"
#include "session/manners.h"
#include "session/statedir.h"
#include "state/journal.h"
#include "state/mailbox.h"

static const char *word_of(enum journal_state state)
{
    switch (state) {
    case JOURNAL_HELD:
    case JOURNAL_REFUSED:
        return "held";
    case JOURNAL_KEPT:
        return "kept";
    default:
        return "failing";
    }
}

/* ", in PATH" if it is in a file. */
static void spell_path(const struct journal *journal, uint32_t id, const char *state_dir, char *out,
                       size_t cap)
{
    char room[JOURNAL_FILE_MAX];
    uint64_t octets;
    out[0] = '\0';
    if (!record_is_here(journal_entry(journal, id).state) ||
        journal_file(journal, id, room, &octets).len == 0)
        return;
    char *path;
    int result = keep_path(state_dir, room, &path, &octets, NULL);
    snprintf(out, cap, ", in %s",
             result == 0  ? path
             : result > 0 ? "a file that is gone"
                          : "a file that cannot be looked at");
    free(path);
}

static void describe(const struct journal *journal, uint32_t id, const char *state_dir,
                     const struct log *log, char *out, size_t cap)
{
    char path[ERR_TEXT_MAX];
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
    bool held = entry.state == JOURNAL_HELD || entry.state == JOURNAL_REFUSED;
    bool counted = held || entry.tries > 0;
    spell_path(journal, id, state_dir, path, sizeof path);
    snprintf(tries, sizeof tries, ", %u %s", entry.tries, entry.tries == 1 ? "try" : "tries");
    snprintf(out, cap, "%s: UIDL %s, first seen %s%s: %s%s%s", word_of(entry.state),
             log_quote(log, journal_uidl(journal, id, room), uidl), date, counted ? tries : "",
             log_quote(log, str_from(text), shown), path,
             counted ? "" : "; the next run tries again");
}

struct unnamed {
    const char *state_dir;
    const struct held_listener *listener; /* NULL: they are only counted */
    unsigned count;
};

static void on_unnamed(void *ctx, const char *name, uint64_t octets)
{
    struct unnamed *unnamed = ctx;
    char text[ERR_TEXT_MAX], *path = NULL;
    unnamed->count++;
    if (unnamed->listener == NULL || keep_path(unnamed->state_dir, name, &path, &octets, NULL) != 0)
        return;
    snprintf(text, sizeof text,
             "kept: %llu octets in %s, which the journal does not name; the "
             "next run delivers it",
             (unsigned long long)octets, path);
    unnamed->listener->line(unnamed->listener->ctx, text);
    free(path);
}

/* What recovery would enter: the journal is new, damaged, or an older copy. */
static unsigned find_unnamed(const struct account *account, const char *state_dir,
                             const struct journal *journal, const struct held_listener *listener)
{
    char mailbox[MAILBOX_ID + 1];
    struct unnamed unnamed = {.state_dir = state_dir, .listener = listener};
    const struct keep_finder finder = {
        .found = on_unnamed, .ctx = &unnamed, .all = journal_has_gaps(journal)};
    struct spool_list kept;
    struct err ignored;
    mailbox_id(account->server, account->user, mailbox);
    kept_list(journal, &kept);
    const struct deliver_settings settings = {
        .state_dir = state_dir, .mailbox = mailbox, .keeps = &kept};
    (void)keep_find_unnamed(&settings, &finder, &ignored);
    kept_free_list(&kept);
    return unnamed.count;
}

static void list(const struct account *account, const char *state_dir,
                 const struct journal *journal, const struct held_listener *listener)
{
    char text[ERR_TEXT_MAX];
    struct log log = {.level = FP_LOG_ERROR}; /* writes nothing, knows what to blank */
    account_hide(account, &log);
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        unsigned state = journal_entry(journal, id).state;
        /* What the server does not list any more is not missed. */
        bool gone = journal_entry(journal, id).absent != 0 && !record_is_here(state);
        if (state == JOURNAL_FREE || state == JOURNAL_LEFT || state >= JOURNAL_TAKEN || gone)
            continue;
        describe(journal, id, state_dir, &log, text, sizeof text);
        listener->line(listener->ctx, text);
    }
}

int held_list(const struct account *account, const char *state_dir,
              const struct held_listener *listener, struct err *err)
{
    struct journal *journal;
    struct condition condition;
    int64_t now = clock_wall();
    if (statedir_journal(&journal, account, state_dir, JOURNAL_READ, NULL, err) < 0)
        return -1;
    struct note *note = note_load(state_dir, account->server, account->user, NOTE_READ, now);
    condition_find(&condition, journal, note, now);
    condition.spooled += find_unnamed(account, state_dir, journal, NULL);
    listener->condition(listener->ctx, &condition);
    if (listener->line != NULL) {
        list(account, state_dir, journal, listener);
        (void)find_unnamed(account, state_dir, journal, listener);
        manners_status(note, now, listener->line, listener->ctx);
    }
    note_free(note);
    journal_close(journal);
    return 0;
}

int held_release(const struct account *account, const char *state_dir, const char *uidl,
                 struct log *log, struct held_released *released, struct err *err)
{
    struct journal *journal;
    char room[JOURNAL_UIDL_ROOM];
    *released = (struct held_released){.count = 0};
    if (statedir_journal(&journal, account, state_dir, JOURNAL_WRITE, log, err) < 0)
        return -1;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        enum journal_state state = journal_entry(journal, id).state;
        if ((state != JOURNAL_HELD && !record_is_here(state)) ||
            (uidl != NULL && !str_is(journal_uidl(journal, id, room), uidl)))
            continue;
        journal_retry(journal, id);
        released->count++;
    }
    released->unnamed = find_unnamed(account, state_dir, journal, NULL);
    int result = released->count > 0 ? journal_sync(journal, err) : 0;
    journal_close(journal);
    return result;
}
