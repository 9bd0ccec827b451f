/* SPDX-License-Identifier: ISC */
/*
 * body: one message comes in, from its first octet to its last.
 *
 * It goes into a parcel, whose destination the rules may choose by its header: where they do, or
 * where the account wants that header changed, nothing is written before all of it is there. A
 * message is given up if it is longer than max_size, or so much longer than LIST says that it may
 * have no end; after each try, that may be more.
 */
#ifndef FP_SESSION_BODY_H
#define FP_SESSION_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/str.h"
#include "delivery/spool.h"
#include "session/listing.h"
#include "session/poll.h"
#include "state/reason.h"

#define BODY_MAX ((uint64_t)1024 * 1024 * 1024) /* octets of a message whose size is not known */

/* What came of a message. */
struct arrival {
    struct parcel *parcel;  /* NULL: none was begun */
    struct verdict verdict; /* what the rules say of it ... */
    int64_t until;          /* ... and until when (sift_judge) */
    int64_t arrived;        /* heading_arrived */
    bool exact;             /* it is as long as LIST says (set by receive.c) */
};

struct body {
    struct poll *poll; /* borrowed, as the listing */
    struct listing *listing;
    struct arrival arrival; /* so far */
    struct fields *fields;  /* while that depends on its header, what came of it ... */
    struct buf head;        /* ... and all that came, which is not written yet */
    bool like_status;       /* it begins as a status line does */
    uint64_t max;           /* octets; a longer one is taken for one without an end */
    enum reason fault;      /* why it was given up, if that is its own fault; */
    char fault_words[24];   /* and the limit that it is over */
};

/* Borrows both for the life of the connection. */
void body_init(struct body *body, struct poll *poll, struct listing *listing);

/* The next octets of this message; the first ones begin it. -1: ERR_MESSAGE, it is given up (see
 * `fault`); any other kind is trouble on our side. */
int body_write(struct body *body, struct message *message, struct str octets, struct err *err);

/* That was all of it, or it is empty. Errors as body_write. */
int body_finish(struct body *body, struct message *message, struct err *err);

/* Hands the finished message over; the parcel is the caller's. */
struct arrival body_take(struct body *body);

/* Drops the message under way, if there is one. */
void body_drop(struct body *body);

#endif
