/* SPDX-License-Identifier: ISC */
#include "state/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"

#define COMPACT_LINES 64 /* a shorter journal is left as it is */
#define LINE_SHORT 64    /* few entries have a shorter line */
#define PLACES_MANY 64   /* of which only those of open takes are needed */
#define CHUNK (64 * 1024)

void replay_free(struct replay *replay)
{
    if (replay->table != NULL)
        table_free(replay->table);
    places_free(&replay->places);
    visits_free(&replay->visits);
    buf_free(&replay->line);
    free(replay->former);
    *replay = (struct replay){.lines = replay->lines,
                              .head = replay->head,
                              .id = replay->id,
                              .log = replay->log,
                              .write = replay->write,
                              .durable = replay->durable};
}

/* ---- in ---- */

/* Counts a first_seen for oldest and latest. */
static void see_date(struct replay *replay, uint64_t first_seen)
{
    if (replay->latest == 0 || first_seen < replay->oldest)
        replay->oldest = first_seen;
    if (first_seen >= replay->latest)
        replay->latest = first_seen + (first_seen == 0);
}

static void apply_state(struct table *table, const struct record *record)
{
    struct journal_entry *entry = table_entry(table, record->id);
    enum journal_state state = record_state(record->verb);
    if (state == JOURNAL_TAKEN) {
        table_take(table, record->id, record->policy);
        return;
    }
    if (state != JOURNAL_DONE)
        entry->due = 0;
    entry->state = state;
    if (state == JOURNAL_DONE)
        entry->policy = record->policy;
    else if (state != JOURNAL_GONE)
        entry->tries = record->number > UINT16_MAX ? UINT16_MAX : (unsigned)record->number;
}

void replay_read_id(struct str head, char id[MAILBOX_ID + 1])
{
    char *server = words_text(str_word(&head)), *user = words_text(str_word(&head));
    id[0] = '\0';
    if (server != NULL && user != NULL)
        mailbox_id(server, user, id);
    free(server);
    free(user);
}

/* The last one counts; compaction puts it first again. */
static void apply_head(struct replay *replay, struct str words)
{
    char id[MAILBOX_ID + 1];
    replay_read_id(words, id);
    free(replay->former);
    replay->former = NULL;
    if (id[0] != '\0' && replay->id != NULL && strcmp(id, replay->id) != 0)
        replay->former = xmemdup0(words.ptr, words.len);
    replay->stale_head =
        replay->count > 1 || (replay->former == NULL && !str_is(words, replay->head));
}

static void drop(struct journal_entry *entry)
{
    if (entry->state == JOURNAL_TAKEN)
        entry->state = entry->before;
}

/* -1: it says nothing that makes sense. */
static int apply(struct replay *replay, const struct record *record, const char *text)
{
    char identity[LINES_IDENTITY];
    switch (record->verb) {
    case RECORD_HEAD:
        apply_head(replay, record->words);
        break;
    case RECORD_PLACE:
        return places_set(&replay->places, record->number, record->words);
    case RECORD_SWEEP:
        visits_add(&replay->visits, record->words, record->date);
        break;
    case RECORD_NAMES:
        lines_identity(replay->lines, identity);
        if (!str_is(record->words, identity))
            break;
        replay->named = true;
        lines_trust_names(replay->lines);
        break;
    case RECORD_DAY:
        replay->calendar.days = (uint32_t)record->number;
        replay->calendar.last_day = record->date;
        break;
    case RECORD_CLOCK:
        replay->calendar.behind = record->date;
        break;
    case RECORD_RULES:
        snprintf(replay->rules, sizeof replay->rules, "%.*s", (int)record->words.len,
                 record->words.ptr);
        break;
    case RECORD_DUE:
        table_make(replay->table, record->id)->due = (uint16_t)record->number;
        break;
    case RECORD_MISS:
        table_make(replay->table, record->id)->absent = (uint16_t)record->number;
        break;
    case RECORD_BACK:
        table_make(replay->table, record->id)->absent = 0;
        break;
    case RECORD_DROP:
        drop(table_make(replay->table, record->id));
        break;
    default:
        if (record->verb == RECORD_TAKE && !record->old &&
            places_get(&replay->places, record->place) == NULL)
            return -1;
        see_date(replay, record->first_seen);
        table_refer(replay->table, record->id, record, (uint64_t)(record->uidl.ptr - text));
        apply_state(replay->table, record);
        break;
    }
    return 0;
}

