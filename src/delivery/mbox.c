/* SPDX-License-Identifier: ISC */
/*
 * mbox(5), mboxrd: messages are spooled in the state folder, in the form in which the mbox will
 * hold them, and a whole batch is appended under the locks of the mbox with one fsync.
 *
 * The order of an append: what will be where is written down durably (appends.h); the file is made
 * longer by the whole batch; the range is filled; fsync; and then it is noted that it is whole. The
 * range is ours from the second step on, so that a run killed meanwhile can be completed even if
 * procmail has appended behind it before the next run (mboxrepair.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/appends.h"
#include "delivery/kind.h"
#include "delivery/mboxfind.h"
#include "delivery/mboxform.h"
#include "delivery/mboxlock.h"
#include "delivery/mboxrepair.h"
#include "delivery/span.h"
#include "delivery/spooldir.h"

struct mbox {
    struct spooldir spool;
    char *folder; /* the mbox is in */
    bool noted;   /* that there can be no dotlock */
    bool synced;  /* the folder of the mbox, once in this session */
    bool failed;  /* a batch, of this session or before, is still unsettled: its entries stay */
};

/* ---- open and close ---- */

/* Does it begin as an mbox does? Where a killed run was about to write, it begins with NULs. */
static bool begins_well(int fd)
{
    char head[512];
    ssize_t got = span_read(fd, 0, head, sizeof head);
    struct str text = str_of(head, got > 0 ? (size_t)got : 0);
    while (text.len > 0 && (*text.ptr == '\n' || *text.ptr == '\r' || *text.ptr == '\0'))
        text = str_behind(text, 1);
    return got >= 0 && (text.len == 0 || str_has_prefix(text, "From "));
}

static int check_content(const char *path, struct err *err)
{
    int fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot read the mbox %s", path);
    bool good = begins_well(fd);
    close(fd);
    return good ? 0
                : err_set(err, ERR_CREATE,
                          "%s does not begin with \"From \", as an mbox does; give another path "
                          "for mbox",
                          path);
}

