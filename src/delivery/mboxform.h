/* SPDX-License-Identifier: ISC */
/*
 * mboxform: a message in the form in which an mbox holds it (mboxrd).
 *
 * The spool file holds the body from MBOXFORM_BODY on, each line of ">*From " with one more '>'; a
 * final LF if it had none; and a blank line. The `From sender date` line is known only once the
 * header has passed: it is written last, right before the body. So the stretch from there to the
 * end of the file is exactly what is appended to the mbox.
 */
#ifndef FP_DELIVERY_MBOXFORM_H
#define FP_DELIVERY_MBOXFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/sink.h"
#include "delivery/kind.h"
#include "delivery/span.h"
#include "delivery/spool.h"

#define MBOXFORM_BODY 512 /* longer than any From_ line of ours */

/* What parcel->extra points to once mboxform_end succeeded. */
struct mboxform {
    uint64_t first; /* where its From_ line begins in the spool file */
    uint64_t length;
    unsigned char digest[DIGEST_SIZE]; /* after mboxform_digest */
};

/* Verbs of a struct kind whose own state begins with a struct spooldir. */
int mboxform_begin(struct deliver *deliver, struct parcel **parcel, struct err *err);
int mboxform_finish(struct deliver *deliver, struct parcel *parcel, struct err *err);

/* Makes a parcel that was just begun take its bytes in this form. */
int mboxform_into(struct parcel *parcel, struct err *err);

/* Ends it; `now` (seconds since 1970) is the date of delivery, written in UTC. */
int mboxform_end(struct parcel *parcel, int64_t now, struct err *err);

/* Reads the file back and works out the digest. */
int mboxform_digest(struct parcel *parcel, struct err *err);

/* The other way: what was put in is taken out of what stands in the file from MBOXFORM_BODY on,
 * given in pieces. Zeroed but for the sink. */
struct mboxform_undo {
    struct sink sink;
    bool inside;    /* of a line that is known to hold no more of it */
    bool quoted;    /* a '>' that may be ours was seen, and not written */
    size_t matched; /* bytes of "From " behind it */
    bool ended;     /* an LF was seen, and not written: the last one is ours */
};
int mboxform_undo(struct mboxform_undo *undo, const char *bytes, size_t len, struct err *err);

/* What is to be appended. */
struct span mboxform_span(const struct parcel *parcel);

#endif