static int apply_line(struct replay *replay, struct str line, struct err *err)
{
    struct record record;
    replay->count++;
    if (line.len > RECORD_LINE_MAX || record_read(line, &record) < 0) {
        replay->damaged++;
        return 0;
    }
    if (record.verb == RECORD_HEAD && record.number > RECORD_VERSION)
        return err_set(err, ERR_IO,
                       "%s was written by a newer fetchpop; use that version, or give another "
                       "state_dir",
                       lines_path(replay->lines));
    replay->old += record.old || (record.verb == RECORD_HEAD && record.number < RECORD_VERSION);
    replay->damaged += apply(replay, &record, lines_text(replay->lines).ptr) < 0;
    return 0;
}

static int apply_all(struct replay *replay, struct err *err)
{
    struct str text = lines_text(replay->lines);
    size_t likely = text.len / LINE_SHORT;
    table_expect(replay->table, (uint32_t)(likely < RECORD_ID_MAX ? likely : RECORD_ID_MAX));
    while (text.len > 0) {
        if (apply_line(replay, str_until(&text, '\n'), err) < 0)
            return -1;
        if (replay->count % LINES_STRETCH == 0)
            lines_release(replay->lines);
    }
    return 0;
}

/* No line is ours, and the text is not a torn first line of ours either. */
static bool is_junk(const struct replay *replay)
{
    if (replay->count > 0)
        return replay->count == replay->damaged;
    return lines_size(replay->lines) > strlen(replay->head) + 64;
}

/* It is kept for a person to look at, and the journal starts from nothing. */
static int set_aside(struct replay *replay, struct err *err)
{
    char *aside = xasprintf("%s.bad", lines_path(replay->lines));
    if (replay->write)
        log_line(replay->log, FP_LOG_WARNING,
                 "the journal %s is damaged beyond reading; it is kept as %s, and all on the "
                 "server counts as new",
                 lines_path(replay->lines), aside);
    replay_free(replay);
    replay->table = table_new(replay->lines);
    buf_init(&replay->line, LINES_MAX);
    replay->is_new = true;
    int result = lines_set_aside(replay->lines, aside, err);
    free(aside);
    return result;
}

static int accept(struct replay *replay, struct err *err)
{
    if (replay->damaged > 0)
        log_line(replay->log, FP_LOG_WARNING, "skipped %llu damaged line(s) in %s",
                 (unsigned long long)replay->damaged, lines_path(replay->lines));
    replay->is_new = replay->count == 0;
    replay->loaded = replay->count;
    return lines_cut(replay->lines, err);
}

/* What is in a file of ours is not forgotten, whatever the server shows. */
static bool is_forgotten(const struct replay *replay, const struct journal_entry *entry)
{
    if (entry->state == JOURNAL_TAKEN || record_is_here(entry->state) || entry->absent == 0)
        return entry->state == JOURNAL_FREE;
    return replay->calendar.days >= entry->absent + (uint32_t)REPLAY_FORGET;
}

/* Its lines may stay in the file for long: a short one is never written anew. */
static void forget_absent(struct replay *replay)
{
    for (uint32_t id = 0; id < table_count(replay->table); id++) {
        struct journal_entry *entry = table_entry(replay->table, id);
        if (is_forgotten(replay, entry))
            entry->state = JOURNAL_FREE;
    }
}

int replay_load(struct replay *replay, struct err *err)
{
    replay->table = table_new(replay->lines);
    buf_init(&replay->line, LINES_MAX);
    if (lines_load(replay->lines, err) < 0 || apply_all(replay, err) < 0)
        return -1;
    if ((is_junk(replay) ? set_aside(replay, err) : accept(replay, err)) < 0)
        return -1;
    forget_absent(replay);
    table_index(replay->table);
    return 0;
}

/* ---- out ---- */

/* One line; what is left of a receipt goes behind a number, whose place is told before if it is
 * new. */
