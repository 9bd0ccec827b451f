/* SPDX-License-Identifier: ISC */
/*
 * receive: what becomes of a message that comes in.
 *
 * Its body goes into a parcel, whose destination the rules may choose by its header. A message
 * counts as complete only when what follows it is in step: the next answer's status line, or
 * silence; until then it is pending. Then it joins the batch, or is dropped if it turns out to be
 * one that we have.
 */
#ifndef FP_SESSION_RECEIVE_H
#define FP_SESSION_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/batch.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"
#include "session/refusals.h"
#include "session/sift.h"

struct receiver {
    struct poll *poll; /* borrowed, as the next two */
    struct pop3 *pop3;
    struct listing *listing;
    struct queue dele;       /* may have their DELE; `at` is the owner's to free */
    struct batch batch;      /* complete, and not committed yet */
    struct parcel *parcel;   /* being written */
    struct verdict verdict;  /* what the rules say of it ... */
    int64_t until;           /* ... and until when (sift_judge) */
    int64_t arrived;         /* heading_arrived */
    struct fields *fields;   /* while that depends on its header, what came of that ... */
    struct buf head;         /* ... and all that came, which is not written yet */
    bool like_status;        /* it begins as a status line does */
    enum reason fault;       /* why it was given up, if that is its own fault */
    char fault_words[24];    /* and the limit that it is over */
    struct queue coming;     /* RETR went out; `at` is the owner's to free */
    uint64_t body_max;       /* a longer message is taken for one without an end */
    uint64_t budget;         /* octets there is room for */
    int64_t told;            /* clock_ms() of the last progress */
    bool came;               /* a message that is believed, with something in it, has come */
    struct queue *again;     /* to be asked for once more; borrowed */
    struct plan_spent spent; /* what came in this run and is wanted */
    uint32_t owed;           /* of these, how many have not come; all were shown already */
    struct refusals refusals;
    struct {                     /* the last answer to a RETR, until it is confirmed */
        struct message *message; /* NULL: there is none */
        struct parcel *parcel;   /* complete; NULL for a refusal */
        struct verdict verdict;  /* of the parcel, until when, and when it arrived */
        int64_t until, arrived;
        struct refusal refusal; /* if it is one */
    } pending;
};

/* For one connection. `room`: how many messages may be open at once. */
void receive_init(struct receiver *in, struct poll *poll, struct pop3 *pop3,
                  struct listing *listing, size_t room);

/* May the message be asked for now, with this many octets of others on their way? If not, then
 * after a commit, or (poll->local) not in this run. */
bool receive_may_ask(struct receiver *in, const struct message *message, uint64_t on_the_way);

/* The message is about to be asked for, with this many octets of others on their way. False if
 * there is no room for it: it is put off. */
bool receive_expect(struct receiver *in, struct message *message, uint64_t on_the_way);

/* Where bodies go (struct sink); ctx is the receiver. */
int receive_body(void *ctx, const char *bytes, size_t len, struct err *err);

/* The whole answer to a RETR, as a pipe gives it. *doubtful is set if there is reason to doubt that
 * it belongs to this message. -1: ERR_FRAMING. */
int receive_answer(struct receiver *in, const struct pop3_answer *answer, int taken, bool *doubtful,
                   struct err *err);

/* What follows is in step: the pending answer is genuine. */
void receive_confirm(struct receiver *in);

/* No other message comes on this connection: refusals that are too few for a row are their
 * messages' fault. */
void receive_end_row(struct receiver *in);

/* Commits the batch. What a rule spares after all, since TOP did not show it, goes out of it
 * first. */
void receive_commit(struct receiver *in);

/* Drops the body under way, if there is one. */
void receive_drop(struct receiver *in);

/* Drops all that is not committed. */
void receive_drop_all(struct receiver *in);

/* Frees what it holds, but the queues that others own. */
void receive_end(struct receiver *in);

/* Trouble on our side, which affects every message: no other one is begun. */
void receive_trouble(struct receiver *in, const struct err *err);

#endif
