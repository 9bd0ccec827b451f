/* SPDX-License-Identifier: ISC */
/*
 * connection: what a poll does on one connection, from the login to QUIT: list, match, decide,
 * verify, fetch, delete. How many connections it takes is the story of session/session.h.
 */
#ifndef FP_SESSION_CONNECTION_H
#define FP_SESSION_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/manners.h"
#include "session/poll.h"
#include "session/queue.h"

/* Zeroed at first, but for what is borrowed; one for all connections of a poll, one after the
 * other. */
struct connection {
    struct poll *poll;       /* borrowed */
    struct manners *manners; /* borrowed; begun */

    /* Of the one that there is. */
    struct pop3 *pop3; /* NULL: none */
    struct listing listing;
    struct queue verified; /* may be deleted: delivered by an earlier run, and the same; or by a
                            * rule */
    int64_t next_noop;     /* clock_ms() */
    bool top_broke;        /* it ended over TOP */

    /* Of the last one. */
    bool let_in;         /* it got through the login */
    bool listed;         /* a listing came on it */
    bool dele_undone;    /* some were accepted on it, and it may not end with QUIT */
    bool dele_left;      /* some were left for another one */
    int64_t login_delay; /* as the server announces it (seconds); -1: not said */

    /* Of all that there were. */
    bool one_by_one;   /* one command at a time: set by the caller when several got no answer */
    bool counted;      /* figures of the listing are there: later connections see less */
    bool faulted;      /* one ended over a message that is known */
    bool new_day;      /* it was the first complete listing of its day */
    bool listing_junk; /* lines in both lists that make no sense */
    uint32_t missing;  /* messages that STAT counts and no list has */
    uint32_t slice;    /* messages in the last listing, if none of them was to stay as it is */
    bool unsure; /* it had messages that may all look new once more: no UIDL, or one that does not
                  * identify them */
};

/* Connects, and does what can be done on this connection: its figures are in poll->run, what is
 * left of it in `connection`. Else err, see enum connection_end. */
enum connection_end connection_poll(struct connection *connection, struct err *err);

/* NOOP from time to time, so that the server does not hang up while a command takes its time; ctx
 * is the struct connection. */
void connection_keep_alive(void *ctx);

/* True if commands go out one at a time: some servers announce PIPELINING and lose what comes
 * behind the first command of a write. */
bool connection_is_one_by_one(const struct connection *connection);

/* True if the last listing may have been a part of the mailbox: nothing of it was known, and it was
 * longer than any that was all. */
bool connection_may_be_slice(const struct connection *connection);

#endif
