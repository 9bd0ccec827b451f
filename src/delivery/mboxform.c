/* SPDX-License-Identifier: ISC */
#include "delivery/mboxform.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/spooldir.h"

#define OUT_MAX 16384

static const char mark[] = "From ";
#define MARK_LEN (sizeof mark - 1)

/* While the body streams past. Where '>' stand at the front of a line, one more may be put behind
 * them as well as before: so they need not be kept until "From " is seen, however many they are. */
struct quoting {
    bool inside;    /* of a line that is known to need nothing */
    size_t matched; /* bytes of "From " seen at the front of this line, and not yet written */
    bool ended;     /* the last byte was LF, or there was none */
    size_t len;
    char out[OUT_MAX];
};

static int flush(struct parcel *parcel, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    size_t len = quoting->len;
    quoting->len = 0;
    return spool_write(parcel, quoting->out, len, err);
}

static int put(struct parcel *parcel, const char *bytes, size_t len, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    if (len > OUT_MAX - quoting->len && flush(parcel, err) < 0)
        return -1;
    if (len > OUT_MAX)
        return spool_write(parcel, bytes, len, err);
    if (len > 0)
        memcpy(quoting->out + quoting->len, bytes, len);
    quoting->len += len;
    return 0;
}

/* Writes what was kept of "From ". */
static int put_matched(struct parcel *parcel, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    size_t len = quoting->matched;
    quoting->matched = 0;
    return put(parcel, mark, len, err);
}

/* The front of a line, one byte: 1 if it was taken, 0 if the rest of the line needs nothing. */
static int take_front(struct parcel *parcel, char c, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    if (c == '>' && quoting->matched == 0)
        return put(parcel, &c, 1, err) < 0 ? -1 : 1;
    if (c == mark[quoting->matched]) {
        if (++quoting->matched < MARK_LEN)
            return 1;
        quoting->inside = true;
        return put(parcel, ">", 1, err) < 0 || put_matched(parcel, err) < 0 ? -1 : 1;
    }
    quoting->inside = true;
    return put_matched(parcel, err);
}

static int quote(struct parcel *parcel, const char *bytes, size_t len, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    if (len > 0)
        quoting->ended = bytes[len - 1] == '\n';
    for (size_t at = 0; at < len;) {
        if (!quoting->inside) {
            int taken = take_front(parcel, bytes[at], err);
            if (taken < 0)
                return -1;
            at += (size_t)taken;
            continue;
        }
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t part = end == NULL ? len - at : (size_t)(end - (bytes + at)) + 1;
        if (put(parcel, bytes + at, part, err) < 0)
            return -1;
        quoting->inside = end == NULL;
        at += part;
    }
    return 0;
}

int mboxform_into(struct parcel *parcel, struct err *err)
{
    if (lseek(parcel->fd, MBOXFORM_BODY, SEEK_SET) < 0)
        return err_errno(err, ERR_IO, errno, "cannot write %s", parcel->path);
    struct quoting *quoting = xmalloc(sizeof *quoting);
    quoting->inside = false;
    quoting->matched = 0;
    quoting->ended = true;
    quoting->len = 0;
    parcel->extra = quoting;
    parcel->transform = quote;
    return 0;
}

/* "From sender Thu Jan  1 00:00:00 1970": as asctime(3) has it, the locale left out of it. */
static size_t from_line(const struct parcel *parcel, int64_t now, char out[MBOXFORM_BODY])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const char *sender = header_sender(parcel->header);
    time_t seconds = (time_t)now;
    struct tm utc = {.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    gmtime_r(&seconds, &utc);
    int len = snprintf(out, MBOXFORM_BODY, "From %s %s %s %2d %02d:%02d:%02d %d\n",
                       sender[0] != '\0' ? sender : "MAILER-DAEMON", days[utc.tm_wday],
                       months[utc.tm_mon], utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                       utc.tm_year + 1900);
    return (size_t)len;
}

