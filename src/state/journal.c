/* SPDX-License-Identifier: ISC */
#include "state/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "state/lines.h"
#include "state/lock.h"
#include "state/mailbox.h"
#include "state/replay.h"

#define NAME_SHOWN 1024 /* octets of server and user in the head */
#define MEND_MANY 10000 /* dates are written at once */

struct journal {
    uint64_t right_since; /* first day on which a clock that was ahead was right; 0: unknown */
    struct lock lock;     /* none in JOURNAL_READ */
    struct lines *lines;
    struct replay replay;
    char *head;
    char id[MAILBOX_ID + 1];
    uint64_t synced; /* lines that there were then */
    bool gaps;
    uint32_t looked; /* how often a UIDL was looked at, in the text */
};

/* ---- opening and closing ---- */

static void make_head(struct journal *journal, const char *server, const char *user,
                      const char *account)
{
    char words[2][WORDS_ESCAPED_MAX(NAME_SHOWN)];
    words_escape(str_of(server, strnlen(server, NAME_SHOWN)), words[0], sizeof words[0]);
    words_escape(str_of(user, strnlen(user, NAME_SHOWN)), words[1], sizeof words[1]);
    journal->head = xasprintf("%s %s%s%s", words[0], words[1], account != NULL ? " " : "",
                              account != NULL ? account : "");
    mailbox_id(server, user, journal->id);
}

static int compact(struct journal *journal, struct err *err)
{
    bool is_new = journal->replay.is_new;
    if (replay_compact(&journal->replay, err) < 0)
        return -1;
    journal->replay.is_new = is_new;
    journal->synced = journal->replay.count;
    return 0;
}

static int load(struct journal *journal, struct err *err)
{
    struct replay *replay = &journal->replay;
    replay->lines = journal->lines;
    if (replay_load(replay, err) < 0)
        return -1;
    journal->gaps = replay->is_new || replay->damaged > 0;
    if (!replay->write)
        return 0;
    if (!journal->gaps && compact(journal, err) < 0)
        return -1;
    /* An older fetchpop must notice that there are lines of this version. */
    if (replay->is_new || replay->old > 0)
        replay_add_head(replay);
    return 0;
}

int journal_open(struct journal **out, const struct journal_settings *settings, struct err *err)
{
    struct journal *journal = xcalloc(1, sizeof *journal);
    char *stem = settings->stem != NULL ? xstrdup(settings->stem)
                                        : mailbox_stem(settings->server, settings->user);
    char *path = xasprintf("%s/%s.journal", settings->state_dir, stem);
    bool write = settings->mode == JOURNAL_WRITE;
    journal->lock.fd = -1;
    make_head(journal, settings->server, settings->user, settings->account);
    journal->replay = (struct replay){.head = journal->head,
                                      .id = journal->id,
                                      .log = settings->log,
                                      .write = write,
                                      .durable = settings->durable};
    int result = 0;
    if (write)
        result = lock_take(&journal->lock, xasprintf("%s/%s.lock", settings->state_dir, stem), err);
    if (result == 0)
        result = lines_open(&journal->lines, path, write ? LINES_WRITE : LINES_READ,
                            settings->durable, err);
    if (result == 0)
        result = load(journal, err);
    free(path);
    free(stem);
    if (result < 0) {
        journal_close(journal);
        return -1;
    }
    *out = journal;
    return 0;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->replay.table != NULL && !stop_asked() && !journal->gaps &&
        !lock_is_lost(&journal->lock))
        replay_close(&journal->replay);
    replay_free(&journal->replay);
    lines_close(journal->lines);
    lock_drop(&journal->lock);
    free(journal->head);
    free(journal);
}

bool journal_is_new(const struct journal *journal)
{
    return journal->replay.is_new;
}

/* Nothing is known of it but its file (journal_find_file), whose name has the id that the mailbox
 * has, or had. */
static bool is_of_file(const struct journal *journal, uint32_t id)
{
    char room[JOURNAL_UIDL_ROOM], former[MAILBOX_ID + 1];
    struct str uidl = journal_uidl(journal, id, room);
    return str_contains_nocase(uidl, journal->id) ||
           (journal_was_renamed(journal, former) && str_contains_nocase(uidl, former));
}

bool journal_was_listed(const struct journal *journal)
{
    uint32_t id = 0, count = journal_count(journal);
    while (id < count && is_of_file(journal, id))
        id++;
    return journal->replay.calendar.days > 0 || id < count;
}