static size_t write_record(struct replay *replay, struct record record, struct buf *out)
{
    bool fresh = false;
    if (record.verb == RECORD_TAKE && record.place == 0)
        record.place = places_cut(&replay->places, record.words, &record.words, &fresh);
    if (fresh)
        record_write(&(struct record){.verb = RECORD_PLACE,
                                      .number = record.place,
                                      .words = str_from(places_get(&replay->places, record.place))},
                     out);
    replay->count += fresh;
    replay->count++;
    return record_write(&record, out);
}

static bool must_last(enum record_verb verb)
{
    return verb != RECORD_DAY && verb != RECORD_MISS && verb != RECORD_BACK && verb != RECORD_GONE;
}

uint64_t replay_add(struct replay *replay, const struct record *record)
{
    uint64_t at;
    buf_clear(&replay->line);
    size_t uidl = write_record(replay, *record, &replay->line);
    replay->must_last = replay->must_last || must_last(record->verb);
    return lines_add(replay->lines, buf_str(&replay->line), &at) < 0 || uidl == 0 ? 0 : at + uidl;
}

/* A line about no entry. */
static void write_line(struct replay *replay, enum record_verb verb, uint64_t number,
                       const char *words, struct buf *out)
{
    const struct calendar *calendar = &replay->calendar;
    struct record record = {.verb = verb,
                            .number = number,
                            .date = verb == RECORD_CLOCK ? calendar->behind : calendar->last_day,
                            .words = str_from(words)};
    write_record(replay, record, out);
}

/* These may be lost in a power cut, unless they are gathered with what may not. */
static void add_line(struct replay *replay, enum record_verb verb, uint64_t number,
                     const char *words)
{
    uint64_t ignored;
    buf_clear(&replay->line);
    write_line(replay, verb, number, words, &replay->line);
    (void)lines_add(replay->lines, buf_str(&replay->line), &ignored);
}

/* A name that is not confirmed yet stays the former one. */
void replay_add_head(struct replay *replay)
{
    add_line(replay, RECORD_HEAD, RECORD_VERSION,
             replay->former != NULL ? replay->former : replay->head);
}

static void add_names(struct replay *replay)
{
    char identity[LINES_IDENTITY];
    lines_identity(replay->lines, identity);
    if (identity[0] != '\0')
        add_line(replay, RECORD_NAMES, 0, identity);
    replay->named = true;
}

int replay_sync(struct replay *replay, struct err *err)
{
    if (replay->must_last && replay->durable && !replay->named)
        add_names(replay);
    if (lines_sync(replay->lines, replay->must_last, err) < 0)
        return -1;
    replay->must_last = false;
    return 0;
}

/* What stands before all entries. */
static void write_front(struct replay *replay, struct buf *out)
{
    write_line(replay, RECORD_HEAD, RECORD_VERSION,
               replay->former != NULL ? replay->former : replay->head, out);
    for (size_t i = 0; i < replay->visits.count; i++)
        write_record(replay,
                     (struct record){.verb = RECORD_SWEEP,
                                     .date = replay->visits.at[i].day,
                                     .words = str_from(replay->visits.at[i].place)},
                     out);
    if (replay->calendar.days > 0)
        write_line(replay, RECORD_DAY, replay->calendar.days, NULL, out);
    if (replay->calendar.behind != 0)
        write_line(replay, RECORD_CLOCK, 0, NULL, out);
    if (replay->rules[0] != '\0')
        write_line(replay, RECORD_RULES, 0, replay->rules, out);
}

/* The lines that bring one entry back; a TAKEN one remembers what it was before. Its place gets a
 * number of the new file's. */
static void write_entry(struct replay *replay, uint32_t id, uint32_t as,
                        const struct places *places, struct buf *out)
{
    const struct journal_entry *entry = table_entry(replay->table, id);
    struct record record = table_record(replay->table, id);
    char *receipt = NULL;
    record.id = as;
    if (entry->state == JOURNAL_TAKEN && entry->before != JOURNAL_FREE) {
        struct record before = record;
        before.verb = record_verb(entry->before);
        before.words = str_of("", 0);
        write_record(replay, before, out);
    }
    if (record.place != 0) {
        receipt = places_join(places, record.place, record.words);
        record.words = str_from(receipt);
        record.place = 0;
    }
    write_record(replay, record, out);
    free(receipt);
    if (entry->absent != 0)
        write_record(replay,
                     (struct record){.verb = RECORD_MISS, .id = as, .number = entry->absent}, out);
    if (entry->due != 0)
        write_record(replay, (struct record){.verb = RECORD_DUE, .id = as, .number = entry->due},
                     out);
}

