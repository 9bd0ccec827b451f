/* SPDX-License-Identifier: ISC */
/*
 * receive: what becomes of a message that comes in.
 *
 * Its body (session/body.h) counts as complete only when what follows it is in step: the next
 * answer's status line, or silence; until then it is pending. Then it joins the batch, or is
 * dropped if it turns out to be one that we have, or is not believed (session/belief.h).
 */
#ifndef FP_SESSION_RECEIVE_H
#define FP_SESSION_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/batch.h"
#include "session/body.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"
#include "session/refusals.h"

struct receiver {
    struct poll *poll; /* borrowed, as the next two */
    struct pop3 *pop3;
    struct listing *listing;
    struct queue dele;       /* may have their DELE; `at` is the owner's to free */
    struct batch batch;      /* complete, and not committed yet */
    struct queue coming;     /* RETR went out; `at` is the owner's to free */
    struct body body;        /* of the first of these */
    uint64_t budget;         /* octets there is room for */
    int64_t shown;           /* clock_ms() when progress was told last */
    struct queue *again;     /* to be asked for once more; borrowed */
    struct plan_spent spent; /* what came in this run and is wanted */
    uint32_t owed;           /* of these, how many have not come; all were shown already */
    struct refusals refusals;
    struct {                     /* the last answer to a RETR, until it is confirmed */
        struct message *message; /* NULL: there is none */
        struct arrival arrival;  /* complete; without a parcel if it is a refusal, ... */
        struct refusal refusal;  /* ... this one */
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

/* Drops all that is not committed, and the body under way. */
void receive_drop_all(struct receiver *in);

/* Trouble on our side, which affects every message: no other one is begun. */
void receive_trouble(struct receiver *in, const struct err *err);

#endif
