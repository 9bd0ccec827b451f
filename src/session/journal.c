#include "session/journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "session/journal_store.h"

#define OUT_MAX ((size_t)256 * 1024 * 1024)
#define UIDLS_MAX ((size_t)UINT32_MAX)
#define NAME_PART 60

/* ---- the store: entries and their UIDLs in memory ---- */

#define SLOT_FREED UINT32_MAX

/* The slot of a UIDL, or a free one where it may be put. Entries of one UIDL hang on one slot as a
 * list, so that a server whose UIDLs are all equal, or empty, costs no more. */
static uint32_t slot_of(const struct journal *journal, struct str uidl)
{
    uint32_t mask = journal->slot_count - 1, at = (uint32_t)str_hash(uidl) & mask;
    uint32_t freed = SLOT_FREED;
    for (; journal->slots[at] != 0; at = (at + 1) & mask) {
        if (journal->slots[at] == SLOT_FREED)
            freed = freed == SLOT_FREED ? at : freed;
        else if (str_equal(journal_uidl(journal, journal->slots[at] - 1), uidl))
            return at;
    }
    return freed == SLOT_FREED ? at : freed;
}

static uint32_t first_of(const struct journal *journal, uint32_t slot)
{
    return journal->slots[slot] == SLOT_FREED ? 0 : journal->slots[slot];
}

static void put_slot(struct journal *journal, uint32_t id)
{
    uint32_t at = slot_of(journal, journal_uidl(journal, id));
    journal->slots_used += journal->slots[at] == 0;
    journal->entries[id].same = first_of(journal, at);
    journal->slots[at] = id + 1;
}

static void take_from_slot(struct journal *journal, uint32_t id)
{
    uint32_t at = slot_of(journal, journal_uidl(journal, id));
    uint32_t *link = &journal->slots[at];
    while (*link != id + 1)
        link = &journal->entries[*link - 1].same;
    *link = journal->entries[id].same;
    if (journal->slots[at] == 0)
        journal->slots[at] = SLOT_FREED; /* searches for others go on behind it */
}

/* At least half of the slots were never used, so that every search comes to an end. */
static void make_slots(struct journal *journal)
{
    if (journal->slot_count > 2 * journal->slots_used + 2)
        return;
    while (journal->slot_count <= 4 * journal->count + 64)
        journal->slot_count = journal->slot_count == 0 ? 256 : 2 * journal->slot_count;
    free(journal->slots);
    journal->slots = xcalloc(journal->slot_count, sizeof *journal->slots);
    journal->slots_used = 0;
    for (uint32_t id = 0; id < journal->count; id++)
        put_slot(journal, id);
}

struct journal_entry *store_entry(struct journal *journal, uint32_t id)
{
    while (journal->cap <= id) {
        uint32_t cap = journal->cap == 0 ? 64 : journal->cap + journal->cap / 2;
        journal->entries = xreallocarray(journal->entries, cap, sizeof *journal->entries);
        memset(journal->entries + journal->cap, 0, (cap - journal->cap) * sizeof *journal->entries);
        journal->cap = cap;
    }
    while (journal->count <= id) {
        make_slots(journal);
        put_slot(journal, journal->count++);
    }
    return &journal->entries[id];
}

void store_uidl(struct journal *journal, uint32_t id, struct str uidl)
{
    struct journal_entry *entry = &journal->entries[id];
    if (str_equal(journal_uidl(journal, id), uidl))
        return;
    make_slots(journal);
    take_from_slot(journal, id);
    entry->uidl_at = journal->uidls.len;
    entry->uidl_len = 0;
    if (buf_add(&journal->uidls, uidl.ptr, uidl.len) == 0)
        entry->uidl_len = (uint16_t)uidl.len;
    put_slot(journal, id);
}

void store_words(struct journal_entry *entry, struct str words)
{
    free(entry->words);
    entry->words = words.len == 0 ? NULL : xmemdup0(words.ptr, words.len);
}

void store_clear(struct journal *journal)
{
    for (uint32_t id = 0; id < journal->count; id++)
        free(journal->entries[id].words);
    free(journal->entries);
    free(journal->slots);
    free(journal->place);
    buf_free(&journal->uidls);
    buf_init(&journal->uidls, UIDLS_MAX);
    journal->entries = NULL;
    journal->slots = NULL;
    journal->place = NULL;
    journal->count = journal->cap = journal->slot_count = journal->slots_used = journal->days = 0;
    journal->last_day = journal->lines = journal->damaged = 0;
}

uint32_t journal_count(const struct journal *journal)
{
    return journal->count;
}