bool journal_has_gaps(const struct journal *journal)
{
    return journal->gaps;
}

int journal_close_gaps(struct journal *journal, struct err *err)
{
    if (!journal->gaps)
        return 0;
    journal->gaps = false;
    return journal_sync(journal, err) < 0 ? -1 : compact(journal, err);
}

bool journal_was_renamed(const struct journal *journal, char id[MAILBOX_ID + 1])
{
    bool renamed = journal->replay.former != NULL;
    if (renamed)
        replay_read_id(str_from(journal->replay.former), id);
    return renamed;
}

void journal_confirm_name(struct journal *journal)
{
    free(journal->replay.former);
    journal->replay.former = NULL;
    replay_add_head(&journal->replay);
}

/* ---- looking ---- */

uint32_t journal_count(const struct journal *journal)
{
    return table_count(journal->replay.table);
}

struct journal_entry journal_entry(const struct journal *journal, uint32_t id)
{
    return id != JOURNAL_NONE ? *table_entry(journal->replay.table, id)
                              : (struct journal_entry){.state = JOURNAL_FREE};
}

struct record journal_record(const struct journal *journal, uint32_t id)
{
    return table_record(journal->replay.table, id);
}

uint64_t journal_size(const struct journal *journal, uint32_t id)
{
    return table_size(journal->replay.table, id);
}

char *journal_receipt(const struct journal *journal, uint32_t id)
{
    struct record record = journal_record(journal, id);
    if (record.old)
        return xmemdup0(record.words.ptr, record.words.len);
    return places_join(&journal->replay.places, record.place, record.words);
}

struct str journal_file(const struct journal *journal, uint32_t id, char room[JOURNAL_FILE_MAX],
                        uint64_t *octets)
{
    struct record record = journal_record(journal, id);
    size_t len = 0;
    *octets = record.octets;
    if (record.file.len == 0 || words_unescape(record.file, room, JOURNAL_FILE_MAX - 1, &len) < 0)
        len = 0;
    room[len] = '\0';
    return str_of(room, len);
}

struct str journal_uidl(const struct journal *journal, uint32_t id, char room[JOURNAL_UIDL_ROOM])
{
    return table_uidl(journal->replay.table, id, room);
}

/* A listing looks at all of them, and the text is long. */
static void look(struct journal *journal)
{
    if (++journal->looked % LINES_STRETCH == 0)
        lines_release(journal->lines);
}

uint32_t journal_find(struct journal *journal, struct str uidl, uint32_t guess)
{
    look(journal);
    return table_find(journal->replay.table, uidl, guess);
}

uint32_t journal_next(const struct journal *journal, uint32_t id)
{
    return table_next(journal->replay.table, id);
}

bool journal_refers(const struct journal *journal, uint32_t id, struct str uidl,
                    struct uidl_ref *ref)
{
    return table_refers(journal->replay.table, id, uidl, ref);
}

struct str journal_uidl_at(const struct journal *journal, struct uidl_ref ref)
{
    return table_uidl_at(journal->replay.table, ref);
}

void journal_reread(struct journal *journal)
{
    lines_remap(journal->lines);
}

const struct visit *journal_places(const struct journal *journal, size_t *count)
{
    *count = journal->replay.visits.count;
    return journal->replay.visits.at;
}

uint64_t journal_place_day(const struct journal *journal, struct str place)
{
    return visits_day(&journal->replay.visits, place);
}

/* ---- what happens to messages ---- */

void journal_mark_tried(struct journal *journal, uint32_t id)
{
    table_entry(journal->replay.table, id)->tried = true;
}

void journal_list(struct journal *journal, uint32_t id)
{
    struct journal_entry *entry = table_entry(journal->replay.table, id);
    if (entry->listed < 2)
        entry->listed++;
    look(journal);
}

void journal_unlist(struct journal *journal, uint32_t id)
{
    table_entry(journal->replay.table, id)->listed = 0;
}

void journal_expect(struct journal *journal, uint32_t more)
{
    if (more > 0)
        table_expect(journal->replay.table, more);
}

/* From now on this line says what is known of the entry; but `done` will want that soon after a
 * `take`, so there it stays in memory. */
