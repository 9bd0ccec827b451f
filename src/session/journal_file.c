/*
 * The journal's file: reading it whole, and writing it anew when it has grown too long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "session/journal_store.h"

#define COMPACT_LINES 64 /* a shorter journal is left as it is */
#define LINE_SHORT 64    /* few entries have a shorter line */
#define CHUNK (64 * 1024)

static void apply_state(struct journal_entry *entry, const struct record *record)
{
    switch (record->verb) {
    case RECORD_TAKE:
        if (entry->state != JOURNAL_TAKEN)
            entry->before = store_before(entry->state);
        entry->state = JOURNAL_TAKEN;
        entry->keep = record->keep;
        break;
    case RECORD_DONE:
        entry->state = JOURNAL_DONE;
        entry->keep = record->keep;
        break;
    case RECORD_GONE:
        entry->state = JOURNAL_GONE;
        break;
    default:
        entry->state = record->verb == RECORD_HELD    ? JOURNAL_HELD
                       : record->verb == RECORD_DOUBT ? JOURNAL_DOUBTED
                                                      : JOURNAL_FAILED;
        entry->tries = record->number > UINT16_MAX ? UINT16_MAX : (unsigned)record->number;
        break;
    }
}

static void drop(struct journal_entry *entry)
{
    if (entry->state == JOURNAL_TAKEN)
        entry->state = entry->before;
}

static void apply(struct journal *journal, const struct record *record)
{
    switch (record->verb) {
    case RECORD_PLACE:
        free(journal->place);
        journal->place = xmemdup0(record->words.ptr, record->words.len);
        break;
    case RECORD_DAY:
        journal->days = (uint32_t)record->number;
        journal->last_day = record->date;
        break;
    case RECORD_MISS:
        store_entry(journal, record->id)->absent = (uint32_t)record->number;
        break;
    case RECORD_BACK:
        store_entry(journal, record->id)->absent = 0;
        break;
    case RECORD_DROP:
        drop(store_entry(journal, record->id));
        break;
    default:
        store_refer(journal, record->id, record, (uint64_t)(record->uidl.ptr - journal->text.ptr));
        apply_state(store_entry(journal, record->id), record);
        break;
    }
}

static int apply_line(struct journal *journal, struct str line, struct err *err)
{
    struct record record;
    journal->lines++;
    if (line.len > JOURNAL_LINE_MAX || record_read(line, &record) < 0) {
        journal->damaged++;
        return 0;
    }
    if (record.verb != RECORD_HEAD)
        apply(journal, &record);
    else if (record.number > JOURNAL_VERSION)
        return err_set(err, ERR_IO,
                       "%s was written by a newer fetchpop; use that version, or give another "
                       "state_dir",
                       journal->path);
    return 0;
}

static int apply_all(struct journal *journal, struct err *err)
{
    const char *end;
    struct str text = journal->text;
    store_reserve(journal, (uint32_t)(text.len / LINE_SHORT < JOURNAL_ID_MAX ? text.len / LINE_SHORT
                                                                             : JOURNAL_ID_MAX));
    while (text.len > 0 && text.ptr[text.len - 1] != '\n')
        text.len--; /* a torn tail says nothing */
    journal->text = text;
    journal->length = text.len;
    while (text.len > 0 && (end = memchr(text.ptr, '\n', text.len)) != NULL) {
        size_t len = (size_t)(end - text.ptr);
        if (apply_line(journal, str_of(text.ptr, len), err) < 0)
            return -1;
        text = str_of(end + 1, text.len - len - 1);
    }
    return 0;
}

/* A torn tail is cut off before anything is appended; a whole file without a line end is no torn
 * first line if it is longer than that line could be. */
static bool is_junk(const struct journal *journal, size_t size)
{
    if (journal->lines > 0)
        return journal->lines == journal->damaged;
    return size > strlen(journal->head) + 64;
}

static int cut_tail(struct journal *journal, size_t size, struct err *err)
{
    if (journal->mode == JOURNAL_READ || journal->length == size)
        return 0;
    if (ftruncate(journal->fd, (off_t)journal->length) < 0)
        return err_errno(err, ERR_IO, errno, "cannot cut the torn end off %s", journal->path);
    return 0;
}

/* Not one line is ours: it is kept for a person to look at, and everything starts anew. */
static int set_aside(struct journal *journal, struct err *err)
{
    char *bad = xasprintf("%s.bad", journal->path);
    int result = 0;
    if (journal->mode == JOURNAL_WRITE) {
        log_line(journal->log, FP_LOG_WARNING,
                 "the journal %s is damaged beyond reading; it is kept as %s, and everything on "
                 "the server counts as new",
                 journal->path, bad);
        close(journal->fd);
        journal->fd = -1;
        if (rename(journal->path, bad) < 0)
            result = err_errno(err, ERR_IO, errno, "cannot move %s aside", journal->path);
        else if ((journal->fd = file_open(journal->path, O_RDWR | O_CREAT, 0600)) < 0)
            result = err_errno(err, ERR_CREATE, errno, "cannot make %s", journal->path);
    }
    free(bad);
    store_clear(journal);
    journal->length = 0;
    return result;
}

/* Mapped, not read: its pages are no memory of ours. Nobody but us shortens a file that we have
 * locked. Without the lock another run may, and then a mapping would end us by SIGBUS. */