/* As many as write_entry writes: else each run would rewrite what is absent from the server, which
 * with keep = no is everything. */
static unsigned lines_of(const struct replay *replay, const struct journal_entry *entry)
{
    if (is_forgotten(replay, entry))
        return 0;
    return 1 + (entry->state == JOURNAL_TAKEN && entry->before != JOURNAL_FREE) +
           (entry->absent != 0) + (entry->due != 0);
}

static bool is_too_long(const struct replay *replay)
{
    uint64_t needed = 0;
    if (replay->damaged > 0 || replay->old > 0 || replay->stale_head ||
        replay->places.count > PLACES_MANY)
        return true;
    for (uint32_t id = 0; id < table_count(replay->table); id++)
        needed += lines_of(replay, table_entry(replay->table, id));
    return replay->count > COMPACT_LINES && 2 * replay->count > 3 * needed;
}

static int write_anew(struct replay *replay, int fd, const char *path, struct err *err)
{
    struct buf out;
    struct places places = replay->places;
    uint32_t as = 0;
    int result = 0;
    replay->places = (struct places){.count = 0};
    buf_init(&out, CHUNK + 8 * RECORD_LINE_MAX);
    write_front(replay, &out);
    for (uint32_t id = 0; id < table_count(replay->table) && result == 0; id++) {
        if (is_forgotten(replay, table_entry(replay->table, id)))
            continue;
        write_entry(replay, id, as++, &places, &out);
        if (out.len >= CHUNK) {
            result = file_write(fd, out.data, out.len, path, err);
            buf_clear(&out);
        }
        if (id % LINES_STRETCH == LINES_STRETCH - 1)
            lines_release(replay->lines);
    }
    if (result == 0 && out.len > 0)
        result = file_write(fd, out.data, out.len, path, err);
    buf_free(&out);
    places_free(&replay->places);
    replay->places = places;
    if (result == 0 && replay->durable)
        result = file_sync(fd, path, err);
    return result;
}

/* Writes a new file beside the old one, and renames it. */
static int rewrite(struct replay *replay)
{
    struct err why;
    char *path = xasprintf("%s.new", lines_path(replay->lines));
    unlink(path); /* of a run that died here */
    int fd = file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        err_errno(&why, ERR_CREATE, errno, "cannot make %s", path);
    bool replaced = fd >= 0 && write_anew(replay, fd, path, &why) == 0 &&
                    lines_replace(replay->lines, path, fd, &why) == 0;
    if (!replaced) {
        log_line(replay->log, FP_LOG_NOTE, "the journal could not be shortened: %s", why.text);
        if (fd >= 0)
            close(fd);
        unlink(path);
    }
    free(path);
    return replaced ? 0 : -1;
}

int replay_compact(struct replay *replay, struct err *err)
{
    if (replay->is_new || !is_too_long(replay) || rewrite(replay) < 0)
        return 0;
    replay_free(replay); /* every entry has another number in the new file */
    return replay_load(replay, err);
}

/* The receipt of an open take of this run is in its line alone, and no entry leads there. */
static bool has_open_take(const struct replay *replay)
{
    for (uint32_t id = 0; id < table_count(replay->table); id++)
        if (table_entry(replay->table, id)->state == JOURNAL_TAKEN)
            return true;
    return false;
}

void replay_close(struct replay *replay)
{
    struct err ignored; /* then the next run flushes the names */
    if (!replay->write || replay->count - replay->loaded < COMPACT_LINES ||
        !lines_are_whole(replay->lines) || !is_too_long(replay) || has_open_take(replay))
        return;
    lines_remap(replay->lines);
    if (rewrite(replay) < 0 || lines_settle(replay->lines, &ignored) < 0)
        return;
    if (replay->durable)
        add_names(replay);
    (void)lines_sync(replay->lines, false, &ignored);
}
