/* SPDX-License-Identifier: ISC */
/*
 * fingerprints: what tells messages apart beside their UIDLs: digests of their headers
 * (session/headers.h).
 */
#ifndef FP_SESSION_FINGERPRINTS_H
#define FP_SESSION_FINGERPRINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/header.h"
#include "pop3/pop3.h"
#include "session/habits.h"
#include "state/journal.h"

struct fingerprints {
    struct pop3 *pop3;
    const struct habits *habits; /* borrowed */
    const uint32_t *numbers;     /* borrowed */
    size_t count;
    /* Called in order, once for each: fingerprint->known is false if the server refused, or cannot
     * be asked for headers. */
    void (*fingerprint)(void *ctx, uint32_t number, const struct fingerprint *fingerprint);
    /* Before that, the Date of its header; empty if none came. NULL: nobody wants to know. */
    void (*date)(void *ctx, uint32_t number, struct str date);
    void *ctx;
};

/* Of a message that was retrieved, or of what TOP showed of it. Once for each header. */
struct fingerprint fingerprints_of(struct header *header, bool retrieved);

/* What two fingerprints say of two messages under one UIDL. */
enum fingerprints_verdict {
    FINGERPRINTS_SAME,   /* one message */
    FINGERPRINTS_ALIKE,  /* the same header, but an anonymous one: many messages may have it */
    FINGERPRINTS_UNSURE, /* they cannot be compared: one is not known, or another command's */
    FINGERPRINTS_OTHER   /* two messages, unless the server's headers change */
};
enum fingerprints_verdict fingerprints_compare(const struct fingerprint *a,
                                               const struct fingerprint *b);

/* The same by what identifies them alone, whatever else is in their headers: Message-ID and Date,
 * or the body of a message without a Message-ID. UNSURE if one of them does not show it. */
enum fingerprints_verdict fingerprints_compare_identity(const struct fingerprint *a,
                                                        const struct fingerprint *b);

/* Both are known, and the headers are equal, whatever identifies them. */
bool fingerprints_equal(const struct fingerprint *a, const struct fingerprint *b);

/* Asks for all of them. -1: as headers_run. */
int fingerprints_run(const struct fingerprints *asked, struct err *err);

#endif
