#include "session/journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "session/journal_store.h"

#define OUT_MAX ((size_t)256 * 1024 * 1024)
#define NAME_PART 60

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
    journal->window = xmalloc(STORE_WINDOW);
    buf_init(&journal->copy, SIZE_MAX / 2);
    digest_make_key(&journal->key);
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
    buf_free(&journal->out);
    free(journal->window);
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

enum record_verb store_verb(unsigned state)
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

/* escaped keeps its UIDL: where that is may be what is written to. */
static struct record describe(const struct journal *journal, uint32_t id, enum record_verb verb,
                              char escaped[STR_ESCAPED_MAX(UIDL_MAX)])
{
    const struct journal_entry *entry = &journal->entries[id];
    struct journal_facts facts = journal_facts(journal, id);
    struct str uidl = store_uidl(journal, id);
    memcpy(escaped, uidl.ptr, uidl.len);
    return (struct record){
        .verb = verb,
        .id = id,
        .size = facts.size,
        .print = facts.print,
        .first_seen = facts.first_seen,
        .keep = entry->keep,
        .number = verb == RECORD_MISS ? entry->absent : entry->tries,
        .uidl = str_of(escaped, uidl.len),
    };
}

void store_write_entry(const struct journal *journal, uint32_t id, uint32_t as,
                       enum record_verb verb, struct str words, struct buf *out)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    struct record record = describe(journal, id, verb, escaped);
    record.id = as;
    record.words = words;
    record_write(&record, out);
}

/* From now on the line says what is known of the entry; but `done` will want it soon after `take`,
 * so that stays in memory. */
static void note(struct journal *journal, uint32_t id, enum record_verb verb, struct str words)
{
    char escaped[STR_ESCAPED_MAX(UIDL_MAX)];
    struct record record = describe(journal, id, verb, escaped);
    record.words = words;
    if (journal->out.len > OUT_MAX - JOURNAL_LINE_MAX) { /* half a line would pass for one */
        journal->broken = true;
        return;
    }
    size_t at = record_write(&record, &journal->out);
    journal->lines++;
    if (at != 0 && verb != RECORD_TAKE)
        store_refer(journal, id, &record, journal->length + at);
}

void store_note(struct journal *journal, uint32_t id, enum record_verb verb)
{
    struct str words = journal_facts(journal, id).words;
    char *copy = xmemdup0(words.ptr, words.len);
    note(journal, id, verb, str_of(copy, words.len));
    free(copy);
}

/* Whoever takes what was held releases it. Its reason is not in the line of a `take`, and without
 * one that has passed it would be held for good. */
unsigned store_before(unsigned state)
{
    return state == JOURNAL_HELD ? JOURNAL_FAILED : state;
}

void journal_take(struct journal *journal, uint32_t id, bool keep, struct str receipt)
{
    struct journal_entry *entry = &journal->entries[id];
    entry->before = store_before(entry->state);
    entry->state = JOURNAL_TAKEN;
    entry->keep = keep;
    note(journal, id, RECORD_TAKE, receipt);
}

void journal_drop(struct journal *journal, uint32_t id)
{
    struct journal_entry *entry = &journal->entries[id];
    entry->state = entry->before;
    note(journal, id, RECORD_DROP, str_of("", 0));
}

static void settle(struct journal *journal, uint32_t id, enum journal_state state,
                   const char *reason)
{
    struct journal_entry *entry = &journal->entries[id];
    char words[STR_ESCAPED_MAX(ERR_TEXT_MAX)];
    entry->state = state;
    words[0] = '\0';
    if (reason != NULL)
        str_escape(str_of(reason, strnlen(reason, ERR_TEXT_MAX)), words, sizeof words);
    note(journal, id, store_verb(state), str_from(words));
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
            note(journal, id, RECORD_BACK, str_of("", 0));
        } else if (entry->listed == 0 && entry->absent == 0 && new_day &&
                   entry->state != JOURNAL_FREE) {
            entry->absent = journal->days;
            note(journal, id, RECORD_MISS, str_of("", 0));
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