static void note(struct journal *journal, const struct record *record)
{
    uint64_t at = replay_add(&journal->replay, record);
    if (at != 0 && record->verb != RECORD_TAKE)
        table_refer(journal->replay.table, record->id, record, at);
}

/* One line more of the same state, with what is known better. In the states that rules and failures
 * bring about, a line ends what was due. */
static void note_again(struct journal *journal, const struct record *record)
{
    struct journal_entry entry = *table_entry(journal->replay.table, record->id);
    uint32_t id = record->id;
    note(journal, record);
    if (entry.due != 0 && entry.state != JOURNAL_DONE && entry.state != JOURNAL_GONE)
        note(journal, &(struct record){.verb = RECORD_DUE, .id = id, .number = entry.due});
}

uint32_t journal_add(struct journal *journal, const struct journal_subject *subject, int64_t now)
{
    char uidl[WORDS_ESCAPED_MAX(RECORD_UIDL_MAX)], fingerprint[RECORD_FINGERPRINT + 1];
    struct record record = {.verb = RECORD_GONE, .size = subject->size};
    record.first_seen = now < 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint64_t)now;
    record.fingerprint = record_write_fingerprint(&subject->fingerprint, fingerprint);
    if (subject->uidl.len <= RECORD_UIDL_MAX)
        record.uidl = str_of(uidl, words_escape(subject->uidl, uidl, sizeof uidl));
    return table_add(journal->replay.table, &record);
}

void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject)
{
    char uidl[WORDS_ESCAPED_MAX(RECORD_UIDL_MAX)], fingerprint[RECORD_FINGERPRINT + 1];
    struct table *table = journal->replay.table;
    unsigned state = table_entry(table, id)->state;
    if (state == JOURNAL_TAKEN) /* its line has the receipt: it is not written twice */
        return;
    struct record record = table_record(table, id);
    record.size = subject->size;
    if (subject->fingerprint.known)
        record.fingerprint = record_write_fingerprint(&subject->fingerprint, fingerprint);
    /* A UIDL that the server leaves out today may be listed again tomorrow. */
    if (subject->uidl.len > 0 && subject->uidl.len <= RECORD_UIDL_MAX)
        record.uidl = str_of(uidl, words_escape(subject->uidl, uidl, sizeof uidl));
    table_change(table, id, &record);
    if (state == JOURNAL_FREE)
        return;
    record = journal_record(journal, id);
    note_again(journal, &record);
}

void journal_take(struct journal *journal, uint32_t id, enum journal_policy policy,
                  struct str receipt)
{
    struct record record = journal_record(journal, id);
    table_take(journal->replay.table, id, policy);
    record.policy = policy;
    record.verb = RECORD_TAKE;
    record.words = receipt;
    record.place = 0; /* see replay_add */
    note(journal, &record);
}

void journal_drop(struct journal *journal, uint32_t id)
{
    struct journal_entry *entry = table_entry(journal->replay.table, id);
    entry->state = entry->before;
    note(journal, &(struct record){.verb = RECORD_DROP, .id = id});
}

static void deliver(struct journal *journal, uint32_t id, enum journal_state state)
{
    struct record record = journal_record(journal, id);
    table_entry(journal->replay.table, id)->state = state;
    record.verb = record_verb(state);
    note(journal, &record);
}

void journal_done(struct journal *journal, uint32_t id)
{
    deliver(journal, id, JOURNAL_DONE);
}

void journal_gone(struct journal *journal, uint32_t id)
{
    deliver(journal, id, JOURNAL_GONE);
}

void journal_adopt(struct journal *journal, uint32_t id)
{
    table_entry(journal->replay.table, id)->policy = JOURNAL_KEEP;
    deliver(journal, id, JOURNAL_DONE);
}

