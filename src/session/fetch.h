/*
 * fetch: the mail itself, as one connection can have it. RETR of the whole plan flows through one
 * window; complete messages gather in batches; DELE for a batch that is done rides along in the
 * same pipe.
 *
 * That a message is complete (session/receive.h) is not enough: a server that forgets to stuff a
 * dot, or sends more than it was asked for, may have put somebody's words in the place of an
 * answer. Nothing of a batch is committed before the server has named the last message of it, which
 * proves that the answers before were the right ones (session/proof.h).
 */
#ifndef FP_SESSION_FETCH_H
#define FP_SESSION_FETCH_H

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"

/* Fetches what the listing's actions say. `verified` are messages of earlier runs that may be
 * deleted. CONNECTION_DONE: the pipe is empty and in step, all there is to be had is committed;
 * what the server took DELE for is in *deleted (the caller frees `at`, in any case). Else err: the
 * connection is lost; what was complete is committed all the same, and nothing was deleted on the
 * server. */
enum connection_end fetch_run(struct poll *poll, struct pop3 *pop3, struct listing *listing,
                              const struct queue *verified, struct queue *deleted, struct err *err);

#endif