static int get_text(struct journal *journal, size_t size, struct err *err)
{
    if (journal->mode == JOURNAL_READ) {
        if (file_read(journal->fd, &journal->copy, journal->path, err) < 0)
            return -1;
        journal->text = buf_str(&journal->copy);
        return 0;
    }
    if (store_map(journal, size) < 0)
        return err_errno(err, ERR_IO, errno, "cannot read %s", journal->path);
    return 0;
}

static int load(struct journal *journal, size_t size, struct err *err)
{
    if (get_text(journal, size, err) < 0 || apply_all(journal, err) < 0)
        return -1;
    if (is_junk(journal, size))
        return set_aside(journal, err);
    if (journal->damaged > 0)
        log_line(journal->log, FP_LOG_WARNING, "%llu damaged line(s) in %s were passed over",
                 (unsigned long long)journal->damaged, journal->path);
    if (journal->length == 0)
        journal->is_new = true;
    return cut_tail(journal, size, err);
}

int store_load(struct journal *journal, struct err *err)
{
    struct stat status;
    journal->length = 0;
    journal->is_new = journal->fd < 0;
    if (journal->fd < 0)
        return 0;
    if (fstat(journal->fd, &status) < 0 || !S_ISREG(status.st_mode))
        return err_set(err, ERR_CREATE, "%s is no file; give another state_dir", journal->path);
    journal->is_new = status.st_size == 0;
    if (!journal->is_new && load(journal, (size_t)status.st_size, err) < 0)
        return -1;
    index_make(journal, 0);
    return 0;
}

static bool is_forgotten(const struct journal *journal, const struct journal_entry *entry)
{
    return entry->state == JOURNAL_FREE || (entry->state != JOURNAL_TAKEN && entry->absent != 0 &&
                                            journal->days >= entry->absent + JOURNAL_FORGET);
}

/* The lines that bring one entry back; a TAKEN one remembers what it was before. */
static void write_entry(struct journal *journal, uint32_t id, uint32_t as, struct buf *out)
{
    const struct journal_entry *entry = &journal->entries[id];
    struct str none = str_of("", 0), words = journal_facts(journal, id).words;
    if (entry->state == JOURNAL_TAKEN && entry->before != JOURNAL_FREE)
        store_write_entry(journal, id, as, store_verb(entry->before), none, out);
    store_write_entry(journal, id, as, store_verb(entry->state), words, out);
    if (entry->absent != 0)
        store_write_entry(journal, id, as, RECORD_MISS, none, out);
}

static void write_head(const struct journal *journal, struct buf *out)
{
    record_write(&(struct record){.verb = RECORD_HEAD,
                                  .number = JOURNAL_VERSION,
                                  .words = str_from(journal->head)},
                 out);
    if (journal->place != NULL)
        record_write(&(struct record){.verb = RECORD_PLACE, .words = str_from(journal->place)},
                     out);
    if (journal->days > 0)
        record_write(&(struct record){.verb = RECORD_DAY,
                                      .number = journal->days,
                                      .date = journal->last_day},
                     out);
}

static int write_anew(struct journal *journal, int fd, const char *path, struct err *err)
{
    struct buf out;
    uint32_t as = 0;
    int result = 0;
    buf_init(&out, CHUNK + 8 * JOURNAL_LINE_MAX);
    write_head(journal, &out);
    for (uint32_t id = 0; id < journal->count && result == 0; id++) {
        if (is_forgotten(journal, &journal->entries[id]))
            continue;
        write_entry(journal, id, as++, &out);
        if (out.len >= CHUNK) {
            result = file_write(fd, out.data, out.len, path, err);
            buf_clear(&out);
        }
    }
    if (result == 0 && out.len > 0)
        result = file_write(fd, out.data, out.len, path, err);
    buf_free(&out);
    if (result == 0 && journal->durable)
        result = file_sync(fd, path, err);
    return result;
}

/* As many as write_entry writes: else what is absent from the server, as all is with keep = no,
 * would be written anew by each run. */
static unsigned lines_of(const struct journal *journal, const struct journal_entry *entry)
{
    if (is_forgotten(journal, entry))
        return 0;
    return 1 + (entry->state == JOURNAL_TAKEN && entry->before != JOURNAL_FREE) +
           (entry->absent != 0);
}

static bool is_too_long(const struct journal *journal)
{
    uint64_t live = 0;
    if (journal->damaged > 0)
        return true;
    for (uint32_t id = 0; id < journal->count; id++)
        live += lines_of(journal, &journal->entries[id]);
    return journal->lines > COMPACT_LINES && 2 * journal->lines > 3 * live;
}

static int replace(struct journal *journal, const char *path, int fd, struct err *err)
{
    if (write_anew(journal, fd, path, err) < 0)
        return -1;
    if (rename(path, journal->path) < 0)
        return err_errno(err, ERR_IO, errno, "cannot rename %s", path);
    close(journal->fd);
    journal->fd = fd;
    return 0;
}

int store_compact(struct journal *journal, struct err *err)
{
    struct err why;
    if (journal->length == 0 || !is_too_long(journal))
        return 0;
    char *path = xasprintf("%s.new", journal->path);
    unlink(path); /* of a run that died here */
    int fd = file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    bool replaced = fd >= 0 && replace(journal, path, fd, &why) == 0;
    if (!replaced) {
        log_line(journal->log, FP_LOG_NOTE, "the journal could not be shortened: %s",
                 fd < 0 ? strerror(errno) : why.text);
        if (fd >= 0)
            close(fd);
        unlink(path);
    }
    free(path);
    if (!replaced)
        return 0;
    store_clear(journal); /* every entry has another number in the new file */
    return store_load(journal, err);
}
