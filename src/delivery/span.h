/* SPDX-License-Identifier: ISC */
/*
 * span: a stretch of an open file, read, compared, digested and copied by position, so that nobody
 * moves a file offset that others rely on.
 */
#ifndef FP_DELIVERY_SPAN_H
#define FP_DELIVERY_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"

/* Borrows everything. */
struct span {
    int fd;
    const char *path; /* for error texts */
    uint64_t offset;
    uint64_t length;
};

/* As many of the len bytes as the file has there; fewer only at its end. -1 and errno. */
ssize_t span_read(int fd, uint64_t offset, void *bytes, size_t len);

/* Writes all of them there. ERR_IO, ERR_LOCAL (disk full). */
int span_write(int fd, const char *path, uint64_t offset, const void *bytes, size_t len,
               struct err *err);

/* SHA-256 of the stretch, all of which must be there: else ERR_IO. */
int span_digest(const struct span *span, unsigned char out[DIGEST_SIZE], struct err *err);

/* What a stretch of a file is, beside the bytes that we meant to put there. */
enum span_likeness {
    SPAN_SAME,
    SPAN_PART, /* each byte is ours or NUL */
    SPAN_OTHER
};

/* Compares `there` with the first there->length bytes of `ours`; ours NULL stands for nothing but
 * NULs. What is behind the end of either file differs; an `ours` that cannot be read does too.
 * -1 only if `there` cannot be read. */
int span_compare(const struct span *there, const struct span *ours, enum span_likeness *likeness,
                 struct err *err);

/* Copies the whole stretch to that place of another file. */
int span_copy(const struct span *from, int fd, const char *path, uint64_t offset, struct err *err);

#endif