/* What is in a file stays there; file: in which it is now. */
static void fail(struct journal *journal, uint32_t id, enum journal_state state, bool count,
                 const struct journal_file *file, const struct journal_failure *failure)
{
    char words[WORDS_ESCAPED_MAX(ERR_TEXT_MAX)], name[WORDS_ESCAPED_MAX(JOURNAL_FILE_MAX)];
    struct record record = journal_record(journal, id);
    struct journal_entry *entry = table_entry(journal->replay.table, id);
    size_t len = failure->words.len < ERR_TEXT_MAX ? failure->words.len : ERR_TEXT_MAX;
    entry->tries += count && entry->tries < UINT16_MAX;
    entry->due = 0;
    /* What a connection broke over is asked for alone, whatever happens to it later. */
    entry->state =
        state == JOURNAL_FAILED && entry->state == JOURNAL_DOUBTED ? JOURNAL_DOUBTED : state;
    record.verb = record_verb(entry->state);
    record.number = entry->tries;
    record.reason = failure->reason;
    if (file != NULL && file->name.len > 0) {
        record.file = str_of(name, words_escape(file->name, name, sizeof name));
        record.octets = file->octets;
    }
    record.next_try = failure->next_try < UINT32_MAX ? failure->next_try : UINT32_MAX;
    record.words =
        str_of(words, words_escape(str_of(failure->words.ptr, len), words, sizeof words));
    note(journal, &record);
}

void journal_fail(struct journal *journal, uint32_t id, const struct journal_failure *failure)
{
    fail(journal, id, JOURNAL_FAILED, true, NULL, failure);
}

void journal_hold(struct journal *journal, uint32_t id, const struct journal_failure *failure)
{
    fail(journal, id, JOURNAL_HELD, true, NULL, failure);
}

void journal_keep(struct journal *journal, uint32_t id, enum journal_state state, bool count,
                  const struct journal_file *file, const struct journal_failure *failure)
{
    fail(journal, id, state, count, file, failure);
}

/* The line of a `take` is said once more, too. */
void journal_rename_file(struct journal *journal, uint32_t id, struct str name)
{
    char file[WORDS_ESCAPED_MAX(JOURNAL_FILE_MAX)];
    struct record record = journal_record(journal, id);
    record.file = str_of(file, words_escape(name, file, sizeof file));
    note_again(journal, &record);
}

/* Nobody knows its UIDL; the name of its file is as good a name. */
void journal_find_file(struct journal *journal, const struct journal_file *file, int64_t now)
{
    const struct journal_subject subject = {.uidl = file->name, .size = file->octets};
    const struct journal_failure failure = {.reason = REASON_WAITING};
    if (journal_find(journal, file->name, JOURNAL_NONE) != JOURNAL_NONE)
        return;
    uint32_t id = journal_add(journal, &subject, now);
    journal_keep(journal, id, JOURNAL_KEPT, false, file, &failure);
}

void journal_put_off(struct journal *journal, uint32_t id, const struct journal_failure *failure)
{
    fail(journal, id, JOURNAL_FAILED, false, NULL, failure);
}

void journal_leave(struct journal *journal, uint32_t id, int64_t until)
{
    fail(journal, id, JOURNAL_LEFT, false, NULL,
         &(struct journal_failure){.reason = REASON_RULE,
                                   .next_try = until > 0 ? (uint64_t)until : 0});
}

void journal_doubt(struct journal *journal, uint32_t id, const struct journal_failure *failure)
{
    fail(journal, id, JOURNAL_DOUBTED, false, NULL, failure);
}

void journal_retry(struct journal *journal, uint32_t id)
{
    struct journal_entry *entry = table_entry(journal->replay.table, id);
    enum journal_state state = record_is_here(entry->state) ? entry->state : JOURNAL_FAILED;
    entry->tries = 0;
    fail(journal, id, state, false, NULL, &(struct journal_failure){.reason = REASON_RELEASED});
}

enum calendar_look journal_look_at_clock(struct journal *journal, int64_t now, int64_t *last_day)
{
    struct calendar *calendar = &journal->replay.calendar, before = *calendar;
    *last_day = (int64_t)before.last_day;
    enum calendar_look look = calendar_look(calendar, now > 0 ? (uint64_t)now / CLOCK_DAY : 0);
    if (calendar->last_day != before.last_day)
        note(journal, &(struct record){.verb = RECORD_DAY,
                                       .number = calendar->days,
                                       .date = calendar->last_day});
    if (calendar->behind != before.behind)
        note(journal, &(struct record){.verb = RECORD_CLOCK, .date = calendar->behind});
    if (look == CALENDAR_TAKEN_BACK)
        journal->right_since = before.behind * CLOCK_DAY;
    return look;
}

static bool is_true_date(uint64_t first_seen, uint64_t now)
{
    return first_seen >= (uint64_t)CALENDAR_SET * CLOCK_DAY && first_seen <= now + CLOCK_DAY;
}

