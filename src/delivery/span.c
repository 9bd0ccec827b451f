/* SPDX-License-Identifier: ISC */
#include "delivery/span.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

ssize_t span_read(int fd, uint64_t offset, void *bytes, size_t len)
{
    char *to = bytes;
    size_t have = 0;
    while (have < len) {
        ssize_t n = pread(fd, to + have, len - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

int span_write(int fd, const char *path, uint64_t offset, const void *bytes, size_t len,
               struct err *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, ERR_IO, n < 0 ? errno : EIO, "cannot write %s", path);
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static size_t chunk_of(uint64_t left)
{
    return left < CHUNK ? (size_t)left : CHUNK;
}

/* All of these bytes, or an error. */
static int read_whole(const struct span *span, uint64_t at, char *bytes, size_t len,
                      struct err *err)
{
    ssize_t n = span_read(span->fd, span->offset + at, bytes, len);
    if (n < 0)
        return err_errno(err, ERR_IO, errno, "cannot read %s", span->path);
    if ((size_t)n < len)
        return err_set(
            err, ERR_IO,
            "%s became shorter while it was read; try again when no other program writes it",
            span->path);
    return 0;
}

int span_digest(const struct span *span, unsigned char out[DIGEST_SIZE], struct err *err)
{
    char bytes[CHUNK];
    struct digest *digest = digest_new();
    for (uint64_t at = 0; at < span->length;) {
        size_t len = chunk_of(span->length - at);
        if (read_whole(span, at, bytes, len, err) < 0) {
            digest_free(digest);
            return -1;
        }
        digest_add(digest, bytes, len);
        at += len;
    }
    digest_end(digest, out);
    return 0;
}

static enum span_likeness compare_bytes(const char *there, const char *ours, size_t len)
{
    if (memcmp(there, ours, len) == 0)
        return SPAN_SAME;
    for (size_t i = 0; i < len; i++)
        if (there[i] != ours[i] && there[i] != '\0')
            return SPAN_OTHER;
    return SPAN_PART;
}

int span_compare(const struct span *there, const struct span *ours, enum span_likeness *likeness,
                 struct err *err)
{
    char a[CHUNK], b[CHUNK];
    *likeness = SPAN_OTHER;
    if (ours != NULL && ours->length < there->length)
        return 0;
    enum span_likeness so_far = SPAN_SAME;
    memset(b, 0, sizeof b);
    for (uint64_t at = 0; at < there->length;) {
        size_t len = chunk_of(there->length - at);
        ssize_t n = span_read(there->fd, there->offset + at, a, len);
        if (n < 0)
            return err_errno(err, ERR_IO, errno, "cannot read %s", there->path);
        if ((size_t)n < len ||
            (ours != NULL && span_read(ours->fd, ours->offset + at, b, len) != (ssize_t)len))
            return 0;
        enum span_likeness now = compare_bytes(a, b, len);
        so_far = now > so_far ? now : so_far;
        if (so_far == SPAN_OTHER)
            return 0;
        at += len;
    }
    *likeness = so_far;
    return 0;
}

int span_copy(const struct span *from, int fd, const char *path, uint64_t offset, struct err *err)
{
    char bytes[CHUNK];
    for (uint64_t at = 0; at < from->length;) {
        size_t len = chunk_of(from->length - at);
        if (read_whole(from, at, bytes, len, err) < 0 ||
            span_write(fd, path, offset + at, bytes, len, err) < 0)
            return -1;
        at += len;
    }
    return 0;
}
