/* SPDX-License-Identifier: ISC */
#include "delivery/mboxfind.h"

#include <errno.h>
#include <string.h>

#include "delivery/span.h"

#define CHUNK 65536
#define HEAD_MAX 65536
#define PEEK 24 /* longer than any name of header_is_changing */

static const char from_mark[] = "From ";
#define FROM_LEN (sizeof from_mark - 1)

/* ---- comparing without what readers add ---- */

/* A message read byte by byte, without the header fields of header_is_changing. */
struct side {
    struct span span;
    uint64_t next; /* in the span, of what is not in `bytes` yet */
    size_t at, len;
    bool failed;
    bool in_header, line_start, leave_out;
    char bytes[8192];
};

static void begin_side(struct side *side, struct span span)
{
    side->span = span;
    side->next = 0;
    side->at = side->len = 0;
    side->failed = false;
    side->in_header = side->line_start = true;
    side->leave_out = false;
}

/* At least `want` bytes ready, if there are that many. */
static size_t fill(struct side *side, size_t want)
{
    if (side->len - side->at >= want || side->failed)
        return side->len - side->at;
    side->len -= side->at;
    memmove(side->bytes, side->bytes + side->at, side->len);
    side->at = 0;
    uint64_t left = side->span.length - side->next;
    size_t room = sizeof side->bytes - side->len;
    size_t ask = left < room ? (size_t)left : room;
    ssize_t n =
        span_read(side->span.fd, side->span.offset + side->next, side->bytes + side->len, ask);
    side->failed = n < 0;
    side->len += n > 0 ? (size_t)n : 0;
    side->next += n > 0 ? (uint64_t)n : 0;
    return side->len;
}

static bool begins_changing(struct str line)
{
    if (memchr(line.ptr, ':', line.len) == NULL)
        return false;
    return header_is_changing(str_until(&line, ':'));
}

static void begin_line(struct side *side)
{
    size_t len = fill(side, PEEK);
    char first = len > 0 ? side->bytes[side->at] : '\n';
    side->line_start = false;
    if (first == '\n')
        side->in_header = side->leave_out = false;
    else if (first != ' ' && first != '\t') /* a folded line goes with its field */
        side->leave_out = begins_changing(str_of(side->bytes + side->at, len < PEEK ? len : PEEK));
}

/* The next byte that counts, or -1 at the end. */
static int next_byte(struct side *side)
{
    for (;;) {
        if (side->in_header && side->line_start)
            begin_line(side);
        if (fill(side, 1) == 0)
            return -1;
        char c = side->bytes[side->at++];
        if (side->in_header && c == '\n')
            side->line_start = true;
        if (!side->leave_out)
            return (unsigned char)c;
    }
}

/* True if what is at that place of the mbox begins with all of the spool file's message. */
static int compare_loosely(const struct span *there, const struct span *spool, bool *equal,
                           struct err *err)
{
    struct side a, b;
    begin_side(&a, *there);
    begin_side(&b, *spool);
    int x, y;
    do {
        y = next_byte(&b);
        x = y < 0 ? -1 : next_byte(&a);
    } while (x == y && y >= 0);
    *equal = y < 0 && !b.failed;
    return a.failed ? err_errno(err, ERR_IO, errno, "cannot read %s", there->path) : 0;
}

/* ---- one message, one place ---- */

struct hunt {
    const struct deliver_settings *settings;
    const struct mboxlock *lock;
    const struct appends *known;
    struct mboxfind *finds;
    size_t n;
    size_t missing; /* of those that are searched for */
};

/* What is behind a message of this length must not be the rest of a longer one. */
static bool ends_there(const struct hunt *hunt, uint64_t end)
{
    char next[FROM_LEN];
    ssize_t n = span_read(hunt->lock->fd, end, next, sizeof next);
    return n == 0 || (n == (ssize_t)sizeof next && memcmp(next, from_mark, FROM_LEN) == 0);
}

static int is_at(const struct hunt *hunt, const struct mboxfind *find, uint64_t at, bool *found,
                 struct err *err)
{
    struct span spool;
    struct span there = {.fd = hunt->lock->fd, .path = hunt->lock->path, .offset = at};
    *found = false;
    if (find->kept && mboxrepair_open_spool(hunt->settings, find->name, find->length, find->digest,
                                            &spool, NULL) == 0) {
        there.length = INT64_MAX - at; /* up to the end of the file: fields may have been added */
        int result = compare_loosely(&there, &spool, found, err);
        mboxrepair_close_spool(&spool);
        return result;
    }
    unsigned char digest[DIGEST_SIZE];
    char last;
    there.length = find->length;
    if (find->length == 0 || span_read(there.fd, at + there.length - 1, &last, 1) != 1)
        return 0; /* the file ends before */
    if (span_digest(&there, digest, err) < 0)
        return -1;
    *found = memcmp(digest, find->digest, DIGEST_SIZE) == 0;
    return 0;
}

