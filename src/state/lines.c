/* SPDX-License-Identifier: ISC */
#include "state/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"

#define GATHERED_MAX ((size_t)256 * 1024 * 1024)
#define WINDOW ((size_t)2 * LINES_MAX)
#define RECENT_MAX ((size_t)512 * 1024)
#define BEFORE 128 /* octets of a line before its UIDL (by which lines_line is asked), at most */

struct lines {
    enum lines_mode mode;
    bool durable, broken;
    bool settled; /* the names it lies under are on the disk */
    char *folder, *path;
    int fd;
    uint64_t size;   /* of the file when it was loaded */
    uint64_t length; /* of the file up to its last whole line */
    struct buf out;  /* gathered lines */

    struct buf recent; /* what was written last: `done` is soon asked for after `take` */
    uint64_t recent_at;

    struct str text; /* of the file when it was mapped, up to its last whole line */
    size_t mapped;   /* octets to unmap; 0: text is in copy */
    struct buf copy;

    char *window; /* WINDOW octets: the piece of the file that was read last */
    uint64_t window_at;
    size_t window_len;
};

static int open_file(struct lines *lines, struct err *err)
{
    int flags = lines->mode == LINES_READ ? O_RDONLY : O_RDWR | O_CREAT;
    lines->fd = file_open(lines->path, flags | O_NOFOLLOW, 0600);
    if (lines->fd < 0 && errno == ENOENT && lines->mode == LINES_READ)
        return 0;
    if (lines->fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot open %s", lines->path);
    return file_check_owner(lines->fd, lines->path, err);
}

int lines_open(struct lines **out, const char *path, enum lines_mode mode, bool durable,
               struct err *err)
{
    struct lines *lines = xcalloc(1, sizeof *lines);
    lines->mode = mode;
    lines->durable = durable;
    lines->settled = !durable;
    lines->path = xstrdup(path);
    lines->folder = file_parent(path);
    lines->window = xmalloc(WINDOW);
    buf_init(&lines->out, GATHERED_MAX);
    buf_init(&lines->recent, GATHERED_MAX);
    buf_init(&lines->copy, SIZE_MAX / 2);
    if (open_file(lines, err) < 0) {
        lines_close(lines);
        return -1;
    }
    *out = lines;
    return 0;
}

static void unmap(struct lines *lines)
{
    if (lines->mapped > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr): const has to go */
        munmap((void *)(uintptr_t)lines->text.ptr, lines->mapped);
    lines->mapped = 0;
    lines->text = str_of("", 0);
}

/* Everything that was read, and what was gathered. */
static void forget(struct lines *lines)
{
    unmap(lines);
    buf_free(&lines->copy);
    buf_clear(&lines->out);
    buf_free(&lines->recent);
    lines->size = lines->length = 0;
    lines->window_len = 0;
}

void lines_close(struct lines *lines)
{
    if (lines == NULL)
        return;
    if (lines->fd >= 0)
        close(lines->fd);
    forget(lines);
    buf_free(&lines->out);
    free(lines->window);
    free(lines->folder);
    free(lines->path);
    free(lines);
}

const char *lines_path(const struct lines *lines)
{
    return lines->path;
}

/* ---- the file as it was loaded ---- */

static int map(struct lines *lines, size_t size)
{
    void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, lines->fd, 0);
    if (text == MAP_FAILED)
        return -1;
    unmap(lines);
    lines->text = str_of(text, size);
    lines->mapped = size;
    return 0;
}

/* Mapped, not read: its pages do not count as our memory. Only we shorten a file that we have
 * locked. Without the lock another run may, and then a mapping would kill us with SIGBUS. */
static int get_text(struct lines *lines, struct err *err)
{
    if (lines->mode == LINES_READ) {
        if (file_read(lines->fd, &lines->copy, lines->path, err) < 0)
            return -1;
        lines->text = buf_str(&lines->copy);
    } else if (map(lines, (size_t)lines->size) < 0) {
        return err_errno(err, ERR_IO, errno, "cannot read %s", lines->path);
    }
    return 0;
}