int mboxform_end(struct parcel *parcel, int64_t now, struct err *err)
{
    struct quoting *quoting = parcel->extra;
    if (put_matched(parcel, err) < 0 || (!quoting->ended && put(parcel, "\n", 1, err) < 0) ||
        put(parcel, "\n", 1, err) < 0 || flush(parcel, err) < 0)
        return -1;
    off_t end = lseek(parcel->fd, 0, SEEK_CUR);
    if (end < 0)
        return err_errno(err, ERR_IO, errno, "cannot write %s", parcel->path);
    char line[MBOXFORM_BODY];
    size_t len = from_line(parcel, now, line);
    if (span_write(parcel->fd, parcel->path, MBOXFORM_BODY - len, line, len, err) < 0)
        return -1;
    struct mboxform *form = xcalloc(1, sizeof *form);
    form->first = MBOXFORM_BODY - len;
    form->length = (uint64_t)end - form->first;
    free(quoting);
    parcel->extra = form;
    parcel->transform = NULL;
    return 0;
}

struct span mboxform_span(const struct parcel *parcel)
{
    const struct mboxform *form = parcel->extra;
    return (struct span){
        .fd = parcel->fd, .path = parcel->path, .offset = form->first, .length = form->length};
}

int mboxform_begin(struct deliver *deliver, struct parcel **parcel, struct err *err)
{
    const struct spooldir *spool = deliver->state;
    /* What begins with a hole is taken for no message (keep.c). */
    if (spool_begin(parcel, spool->fd, spool->path, SPOOL_WHOLE, &deliver->names, err) < 0)
        return -1;
    if (mboxform_into(*parcel, err) == 0)
        return 0;
    spool_drop(*parcel);
    return -1;
}

int mboxform_finish(struct deliver *deliver, struct parcel *parcel, struct err *err)
{
    (void)deliver;
    return mboxform_end(parcel, clock_wall(), err);
}

int mboxform_digest(struct parcel *parcel, struct err *err)
{
    struct mboxform *form = parcel->extra;
    struct span span = mboxform_span(parcel);
    return span_digest(&span, form->digest, err);
}

/* ---- undoing it ---- */

struct plain {
    struct sink sink;
    size_t len;
    char out[4096];
};

static int drain(struct plain *plain, struct err *err)
{
    size_t len = plain->len;
    plain->len = 0;
    return len == 0 ? 0 : plain->sink.write(plain->sink.ctx, plain->out, len, err);
}

static void emit(struct plain *plain, const char *bytes, size_t len)
{
    memcpy(plain->out + plain->len, bytes, len);
    plain->len += len;
}

/* The front of a line. True if the byte was taken; else the rest of the line is as it was. */
static bool undo_front(struct mboxform_undo *undo, struct plain *plain, char c)
{
    if (c == '>' && undo->matched == 0) {
        if (undo->quoted)
            emit(plain, ">", 1);
        undo->quoted = true;
        return true;
    }
    if (undo->quoted && c == mark[undo->matched]) {
        undo->inside = ++undo->matched == MARK_LEN;
        if (undo->inside)
            emit(plain, mark, MARK_LEN);
        return true;
    }
    if (undo->quoted)
        emit(plain, ">", 1);
    emit(plain, mark, undo->matched);
    undo->inside = true;
    return false;
}

static void undo_byte(struct mboxform_undo *undo, struct plain *plain, char c)
{
    if (undo->ended)
        emit(plain, "\n", 1);
    undo->ended = false;
    if (!undo->inside && undo_front(undo, plain, c))
        return;
    if (c != '\n') {
        emit(plain, &c, 1);
        return;
    }
    undo->ended = true;
    undo->inside = undo->quoted = false;
    undo->matched = 0;
}

int mboxform_undo(struct mboxform_undo *undo, const char *bytes, size_t len, struct err *err)
{
    struct plain plain = {.sink = undo->sink};
    for (size_t i = 0; i < len; i++) {
        undo_byte(undo, &plain, bytes[i]);
        if (plain.len > sizeof plain.out - 16 && drain(&plain, err) < 0)
            return -1;
    }
    return drain(&plain, err);
}