const struct journal_entry *journal_entry(const struct journal *journal, uint32_t id)
{
    return &journal->entries[id];
}

struct str journal_uidl(const struct journal *journal, uint32_t id)
{
    const struct journal_entry *entry = &journal->entries[id];
    if (entry->uidl_len == 0)
        return str_of("", 0);
    return str_of(journal->uidls.data + entry->uidl_at, entry->uidl_len);
}

uint32_t journal_next(const struct journal *journal, struct str uidl, uint32_t after)
{
    if (journal->slot_count == 0)
        return JOURNAL_NONE;
    uint32_t link = after == JOURNAL_NONE ? first_of(journal, slot_of(journal, uidl))
                                          : journal->entries[after].same;
    while (link != 0 && journal->entries[link - 1].state == JOURNAL_FREE)
        link = journal->entries[link - 1].same;
    return link == 0 ? JOURNAL_NONE : link - 1;
}

void journal_mark_tried(struct journal *journal, uint32_t id)
{
    journal->entries[id].tried = true;
}

void journal_list(struct journal *journal, uint32_t id, uint32_t number)
{
    journal->entries[id].listed = number;
}

/* ---- opening and closing ---- */

void journal_mailbox(const char *server, const char *user, char out[JOURNAL_MAILBOX + 1])
{
    unsigned char sum[DIGEST_SIZE];
    struct digest *digest = digest_new();
    for (const char *p = server; *p != '\0'; p++) {
        char c = (char)tolower((unsigned char)*p);
        digest_add(digest, &c, 1);
    }
    digest_add(digest, "", 1);
    digest_add(digest, user, strlen(user));
    digest_end(digest, sum);
    digest_hex(sum, JOURNAL_MAILBOX / 2, out);
}