int lines_load(struct lines *lines, struct err *err)
{
    struct stat status;
    forget(lines);
    if (lines->fd < 0)
        return 0;
    if (fstat(lines->fd, &status) < 0 || !S_ISREG(status.st_mode))
        return err_set(err, ERR_CREATE, "%s is not a file; give another state_dir", lines->path);
    lines->size = (uint64_t)status.st_size;
    if (lines->size > 0 && get_text(lines, err) < 0)
        return -1;
    while (lines->text.len > 0 && lines->text.ptr[lines->text.len - 1] != '\n')
        lines->text.len--; /* a torn end says nothing */
    lines->length = lines->text.len;
    return 0;
}

struct str lines_text(const struct lines *lines)
{
    return lines->text;
}

uint64_t lines_size(const struct lines *lines)
{
    return lines->size;
}

int lines_cut(struct lines *lines, struct err *err)
{
    if (lines->mode == LINES_READ || lines->length == lines->size)
        return 0;
    if (ftruncate(lines->fd, (off_t)lines->length) < 0)
        return err_errno(err, ERR_IO, errno, "cannot cut the torn end off %s", lines->path);
    return 0;
}

int lines_set_aside(struct lines *lines, const char *aside, struct err *err)
{
    forget(lines);
    if (lines->mode == LINES_READ)
        return 0;
    close(lines->fd);
    lines->fd = -1;
    if (rename(lines->path, aside) < 0)
        return err_errno(err, ERR_IO, errno, "cannot move %s aside", lines->path);
    return open_file(lines, err);
}

int lines_replace(struct lines *lines, const char *path, int fd, struct err *err)
{
    if (rename(path, lines->path) < 0)
        return err_errno(err, ERR_IO, errno, "cannot rename %s", path);
    /* Closed, the old file's inode is free, and may be another file's on the disk before the folder
     * says that it is not the journal any more. */
    struct err ignored; /* then the next lines that must last try again */
    lines->settled = !lines->durable;
    (void)lines_settle(lines, &ignored);
    close(lines->fd);
    lines->fd = fd;
    forget(lines);
    off_t end = lseek(fd, 0, SEEK_END);
    lines->broken = lines->broken || end < 0;
    lines->length = (uint64_t)(end < 0 ? 0 : end);
    return 0;
}

void lines_remap(struct lines *lines)
{
    if (lines->mode == LINES_WRITE && lines->length > lines->text.len)
        (void)map(lines, (size_t)lines->length); /* if it fails: it is read, slower */
}

/* A private mapping that nobody writes to: its pages come back from the page cache. */
void lines_release(const struct lines *lines)
{
#ifdef MADV_DONTNEED
    if (lines->mapped > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr): const has to go */
        madvise((void *)(uintptr_t)lines->text.ptr, lines->mapped, MADV_DONTNEED);
#else
    (void)lines;
#endif
}

/* ---- looking at lines ---- */

/* Does the window have all that a line around this offset can be? */
static bool is_in_window(const struct lines *lines, uint64_t at)
{
    uint64_t end = lines->window_at + lines->window_len;
    uint64_t from = at > BEFORE ? at - BEFORE : 0;
    return lines->window_len > 0 && from >= lines->window_at &&
           (end >= at + LINES_MAX || (end == lines->length && at < end));
}

/* What is gone from a file of ours would be taken for new and come twice: then this is the end. */
static void read_window(struct lines *lines, uint64_t at)
{
    uint64_t from = at > BEFORE ? at - BEFORE : 0, left = lines->length - from;
    size_t len = 0, want = left < WINDOW ? (size_t)left : WINDOW;
    while (len < want) {
        ssize_t n = pread(lines->fd, lines->window + len, want - len, (off_t)(from + len));
        if (n == 0 || (n < 0 && errno != EINTR))
            xdie("a journal cannot be read again");
        len += n > 0 ? (size_t)n : 0;
    }
    lines->window_at = from;
    lines->window_len = len;
}

/* A piece of text that has the line; *at becomes the offset in it. */
static struct str piece_at(struct lines *lines, uint64_t *at)
{
    if (*at < lines->text.len)
        return lines->text;
    if (*at >= lines->length) {
        *at -= lines->length;
        return buf_str(&lines->out);
    }
    if (*at - lines->recent_at < lines->recent.len) {
        *at -= lines->recent_at;
        return buf_str(&lines->recent);
    }
    if (!is_in_window(lines, *at))
        read_window(lines, *at);
    *at -= lines->window_at;
    return str_of(lines->window, lines->window_len);
}