/* The From_ line and the header, without what readers add, as a number: messages that differ there
 * need not be compared. */
static uint64_t head_hash(struct span span)
{
    struct side side;
    uint64_t hash = STR_HASH_EMPTY;
    begin_side(&side, span);
    for (size_t i = 0; i < HEAD_MAX; i++) {
        int c = next_byte(&side);
        if (c < 0 || !side.in_header)
            break;
        hash = str_hash_add(hash, (unsigned char)c);
    }
    return hash;
}

/* ---- everywhere ---- */

/* True if that entry is of one of those that we look for. */
static bool is_sought(const struct hunt *hunt, size_t entry)
{
    for (size_t i = 0; i < hunt->n; i++)
        if (strcmp(hunt->finds[i].name, hunt->known->entries[entry].name) == 0)
            return true;
    return false;
}

static bool is_taken(const struct hunt *hunt, uint64_t at)
{
    for (size_t i = 0; i < hunt->n; i++)
        if (hunt->finds[i].found && hunt->finds[i].at == at)
            return true;
    for (size_t i = 0; i < hunt->known->count; i++)
        if (hunt->known->entries[i].state == APPEND_WHOLE && hunt->known->entries[i].offset == at &&
            !is_sought(hunt, i))
            return true;
    return false;
}

/* A From_ line: is one of those that we look for behind it? */
static int consider(struct hunt *hunt, uint64_t at, struct err *err)
{
    struct span there = {.fd = hunt->lock->fd, .offset = at, .length = INT64_MAX - at};
    uint64_t hash = head_hash(there);
    bool found = is_taken(hunt, at);
    for (size_t i = 0; i < hunt->n && !found; i++) {
        struct mboxfind *find = &hunt->finds[i];
        if (find->found || !find->search || (find->kept && find->head_hash != hash) ||
            (!find->kept && !ends_there(hunt, at + find->length)))
            continue;
        if (is_at(hunt, find, at, &found, err) < 0)
            return -1;
        if (found) {
            find->found = true;
            find->at = at;
            hunt->missing--;
        }
    }
    return 0;
}

/* Each "From " at the front of a line. Chunks overlap by what it takes to see one. */
static int scan(struct hunt *hunt, struct err *err)
{
    char bytes[CHUNK];
    bytes[0] = '\n'; /* as if a line had ended before the file */
    uint64_t pos = 0;
    size_t have = 1; /* bytes[1] is at pos */
    while (hunt->missing > 0) {
        ssize_t n = span_read(hunt->lock->fd, pos + have - 1, bytes + have, sizeof bytes - have);
        if (n < 0)
            return err_errno(err, ERR_IO, errno, "cannot read %s", hunt->lock->path);
        have += (size_t)n;
        size_t i = 0;
        for (; i + FROM_LEN < have; i++)
            if (bytes[i] == '\n' && memcmp(bytes + i + 1, from_mark, FROM_LEN) == 0 &&
                consider(hunt, pos + i, err) < 0)
                return -1;
        if (n == 0)
            return 0;
        memmove(bytes, bytes + i, have - i);
        pos += i;
        have -= i;
    }
    return 0;
}

/* Reads what the spool file has to say; looks at the place where it was written. */
static int look_first(struct hunt *hunt, struct mboxfind *find, struct err *err)
{
    struct span spool;
    find->kept = mboxrepair_open_spool(hunt->settings, find->name, find->length, find->digest,
                                       &spool, NULL) == 0;
    if (find->kept) {
        find->head_hash = head_hash(spool);
        mboxrepair_close_spool(&spool);
    }
    if (find->placed && is_at(hunt, find, find->at, &find->found, err) < 0)
        return -1;
    hunt->missing += !find->found && find->search;
    return 0;
}

int mboxfind_run(const struct deliver_settings *settings, const struct mboxlock *lock,
                 const struct appends *known, struct mboxfind *finds, size_t n, struct err *err)
{
    struct hunt hunt = {.settings = settings, .lock = lock, .known = known, .finds = finds, .n = n};
    for (size_t i = 0; i < n; i++)
        if (look_first(&hunt, &finds[i], err) < 0)
            return -1;
    return scan(&hunt, err);
}