static int probe_file(const char *path, const struct stat *status, struct err *err)
{
    if (mboxlock_check_type(path, status, err) < 0)
        return -1;
    if (file_access(path, R_OK | W_OK) < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot write to the mbox %s", path);
    return check_content(path, err);
}

static int probe_folder(const char *path, const char *parent, struct err *err)
{
    struct stat status;
    if (stat(parent, &status) < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot make the mbox %s", path);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ERR_CREATE,
                       "cannot make the mbox %s: %s is not a folder; give another path for mbox",
                       path, parent);
    if (file_access(parent, W_OK | X_OK) < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot make the mbox %s", path);
    return 0;
}

static int probe_path(const struct deliver_settings *settings, struct err *err)
{
    struct stat status;
    if (stat(settings->where, &status) == 0)
        return probe_file(settings->where, &status, err);
    if (errno != ENOENT)
        return err_errno(err, ERR_CREATE, errno, "cannot use the mbox %s", settings->where);
    char *parent = file_parent(settings->where);
    int result = probe_folder(settings->where, parent, err);
    free(parent);
    return result;
}

static int probe(const struct deliver_settings *settings, struct err *err)
{
    struct identity owner;
    identity_of(settings->where, &owner);
    if (identity_enter(&owner, settings->where, err) < 0)
        return -1;
    int result = probe_path(settings, err);
    identity_leave(&owner);
    return result;
}

static int open_kind(struct deliver *deliver, struct err *err)
{
    struct mbox *mbox = xcalloc(1, sizeof *mbox);
    deliver->state = mbox;
    mbox->folder = file_parent(deliver->settings->where);
    mbox->failed = deliver->settings->unsettled;
    mboxlock_tidy(deliver->settings, deliver->settings->where);
    return spooldir_open(&mbox->spool, deliver->settings, err);
}

static void close_kind(struct deliver *deliver)
{
    struct mbox *mbox = deliver->state;
    if (mbox == NULL)
        return;
    spooldir_close(&mbox->spool);
    free(mbox->folder);
    free(mbox);
}

static bool is_one_disk(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

/* Each message needs room on both disks: the fuller one counts. In the state folder it needs room
 * twice, since recovery may copy it there, so on one disk three times. */
static uint64_t room(const struct deliver *deliver)
{
    const struct mbox *mbox = deliver->state;
    struct identity owner;
    identity_of(mbox->folder, &owner);
    if (identity_enter(&owner, mbox->folder, NULL) < 0)
        return 0;
    uint64_t there = file_room(mbox->folder);
    identity_leave(&owner);
    uint64_t here = file_room(mbox->spool.path);
    if (is_one_disk(mbox->folder, mbox->spool.path))
        return spooldir_share(there < here ? there : here, 3);
    here = spooldir_share(here, 2);
    return there < here ? there : here;
}

static void place(const struct deliver_settings *settings, struct buf *out)
{
    spooldir_place(settings, "mbox", out);
    buf_addf(out, " ");
    words_add(out, str_from(settings->where));
}

/* A lock that a killed run of this mailbox was about to take lies beside the mbox. */
static int sweep(const struct deliver_settings *settings, struct str words, struct err *err)
{
    struct str rest = words;
    str_word(&rest);
    char *path = words_text(str_word(&rest));
    if (path != NULL && path[0] != '\0')
        mboxlock_tidy(settings, path);
    free(path);
    return spooldir_sweep(settings, words, err);
}

static bool is_gone(const struct deliver_settings *settings)
{
    struct stat status;
    return stat(settings->where, &status) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* ---- one message ---- */

static int secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    struct mbox *mbox = deliver->state;
    for (size_t i = 0; i < n; i++)
        if (mboxform_digest(batch[i], err) < 0)
            return -1;
    if (!deliver->settings->durable || n == 0)
        return 0;
    if (spool_secure(batch, n, mbox->spool.fd, err) < 0)
        return -1;
#ifdef FP_CONTROL_NO_DIRSYNC
    return 0;
#else
    return file_sync_folder(mbox->spool.path, NULL, err);
#endif
}

/* mbox LENGTH DIGEST NAME PATH. Where in the mbox it is, only the append knows. */
static void receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out)
{
    const struct mboxform *form = parcel->extra;
    char digest[DIGEST_HEX];
    words_hex(form->digest, DIGEST_SIZE, digest);
    buf_addf(out, "mbox %llu %s ", (unsigned long long)form->length, digest);
    words_add(out, str_from(parcel->name));
    buf_addf(out, " ");
    words_add(out, str_from(deliver->settings->where));
}

/* ---- the append ---- */

struct append_job {
    const struct deliver_settings *settings;
    const struct mboxlock *lock;
    struct appends *appends;
    struct parcel *const *batch;
    size_t n;
    size_t first;   /* of our entries */
    uint64_t start; /* the end of the mbox as we found it */
    uint64_t end;   /* and as it will be */
    size_t lfs;     /* that are needed before the first From_ line */
};

/* The program that wrote before us may have left out the end of its last line, or the empty line
 * after it. */
static int look_at_end(struct append_job *job, struct err *err)
{
    struct stat status;
    char last[2] = {'\n', '\n'};
    if (fstat(job->lock->fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", job->lock->path);
    job->start = (uint64_t)status.st_size;
    size_t len = job->start < 2 ? (size_t)job->start : 2;
    if (span_read(job->lock->fd, job->start - len, last + 2 - len, len) != (ssize_t)len)
        return err_errno(err, ERR_IO, errno, "cannot read %s", job->lock->path);
    job->lfs = last[1] != '\n' ? 2 : last[0] != '\n' ? 1 : 0;
    return 0;
}

/* Writes down what will be where, before anything is. */
static int announce(struct append_job *job, bool keep_ours, struct err *err)
{
    struct append entry = {.state = APPEND_OPEN, .start = job->start};
    if (appends_before(job->lock->fd, job->start, &entry.before) < 0)
        return err_errno(err, ERR_IO, errno, "cannot read %s", job->lock->path);
    size_t fresh = job->appends->count;
    job->end = job->start + job->lfs;
    snprintf(entry.mailbox, sizeof entry.mailbox, "%.*s", SPOOL_MAILBOX, job->settings->mailbox);
    for (size_t i = 0; i < job->n; i++) {
        const struct mboxform *form = job->batch[i]->extra;
        snprintf(entry.name, sizeof entry.name, "%s", job->batch[i]->name);
        memcpy(entry.digest, form->digest, sizeof entry.digest);
        entry.offset = job->end;
        entry.length = form->length;
        job->end += form->length;
        appends_add(job->appends, &entry);
    }
    if (!keep_ours)
        appends_forget(job->appends, job->settings->mailbox, fresh);
    job->first = job->appends->count - job->n;
    return appends_write(job->appends, job->settings->durable, err);
}

static int fill(const struct append_job *job, struct err *err)
{
    const struct mboxlock *lock = job->lock;
    if (ftruncate(lock->fd, (off_t)job->end) < 0)
        return err_errno(err, ERR_IO, errno, "cannot make room in %s", lock->path);
    if (span_write(lock->fd, lock->path, job->start, "\n\n", job->lfs, err) < 0)
        return -1;
    for (size_t i = 0; i < job->n; i++) {
        struct span span = mboxform_span(job->batch[i]);
        uint64_t offset = job->appends->entries[job->first + i].offset;
        if (span_copy(&span, lock->fd, lock->path, offset, err) < 0)
            return -1;
    }
    if (job->settings->durable && file_sync(lock->fd, lock->path, err) < 0)
        return -1;
    if (!mboxlock_is_current(lock))
        return err_set(err, ERR_LOCAL,
                       "%s was replaced by another program while mail was written to it; the next "
                       "run looks at what is there",
                       lock->path);
    return 0;
}

static void mark(const struct append_job *job, enum append_state state)
{
    for (size_t i = 0; i < job->n; i++)
        job->appends->entries[job->first + i].state = state;
    /* Not flushed, and it may fail: an entry that stays open is compared again, byte by byte, by
     * the next run. */
    appends_write(job->appends, false, NULL);
}

/* After an error: back to the mbox as we found it, unless a program that ignores locks has written
 * behind us. What cannot be undone stays open, and the next run looks at it. */
static void undo(const struct append_job *job)
{
    struct stat status;
    if (fstat(job->lock->fd, &status) < 0 || (uint64_t)status.st_size > job->end ||
        (uint64_t)status.st_size < job->start)
        return;
    if ((uint64_t)status.st_size > job->start &&
        (ftruncate(job->lock->fd, (off_t)job->start) < 0 ||
         (job->settings->durable && file_sync(job->lock->fd, job->lock->path, NULL) < 0)))
        return;
    mark(job, APPEND_GONE);
}

static int append(struct append_job *job, struct mbox *mbox, struct err *err)
{
    if (mboxrepair_run(job->settings, job->lock, job->appends, err) < 0 ||
        look_at_end(job, err) < 0)
        return -1;
    /* An empty one may have been made just now. */
    if (job->settings->durable && (!mbox->synced || job->start == 0) &&
        mboxlock_sync_folder(job->lock, err) < 0)
        return -1;
    mbox->synced = true;
    if (announce(job, mbox->failed, err) < 0)
        return -1;
    if (fill(job, err) < 0) {
        undo(job);
        return -1;
    }
    for (size_t i = 0; i < job->n; i++)
        job->batch[i]->outcome = PARCEL_DELIVERED;
    mark(job, APPEND_WHOLE);
    return 0;
}

static int publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    const struct deliver_settings *settings = deliver->settings;
    struct mbox *mbox = deliver->state;
    struct mboxlock lock;
    struct appends appends;
    if (n == 0)
        return 0;
    if (mboxlock_take(&lock, settings, settings->where, true, &mbox->noted, err) < 0)
        return -1;
    struct append_job job = {
        .settings = settings, .lock = &lock, .appends = &appends, .batch = batch, .n = n};
    int result = appends_open(&appends, settings, lock.real, true, err);
    if (result == 0)
        result = append(&job, mbox, err);
    mbox->failed = mbox->failed || result < 0;
    appends_close(&appends);
    mboxlock_drop(&lock);
    return result;
}

/* ---- recovery ---- */

/* mbox LENGTH DIGEST NAME PATH */
static int read_receipt(const struct deliver_claim *claim, struct mboxfind *find, char **path,
                        struct err *err)
{
    struct str words = claim->receipt;
    *find = (struct mboxfind){.search = true};
    str_word(&words);
    if (str_number(str_word(&words), INT64_MAX / 4, &find->length) == 0 &&
        words_read_hex(str_word(&words), find->digest, DIGEST_SIZE) == 0 &&
        words_read_name(str_word(&words), find->name, sizeof find->name) == 0) {
        free(*path);
        *path = words_text(str_word(&words));
        if (*path != NULL)
            return 0;
    }
    return err_set(err, ERR_IO,
                   "the journal has a receipt that cannot be read; use the version that wrote it");
}

/* What the append tells about a claim: where to look, and whether a search is worth it. */
static void aim(const struct appends *appends, struct mboxfind *find)
{
    const struct append *entry = appends_find(appends, find->name);
    if (entry == NULL) {
        find->search = !appends->sure;
        return;
    }
    find->placed = entry->state != APPEND_GONE;
    find->at = entry->offset;
    find->search = entry->state != APPEND_GONE;
}

static int look(const struct deliver_settings *settings, const struct mboxlock *lock,
                struct mboxfind *finds, size_t n, struct err *err)
{
    struct appends appends;
    int result = appends_open(&appends, settings, lock->real, false, err);
    if (result == 0)
        result = mboxrepair_run(settings, lock, &appends, err);
    for (size_t i = 0; i < n && result == 0; i++)
        aim(&appends, &finds[i]);
    if (result == 0)
        result = mboxfind_run(settings, lock, &appends, finds, n, err);
    /* No done without a barrier made by this very process. */
    if (result == 0 && settings->durable &&
        (file_sync(lock->fd, lock->path, err) < 0 || mboxlock_sync_folder(lock, err) < 0))
        result = -1;
    appends_close(&appends);
    return result;
}

/* There is no mbox. What was about to be written there was written down before; where nothing was,
 * the mbox was yet to be made. */
static int look_without(const struct deliver_settings *settings, const char *path,
                        const struct mboxfind *finds, struct deliver_claim *claims, size_t n,
                        struct err *err)
{
    struct appends appends = {.fd = -1};
    char *real = mboxlock_real_name(path);
    int result = 0;
    if (real != NULL)
        result = appends_open(&appends, settings, real, false, err);
    bool sure = real != NULL && (appends.sure || appends.fd < 0);
    for (size_t i = 0; i < n && result == 0; i++)
        claims[i].found =
            sure && appends_find(&appends, finds[i].name) == NULL ? DELIVER_AGAIN : DELIVER_LOST;
    if (real != NULL)
        appends_close(&appends);
    free(real);
    return result;
}

static int check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                 struct err *err)
{
    struct mboxfind *finds = xcalloc(n, sizeof *finds);
    struct mboxlock lock;
    char *path = NULL;
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++)
        result = read_receipt(&claims[i], &finds[i], &path, err);
    if (result == 0)
        result = mboxlock_take(&lock, settings, path, false, NULL, err);
    if (result == 1) {
        result = look_without(settings, path, finds, claims, n, err);
    } else if (result == 0) {
        result = look(settings, &lock, finds, n, err);
        mboxlock_drop(&lock);
        for (size_t i = 0; i < n && result == 0; i++)
            claims[i].found = finds[i].found ? DELIVER_PUBLISHED : DELIVER_AGAIN;
    }
    free(path);
    free(finds);
    return result;
}

/* It was not appended, or nobody can tell. */
static int find(const struct deliver_settings *settings, struct str receipt, int *fd,
                struct err *err)
{
    const struct deliver_claim claim = {.receipt = receipt};
    struct mboxfind wanted;
    struct span span = {.fd = -1};
    char *path = NULL;
    int result = read_receipt(&claim, &wanted, &path, err);
    if (result == 0)
        result =
            mboxrepair_open_spool(settings, wanted.name, wanted.length, wanted.digest, &span, err);
    free(path);
    *fd = span.fd;
    return result;
}

const struct kind mbox_kind = {
    .name = "mbox",
    .unit = SIZE_MAX,
    .probe = probe,
    .open = open_kind,
    .close = close_kind,
    .room = room,
    .place = place,
    .is_gone = is_gone,
    .begin = mboxform_begin,
    .finish = mboxform_finish,
    .secure = secure,
    .receipt = receipt,
    .publish = publish,
    .quotes = true,
    .check = check,
    .find = find,
    .sweep = sweep,
};