struct str lines_word(struct lines *lines, uint64_t at, size_t max)
{
    struct str piece = piece_at(lines, &at);
    const char *from = piece.ptr + at;
    size_t len = 0;
    if (max > piece.len - at)
        max = piece.len - at;
    while (len < max && from[len] != ' ' && from[len] != '\n')
        len++;
    return str_of(from, len);
}

struct str lines_line(struct lines *lines, uint64_t at)
{
    struct str piece = piece_at(lines, &at);
    const char *end = memchr(piece.ptr + at, '\n', piece.len - at);
    while (at > 0 && piece.ptr[at - 1] != '\n')
        at--;
    return end == NULL ? str_of("", 0) : str_of(piece.ptr + at, (size_t)(end - (piece.ptr + at)));
}

/* ---- writing ---- */

/* Room for the next one is made behind it, so that views do not move when that is added. */
int lines_add(struct lines *lines, struct str text, uint64_t *at)
{
    *at = lines->length + lines->out.len;
    buf_add(&lines->out, text.ptr, text.len);
    if (buf_reserve(&lines->out, LINES_MAX) == NULL)
        lines->broken = true; /* half of what is to be said would pass for all of it */
    return lines->broken ? -1 : 0;
}

bool lines_is_dirty(const struct lines *lines)
{
    return lines->out.len > 0;
}

bool lines_are_whole(const struct lines *lines)
{
    return !lines->broken && lines->out.len == 0;
}

/* ---- names ---- */

void lines_identity(const struct lines *lines, char out[LINES_IDENTITY])
{
    struct stat status;
    out[0] = '\0';
    if (fstat(lines->fd, &status) == 0)
        snprintf(out, LINES_IDENTITY, "%llu %llu", (unsigned long long)status.st_dev,
                 (unsigned long long)status.st_ino);
}

void lines_trust_names(struct lines *lines)
{
    lines->settled = true;
}

/* The process that made them may not have lived to do it. Nothing counts on them before the first
 * line that must last: a poll with nothing new, or of a server that is not there, has no use for
 * the two flushes. */
int lines_settle(struct lines *lines, struct err *err)
{
    if (!lines->settled && (file_make_folder(lines->folder, true, err) < 0 ||
                            file_sync_folder(lines->folder, NULL, err) < 0))
        return -1;
    lines->settled = true;
    return 0;
}

/* ---- the disk ---- */

static int flush(const struct lines *lines, struct err *err)
{
    return lines->durable ? file_datasync(lines->fd, lines->path, err) : 0;
}

int lines_flush(struct lines *lines, struct err *err)
{
    return lines_settle(lines, err) < 0 ? -1 : flush(lines, err);
}

static int append(struct lines *lines, bool must_last, struct err *err)
{
    if (must_last && lines_settle(lines, err) < 0)
        return -1;
    if (lseek(lines->fd, (off_t)lines->length, SEEK_SET) < 0)
        return err_errno(err, ERR_IO, errno, "cannot write %s", lines->path);
    if (file_write(lines->fd, lines->out.data, lines->out.len, lines->path, err) < 0)
        return -1;
    return must_last ? flush(lines, err) : 0;
}

/* Gathered lines become those that were written last, unless they are too many to be kept. */
static void keep_recent(struct lines *lines)
{
    struct buf unused = lines->recent;
    lines->recent = lines->out;
    lines->recent_at = lines->length;
    lines->length += lines->out.len;
    lines->out = unused;
    buf_clear(&lines->out);
    if (lines->recent.len > RECENT_MAX)
        buf_free(&lines->recent);
}

int lines_sync(struct lines *lines, bool must_last, struct err *err)
{
    if (lines->out.len == 0)
        return 0;
    if (lines->broken || lines->mode == LINES_READ)
        return err_set(err, ERR_IO, "%s could not be written before; the next run tries again",
                       lines->path);
    if (append(lines, must_last, err) < 0) {
        /* What is half written says nothing that holds; a cut that fails too is a torn end. */
        lines->broken = true;
        if (ftruncate(lines->fd, (off_t)lines->length) < 0)
            return -1;
        return -1;
    }
    keep_recent(lines);
    return 0;
}