/* "user@server-id": the first part for people, the last for us. */
char *journal_stem(const char *server, const char *user)
{
    char mailbox[JOURNAL_MAILBOX + 1];
    char *stem = xasprintf("%.*s@%.*s-", NAME_PART, user, NAME_PART, server);
    for (char *p = strrchr(stem, '@'); *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (char *p = stem; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("@._+-", *p) == NULL)
            *p = '_';
    if (stem[0] == '.')
        stem[0] = '_';
    journal_mailbox(server, user, mailbox);
    char *whole = xasprintf("%s%s", stem, mailbox);
    free(stem);
    return whole;
}

static int check_owner(int fd, const char *path, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", path);
    if (status.st_uid != geteuid())
        return err_set(err, ERR_CREATE,
                       "%s belongs to another user; remove it or give another state_dir", path);
    return 0;
}

static int take_lock(struct journal *journal, const char *stem, struct err *err)
{
    char *path = xasprintf("%s/%s.lock", journal->dir, stem);
    journal->lock = file_open(path, O_RDWR | O_CREAT, 0600);
    int result = 0;
    if (journal->lock < 0)
        result = err_errno(err, ERR_CREATE, errno, "cannot make %s", path);
    else if (check_owner(journal->lock, path, err) < 0)
        result = -1;
    else if (file_lock(journal->lock, path, err) < 0)
        result = err->kind != ERR_LOCKED
                     ? -1
                     : err_set(err, ERR_LOCKED,
                               "another run is fetching from this mailbox; nothing done");
    free(path);
    return result;
}

static int open_file(struct journal *journal, struct err *err)
{
    int flags = journal->mode == JOURNAL_READ ? O_RDONLY : O_RDWR | O_CREAT;
    journal->fd = file_open(journal->path, flags, 0600);
    if (journal->fd < 0 && errno == ENOENT && journal->mode == JOURNAL_READ)
        return 0;
    if (journal->fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot open %s", journal->path);
    return check_owner(journal->fd, journal->path, err);
}

static void write_head(struct journal *journal, struct buf *out)
{
    record_write(&(struct record){.verb = RECORD_HEAD,
                                  .number = JOURNAL_VERSION,
                                  .words = str_from(journal->head)},
                 out);
}

static int open_and_load(struct journal *journal, const char *stem, struct err *err)
{
    if (journal->mode == JOURNAL_WRITE && take_lock(journal, stem, err) < 0)
        return -1;
    if (open_file(journal, err) < 0 || store_load(journal, err) < 0)
        return -1;
    if (journal->mode == JOURNAL_READ)
        return 0;
    if (store_compact(journal, err) < 0)
        return -1;
    if (journal->length == 0)
        write_head(journal, &journal->out);
    journal->settled = !journal->durable;
    return 0;
}

int journal_open(struct journal **out, const char *state_dir, const char *server, const char *user,
                 enum journal_mode mode, bool durable, struct log *log, struct err *err)
{
    struct journal *journal = xcalloc(1, sizeof *journal);
    char *stem = journal_stem(server, user);
    char words[2][STR_ESCAPED_MAX(1024)];
    journal->mode = mode;
    journal->durable = durable;
    journal->log = log;
    journal->lock = journal->fd = -1;
    journal->dir = xstrdup(state_dir);
    journal->path = xasprintf("%s/%s.journal", state_dir, stem);
    str_escape(str_of(server, strnlen(server, 1024)), words[0], sizeof words[0]);
    str_escape(str_of(user, strnlen(user, 1024)), words[1], sizeof words[1]);
    journal->head = xasprintf("%s %s", words[0], words[1]);
    buf_init(&journal->out, OUT_MAX);
    buf_init(&journal->uidls, UIDLS_MAX);
    int result = open_and_load(journal, stem, err);
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
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->lock >= 0)
        close(journal->lock); /* and with it the lock */
    store_clear(journal);
    buf_free(&journal->uidls);
    buf_free(&journal->out);
    free(journal->head);
    free(journal->path);
    free(journal->dir);
    free(journal);
}

bool journal_is_new(const struct journal *journal)
{
    return journal->is_new;
}

/* ---- what happens to messages ---- */

enum record_verb store_verb(unsigned char state)
{
    switch (state) {
    case JOURNAL_FAILED:
        return RECORD_FAIL;
    case JOURNAL_DOUBTED:
        return RECORD_DOUBT;
    case JOURNAL_HELD:
        return RECORD_HELD;
    case JOURNAL_TAKEN:
        return RECORD_TAKE;
    case JOURNAL_DONE:
        return RECORD_DONE;
    default:
        return RECORD_GONE;
    }
}

void store_write_entry(const struct journal *journal, uint32_t id, uint32_t as,
                       enum record_verb verb, struct buf *out)
{
    const struct journal_entry *entry = &journal->entries[id];
    char uidl[STR_ESCAPED_MAX(UINT8_MAX + 1)];
    str_escape(journal_uidl(journal, id), uidl, sizeof uidl);
    struct record record = {
        .verb = verb,
        .id = as,
        .size = entry->size,
        .print = entry->print,
        .first_seen = entry->first_seen,
        .keep = entry->keep,
        .number = verb == RECORD_MISS ? entry->absent : entry->tries,
        .uidl = str_from(uidl),
        .words = str_from(entry->words == NULL ? "" : entry->words),
    };
    record_write(&record, out);
}

static void note(struct journal *journal, uint32_t id, enum record_verb verb)
{
    store_write_entry(journal, id, id, verb, &journal->out);
    journal->lines++;
}

uint32_t journal_add(struct journal *journal, const struct journal_subject *subject, int64_t now)
{
    uint32_t id = journal->count;
    struct journal_entry *entry = store_entry(journal, id);
    entry->first_seen = now < 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint32_t)now;
    entry->size = subject->size;
    entry->print = subject->print;
    store_uidl(journal, id, subject->uidl);
    return id;
}

void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject)
{
    struct journal_entry *entry = &journal->entries[id];
    entry->size = subject->size;
    if (subject->print.known)
        entry->print = subject->print;
    if (subject->uidl.len > 0) /* a UIDL that is kept back today may be told again tomorrow */
        store_uidl(journal, id, subject->uidl);
    if (entry->state != JOURNAL_FREE)
        note(journal, id, store_verb(entry->state));
}

void journal_take(struct journal *journal, uint32_t id, bool keep, struct str receipt)
{
    struct journal_entry *entry = &journal->entries[id];
    entry->before = entry->state;
    entry->state = JOURNAL_TAKEN;
    entry->keep = keep;
    store_words(entry, receipt);
    note(journal, id, RECORD_TAKE);
}

void journal_drop(struct journal *journal, uint32_t id)
{
    struct journal_entry *entry = &journal->entries[id];
    entry->state = entry->before;
    store_words(entry, str_of("", 0));
    note(journal, id, RECORD_DROP);
}

static void settle(struct journal *journal, uint32_t id, enum journal_state state,
                   const char *reason)
{
    struct journal_entry *entry = &journal->entries[id];
    char words[STR_ESCAPED_MAX(ERR_TEXT_MAX)];
    entry->state = (unsigned char)state;
    words[0] = '\0';
    if (reason != NULL)
        str_escape(str_of(reason, strnlen(reason, ERR_TEXT_MAX)), words, sizeof words);
    store_words(entry, str_from(words));
    note(journal, id, store_verb(entry->state));
}

