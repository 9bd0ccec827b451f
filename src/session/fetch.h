/*
 * fetch: the mail itself. RETR of the whole plan flows through one window; complete messages gather
 * in batches; DELE for a batch that is done rides along in the same pipe.
 *
 * A message counts as complete only when what follows it is in step: the next answer's status line,
 * or silence. Where a message's length is not what LIST said, that is not enough: a server that
 * forgets to stuff a dot, or sends more than it was asked for, may have put somebody's words in the
 * place of an answer. Then nothing of the batch is committed before the server has named the last
 * message of it (its UIDL or size), which proves that the answers before were the right ones.
 */
#ifndef FP_SESSION_FETCH_H
#define FP_SESSION_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/job.h"
#include "session/listing.h"
#include "session/plan.h"

/* Fetches what the listing's actions say. `verified` are numbers of messages of earlier runs that
 * may be deleted. 0: the pipe is empty and in step, all there is to be had is committed; numbers
 * that the server took DELE for are in *deleted (malloced, *deleted_count). -1: the connection is
 * lost; what was complete is committed all the same, and nothing was deleted on the server. */
int fetch_run(struct fetch_job *job, struct pop3 *pop3, struct listing *listing,
              const uint32_t *verified, uint32_t verified_count, uint32_t **deleted,
              uint32_t *deleted_count, struct err *err);

/* What the plan needs to know of a message. */
struct plan_message fetch_plan_message(const struct fetch_job *job, const struct message *message);

#endif
