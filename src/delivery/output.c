/* SPDX-License-Identifier: ISC */
/*
 * Standard output (-m -): each message in the form of an mbox (mboxrd), one after the other.
 *
 * What a pipe holds when the reader dies is lost, and nobody can say whether the last message was
 * read. So one counts as delivered once all of it was written (and flushed, where the output is a
 * file); a take that is still open is kept and written again, and a crash can show that one message
 * twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "delivery/handover.h"
#include "delivery/mboxform.h"

#define PIECE 65536
#define POLL_MS 1000
#define NAME "standard output"

/* fill_standard in app/app.c puts /dev/null in the place of one that is closed. */
static int probe(const struct deliver_settings *settings, struct err *err)
{
    (void)settings;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return 0;
    return err_set(err, ERR_CREATE, "%s cannot be written to; redirect it to a file or a pipe",
                   NAME);
}

/* Whoever has the other end may have made it one that does not block: then it is waited for. */
static int write_piece(const char *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(err, ERR_IO, errno, "cannot write %s", NAME);
        struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN)
            poll(&wait, 1, POLL_MS);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_span(const struct span *span, struct err *err)
{
    char piece[PIECE];
    for (uint64_t at = 0; at < span->length;) {
        uint64_t left = span->length - at;
        ssize_t n = span_read(span->fd, span->offset + at, piece,
                              left < sizeof piece ? (size_t)left : sizeof piece);
        if (n <= 0)
            return err_errno(err, ERR_IO, n < 0 ? errno : EIO, "cannot read %s", span->path);
        if (write_piece(piece, (size_t)n, err) < 0)
            return -1;
        at += (uint64_t)n;
    }
    return 0;
}

/* A pipe and a terminal have nothing to flush. */
static int flush(const struct deliver *deliver, struct err *err)
{
    struct stat info;
    bool file = fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode);
    return file && deliver->settings->durable ? file_sync(STDOUT_FILENO, NAME, err) : 0;
}

static int publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct span span = mboxform_span(batch[i]);
        if (write_span(&span, err) < 0 || flush(deliver, err) < 0)
            return -1;
        batch[i]->outcome = PARCEL_DELIVERED;
    }
    return 0;
}

static int check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                 struct err *err)
{
    (void)settings;
    (void)err;
    for (size_t i = 0; i < n; i++)
        claims[i].found = DELIVER_AGAIN;
    return 0;
}

/* It was not written, or not to its end. Quotes make its file longer than the message. */
static int find(const struct deliver_settings *settings, struct str receipt, int *fd,
                struct err *err)
{
    struct deliver_file file;
    struct stat status;
    *fd = -1;
    if (handover_read_receipt(receipt, &file) < 0)
        return 1;
    char *path = xasprintf("%s/spool/%s", settings->state_dir, file.name);
    *fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0);
    int result = *fd >= 0 && fstat(*fd, &status) == 0 ? 0
                 : errno == ENOENT                    ? 1
                                   : err_errno(err, ERR_IO, errno, "cannot open %s", path);
    if (result == 0 && (uint64_t)status.st_size < MBOXFORM_BODY + file.octets)
        result = 1;
    if (result != 0 && *fd >= 0)
        close(*fd);
    free(path);
    return result;
}

/* What nobody reads is copied by recovery. */
static uint64_t room(const struct deliver *deliver)
{
    return spooldir_share(handover_room(deliver), 2);
}

const struct kind output_kind = {
    .name = "output",
    .unit = 1,
    .is_command = true,
    .quotes = true,
    .probe = probe,
    .open = handover_open,
    .close = handover_close,
    .room = room,
    .place = handover_place,
    .begin = mboxform_begin,
    .finish = mboxform_finish,
    .secure = handover_secure,
    .receipt = handover_receipt,
    .publish = publish,
    .check = check,
    .find = find,
    .sweep = spooldir_sweep,
};