void journal_done(struct journal *journal, uint32_t id)
{
    settle(journal, id, JOURNAL_DONE, NULL);
}

void journal_gone(struct journal *journal, uint32_t id)
{
    settle(journal, id, JOURNAL_GONE, NULL);
}

void journal_fail(struct journal *journal, uint32_t id, const char *reason)
{
    if (journal->entries[id].tries < UINT16_MAX)
        journal->entries[id].tries++;
    bool doubted = journal->entries[id].state == JOURNAL_DOUBTED;
    settle(journal, id, doubted ? JOURNAL_DOUBTED : JOURNAL_FAILED, reason);
}

void journal_put_off(struct journal *journal, uint32_t id, const char *reason)
{
    bool doubted = journal->entries[id].state == JOURNAL_DOUBTED;
    settle(journal, id, doubted ? JOURNAL_DOUBTED : JOURNAL_FAILED, reason);
}

void journal_doubt(struct journal *journal, uint32_t id, const char *reason)
{
    settle(journal, id, JOURNAL_DOUBTED, reason);
}

void journal_hold(struct journal *journal, uint32_t id, const char *reason)
{
    if (journal->entries[id].tries < UINT16_MAX)
        journal->entries[id].tries++;
    settle(journal, id, JOURNAL_HELD, reason);
}

void journal_retry(struct journal *journal, uint32_t id)
{
    journal->entries[id].tries = 0;
    settle(journal, id, JOURNAL_FAILED, "released");
}

void journal_listed_all(struct journal *journal, int64_t day)
{
    bool new_day = day > 0 && (uint64_t)day > journal->last_day;
    if (day > 0 && !new_day && (uint64_t)day < journal->last_day)
        journal->last_day = (uint64_t)day; /* a clock was wrong, then or now: counts nothing */
    if (new_day) {
        journal->days++;
        journal->last_day = (uint64_t)day;
        record_write(&(struct record){.verb = RECORD_DAY,
                                      .number = journal->days,
                                      .date = journal->last_day},
                     &journal->out);
        journal->lines++;
    }
    for (uint32_t id = 0; id < journal->count; id++) {
        struct journal_entry *entry = &journal->entries[id];
        if (entry->listed != 0 && entry->absent != 0) {
            entry->absent = 0;
            note(journal, id, RECORD_BACK);
        } else if (entry->listed == 0 && entry->absent == 0 && new_day &&
                   entry->state != JOURNAL_FREE) {
            entry->absent = journal->days;
            note(journal, id, RECORD_MISS);
        }
    }
}

struct str journal_place(const struct journal *journal)
{
    return str_from(journal->place);
}

void journal_set_place(struct journal *journal, struct str place)
{
    free(journal->place);
    journal->place = xmemdup0(place.ptr, place.len);
    record_write(&(struct record){.verb = RECORD_PLACE, .words = place}, &journal->out);
    journal->lines++;
}

bool journal_is_dirty(const struct journal *journal)
{
    return journal->out.len > 0;
}

/* The names of the journal and of its folder, which the process that made them may not have lived
 * to flush. Nothing counts on them before the journal's first word: a poll with nothing new, or of
 * a server that is not there, has no use for the two flushes. */
static int settle_names(struct journal *journal, struct err *err)
{
    if (!journal->settled && (file_make_folder(journal->dir, true, err) < 0 ||
                              file_sync_folder(journal->dir, NULL, err) < 0))
        return -1;
    journal->settled = true;
    return 0;
}

int journal_flush(struct journal *journal, struct err *err)
{
    if (settle_names(journal, err) < 0)
        return -1;
    return journal->durable ? file_datasync(journal->fd, journal->path, err) : 0;
}

static int append(struct journal *journal, struct err *err)
{
    if (settle_names(journal, err) < 0 ||
        file_write(journal->fd, journal->out.data, journal->out.len, journal->path, err) < 0)
        return -1;
    return journal->durable ? file_datasync(journal->fd, journal->path, err) : 0;
}

int journal_sync(struct journal *journal, struct err *err)
{
    if (journal->out.len == 0)
        return 0;
    if (journal->broken || journal->mode == JOURNAL_READ)
        return err_set(err, ERR_IO, "%s could not be written before", journal->path);
    if (lseek(journal->fd, (off_t)journal->length, SEEK_SET) < 0 || append(journal, err) < 0) {
        /* What is half written says nothing that holds; a cut that fails too is a torn tail. */
        journal->broken = true;
        if (ftruncate(journal->fd, (off_t)journal->length) < 0)
            return -1;
        return -1;
    }
    journal->length += journal->out.len;
    buf_clear(&journal->out);
    return 0;
}
