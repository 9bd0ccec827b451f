/* SPDX-License-Identifier: ISC */
/*
 * fetch: the mail itself, as one connection can have it. RETR of the whole plan, the questions that
 * prove what came, DELE and QUIT flow in one stream that does not drain (session/stream.h);
 * complete messages gather in batches, which are committed while others are on their way.
 *
 * That a message is complete (session/receive.h) is not enough: a server that forgets to stuff a
 * dot, or sends more than it was asked for, may have sent words out of a mail where an answer
 * should be. Nothing of a batch is committed before the server has named the last message of it,
 * which proves that the answers before were the right ones (session/proof.h); those behind it have
 * not been read then.
 *
 * No DELE without a durable `done`: only messages settled by batch_commit, and copies of what an
 * earlier run delivered, are queued for it. QUIT leaves in the write of the last DELEs, and
 * licenses nothing: all of them are `done`, and `gone` waits for the +OK of DELE and of QUIT. It
 * does so only where the poll met no trouble.
 */
#ifndef FP_SESSION_FETCH_H
#define FP_SESSION_FETCH_H

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"

enum fetch_quit { FETCH_QUIT_NOT_SENT, FETCH_QUIT_CONFIRMED, FETCH_QUIT_REFUSED };

struct fetched {
    struct queue deleted; /* DELE was taken */
    enum fetch_quit quit;
};

/* Fetches what the listing's actions say. `verified` are messages of earlier runs that may be
 * deleted. CONNECTION_DONE: the pipe is empty and in step, all there is to be had is committed;
 * *out says what the server took DELE for (the caller frees deleted.at, in any case) and whether
 * QUIT is still to be sent. Else err: the connection is lost; what was complete is committed all
 * the same, and nothing was deleted on the server. *out is zeroed at first, for each connection
 * anew. */
enum connection_end fetch_run(struct poll *poll, struct pop3 *pop3, struct listing *listing,
                              const struct queue *verified, struct fetched *out, struct err *err);

#endif