int journal_mend_dates(struct journal *journal, int64_t now, struct err *err)
{
    struct replay *replay = &journal->replay;
    uint64_t today = now < 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint64_t)now;
    if (replay->latest == 0 ||
        (is_true_date(replay->oldest, today) && is_true_date(replay->latest, today)))
        return 0;
    for (uint32_t id = 0, mended = 0; id < table_count(replay->table); id++) {
        unsigned state = table_entry(replay->table, id)->state;
        if (state == JOURNAL_FREE || state == JOURNAL_TAKEN)
            continue;
        struct record record = journal_record(journal, id);
        if (is_true_date(record.first_seen, today))
            continue;
        bool ahead = record.first_seen > today && journal->right_since != 0;
        record.first_seen = ahead ? journal->right_since : today;
        note_again(journal, &record);
        if (++mended % MEND_MANY == 0 && journal_sync(journal, err) < 0)
            return -1;
    }
    replay->oldest = replay->latest = today;
    return 0;
}

bool journal_has_vanished(const struct journal *journal, uint32_t id)
{
    struct journal_entry entry = journal_entry(journal, id);
    return entry.state != JOURNAL_FREE && entry.state != JOURNAL_GONE && entry.listed == 0 &&
           (entry.absent == 0 || entry.absent == (uint16_t)journal->replay.calendar.days);
}

bool journal_count_day(struct journal *journal, int64_t day)
{
    struct calendar *calendar = &journal->replay.calendar;
    bool first = calendar_listed(calendar, day > 0 ? (uint64_t)day : 0);
    if (first)
        note(journal, &(struct record){.verb = RECORD_DAY,
                                       .number = calendar->days,
                                       .date = calendar->last_day});
    return first;
}

void journal_count_missing(struct journal *journal, bool all)
{
    struct replay *replay = &journal->replay;
    for (uint32_t id = 0; id < table_count(replay->table); id++) {
        struct journal_entry *entry = table_entry(replay->table, id);
        if (entry->listed != 0 && entry->absent != 0) {
            entry->absent = 0;
            note(journal, &(struct record){.verb = RECORD_BACK, .id = id});
        } else if (all && entry->listed == 0 && entry->absent == 0 &&
                   entry->state != JOURNAL_FREE) {
            entry->absent = (uint16_t)replay->calendar.days;
            note(journal, &(struct record){.verb = RECORD_MISS, .id = id, .number = entry->absent});
        }
    }
}

void journal_find_due(struct journal *journal, uint32_t id, int64_t day)
{
    struct journal_entry *entry = table_entry(journal->replay.table, id);
    if (entry->due == (uint16_t)day)
        return;
    entry->due = (uint16_t)day;
    note(journal, &(struct record){.verb = RECORD_DUE, .id = id, .number = entry->due});
}

void journal_set_place(struct journal *journal, struct str place, uint64_t day)
{
    uint64_t before = journal_place_day(journal, place);
    if (visits_has(&journal->replay.visits, place) && (day == 0 || day == before))
        return;
    day = day == 0 ? before : day;
    visits_add(&journal->replay.visits, place, day);
    note(journal, &(struct record){.verb = RECORD_SWEEP, .date = day, .words = place});
}

const char *journal_rules(const struct journal *journal)
{
    return journal->replay.rules;
}

void journal_set_rules(struct journal *journal, const char *digest)
{
    char *rules = journal->replay.rules;
    if (strcmp(rules, digest) == 0)
        return;
    snprintf(rules, sizeof journal->replay.rules, "%s", digest);
    note(journal, &(struct record){.verb = RECORD_RULES, .words = str_from(digest)});
}

/* ---- the disk ---- */

bool journal_is_dirty(const struct journal *journal)
{
    return lines_is_dirty(journal->lines);
}

int journal_sync(struct journal *journal, struct err *err)
{
    const struct replay *replay = &journal->replay;
    bool has_news = journal->lock.fd >= 0 && replay->count != journal->synced;
    if (has_news && (lock_is_lost(&journal->lock) || lock_show_progress(&journal->lock) < 0))
        return err_set(err, ERR_LOCKED,
                       "%s was removed or taken over during this run, and another may have begun; "
                       "this one ends",
                       journal->lock.path);
    int result = replay_sync(&journal->replay, err);
    journal->synced = replay->count;
    return result;
}

int journal_flush(struct journal *journal, struct err *err)
{
    return lines_flush(journal->lines, err);
}
