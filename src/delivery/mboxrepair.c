/* SPDX-License-Identifier: ISC */
#include "delivery/mboxrepair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "delivery/spooldir.h"

/* One batch with something open in it. */
struct repair {
    const struct deliver_settings *settings;
    const struct mboxlock *lock;
    struct append *entries;
    size_t n;
    uint64_t size; /* of the mbox */
    bool changed;
};

static int check_spool(struct span *span, const unsigned char digest[DIGEST_SIZE], struct err *err)
{
    struct stat status;
    unsigned char found[DIGEST_SIZE];
    if (fstat(span->fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", span->path);
    if ((uint64_t)status.st_size < span->length)
        return 1;
    span->offset = (uint64_t)status.st_size - span->length;
    if (span_digest(span, found, err) < 0)
        return -1;
    return memcmp(found, digest, DIGEST_SIZE) == 0 ? 0 : 1;
}

int mboxrepair_open_spool(const struct deliver_settings *settings, const char *name,
                          uint64_t length, const unsigned char digest[DIGEST_SIZE],
                          struct span *span, struct err *err)
{
    char *folder = spooldir_path(settings), *path = xasprintf("%s/%s", folder, name);
    *span = (struct span){.path = "a spool file of an earlier run", .length = length};
    span->fd = file_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int result = span->fd >= 0     ? check_spool(span, digest, err)
                 : errno == ENOENT ? 1
                                   : err_errno(err, ERR_IO, errno, "cannot open %s", path);
    if (result < 0 && span->fd >= 0)
        err_prefix(err, "%s", path);
    free(folder);
    free(path);
    if (result != 0)
        mboxrepair_close_spool(span);
    return result;
}

void mboxrepair_close_spool(struct span *span)
{
    if (span->fd >= 0)
        close(span->fd);
    span->fd = -1;
}

/* One that cannot be read must not keep other people's mail from this mbox: it counts as gone, and
 * only NULs are cut. */
static bool open_spool(const struct repair *repair, const struct append *entry, struct span *span)
{
    return mboxrepair_open_spool(repair->settings, entry->name, entry->length, entry->digest, span,
                                 NULL) == 0;
}

static struct span there(const struct repair *repair, uint64_t from, uint64_t to)
{
    return (struct span){
        .fd = repair->lock->fd, .path = repair->lock->path, .offset = from, .length = to - from};
}

/* Where the range of an entry begins: LFs that end other people's last line count as the
 * first's. */
static uint64_t begin_of(const struct repair *repair, size_t i)
{
    return i == 0 ? repair->entries[0].start : repair->entries[i].offset;
}

/* Whether the LFs before a message are ours or NUL; what is NUL is made LF if `fill`. */
static int look_at_lfs(struct repair *repair, size_t i, uint64_t to, bool fill, bool *ours,
                       struct err *err)
{
    char bytes[2];
    uint64_t begin = begin_of(repair, i);
    size_t len = (size_t)(to - begin);
    *ours = len <= sizeof bytes;
    if (!*ours || len == 0)
        return 0;
    if (span_read(repair->lock->fd, begin, bytes, len) != (ssize_t)len)
        return err_set(err, ERR_IO, "cannot read %s", repair->lock->path);
    for (size_t k = 0; k < len; k++) {
        *ours = *ours && (bytes[k] == '\n' || bytes[k] == '\0');
        fill = fill && *ours;
    }
    if (!fill || memchr(bytes, '\0', len) == NULL)
        return 0;
    repair->changed = true;
    return span_write(repair->lock->fd, repair->lock->path, begin, "\n\n", len, err);
}

/* A range that is there to its end. *whole if it is, or is now. */
static int complete(struct repair *repair, size_t i, const struct span *spool, bool *whole,
                    struct err *err)
{
    const struct append *entry = &repair->entries[i];
    struct span range = there(repair, entry->offset, entry->offset + entry->length);
    enum span_likeness likeness;
    bool lfs;
    if (span_compare(&range, spool, &likeness, err) < 0 ||
        look_at_lfs(repair, i, entry->offset, false, &lfs, err) < 0)
        return -1;
    *whole = likeness == SPAN_SAME || (likeness == SPAN_PART && lfs);
    if (likeness == SPAN_PART && lfs) {
        repair->changed = true;
        if (span_copy(spool, range.fd, range.path, range.offset, err) < 0)
            return -1;
    }
    return *whole && lfs ? look_at_lfs(repair, i, entry->offset, true, &lfs, err) : 0;
}

/* One open entry: found whole, or made whole? */
static int settle(struct repair *repair, size_t i, bool *whole, struct err *err)
{
    const struct append *entry = &repair->entries[i];
    struct span spool;
    *whole = false;
    if (entry->offset + entry->length > repair->size)
        return 0;
    if (open_spool(repair, entry, &spool)) {
        int result = complete(repair, i, &spool, whole, err);
        mboxrepair_close_spool(&spool);
        return result;
    }
    struct span range = there(repair, entry->offset, entry->offset + entry->length);
    unsigned char found[DIGEST_SIZE];
    if (span_digest(&range, found, err) < 0)
        return -1;
    *whole = memcmp(found, entry->digest, DIGEST_SIZE) == 0;
    return 0;
}

/* Whether the part of entry i's message that the file still has is ours or NUL. */
static int look_at_tail(struct repair *repair, size_t i, bool *ours, struct err *err)
{
    const struct append *entry = &repair->entries[i];
    uint64_t end = entry->offset + entry->length;
    enum span_likeness likeness;
    struct span spool;
    if (entry->offset >= repair->size)
        return 0;
    struct span range = there(repair, entry->offset, end < repair->size ? end : repair->size);
    bool kept = open_spool(repair, entry, &spool);
    int result = span_compare(&range, kept ? &spool : NULL, &likeness, err);
    if (kept)
        mboxrepair_close_spool(&spool);
    /* Beside nothing at all, SAME means NULs. */
    *ours = likeness == SPAN_SAME || (kept && likeness == SPAN_PART);
    return result;
}

/* Whether all from the beginning of entry i to the end of the file is ours or NUL. */
static int is_our_tail(struct repair *repair, size_t i, bool *ours, struct err *err)
{
    const struct append *last = &repair->entries[repair->n - 1];
    uint64_t begin = begin_of(repair, i), first = repair->entries[i].offset;
    *ours = repair->size >= begin && repair->size <= last->offset + last->length;
    for (size_t k = i; k + 1 < repair->n;
         k++) /* a line lost between two: what is there is not known */
        *ours = *ours &&
                repair->entries[k].offset + repair->entries[k].length == begin_of(repair, k + 1);
    if (!*ours)
        return 0;
    if (look_at_lfs(repair, i, first < repair->size ? first : repair->size, false, ours, err) < 0)
        return -1;
    for (; *ours && i < repair->n; i++)
        if (look_at_tail(repair, i, ours, err) < 0)
            return -1;
    return 0;
}

/* Entry i is the first that is not whole. Those from there on are gone for sure only if the file
 * ends here, and if nobody has moved what is before. */
static int cut(struct repair *repair, size_t i, struct err *err)
{
    uint64_t begin = begin_of(repair, i);
    uint32_t before;
    bool ours;
    if (is_our_tail(repair, i, &ours, err) < 0)
        return -1;
    if (ours && repair->size > begin) {
        if (ftruncate(repair->lock->fd, (off_t)begin) < 0)
            return err_errno(err, ERR_IO, errno, "cannot cut off a torn end of %s",
                             repair->lock->path);
        log_line(repair->settings->log, FP_LOG_NOTE,
                 "cut off what a killed run had begun to write to %s", repair->lock->path);
        repair->changed = true;
    }
    bool moved = appends_before(repair->lock->fd, repair->entries[0].start, &before) < 0 ||
                 before != repair->entries[0].before;
    for (; i < repair->n; i++)
        if (repair->entries[i].state == APPEND_OPEN)
            repair->entries[i].state = ours && !moved ? APPEND_GONE : APPEND_LOST;
    return 0;
}

static int repair_batch(struct repair *repair, struct err *err)
{
    struct stat status;
    if (fstat(repair->lock->fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", repair->lock->path);
    repair->size = (uint64_t)status.st_size;
    for (size_t i = 0; i < repair->n; i++) {
        bool whole;
        if (repair->entries[i].state != APPEND_OPEN)
            continue;
        if (settle(repair, i, &whole, err) < 0)
            return -1;
        if (!whole)
            return cut(repair, i, err);
        repair->entries[i].state = APPEND_WHOLE;
    }
    if (repair->changed)
        log_line(repair->settings->log, FP_LOG_NOTE,
                 "completed what a killed run had begun to write to %s", repair->lock->path);
    return 0;
}

/* The entries of one batch stand together. */
static size_t batch_end(const struct appends *appends, size_t from, bool *open)
{
    const struct append *first = &appends->entries[from];
    size_t to = from;
    *open = false;
    for (; to < appends->count; to++) {
        const struct append *entry = &appends->entries[to];
        if (entry->start != first->start || strcmp(entry->mailbox, first->mailbox) != 0)
            break;
        *open = *open || entry->state == APPEND_OPEN;
    }
    return to;
}

int mboxrepair_run(const struct deliver_settings *settings, const struct mboxlock *lock,
                   struct appends *appends, struct err *err)
{
    bool any = false;
    for (size_t from = 0, to; from < appends->count; from = to) {
        bool open;
        to = batch_end(appends, from, &open);
        struct repair repair = {
            .settings = settings, .lock = lock, .entries = appends->entries + from, .n = to - from};
        any = any || open;
        if (open && repair_batch(&repair, err) < 0)
            return -1;
    }
    if (!any)
        return 0;
    if (settings->durable && file_sync(lock->fd, lock->path, err) < 0)
        return -1;
    /* Not flushed: what a power cut brings back as open is looked at again, with the same end. */
    return appends_write(appends, false, err);
}
