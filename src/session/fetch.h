/*
 * fetch: the mail itself. RETR of the whole plan flows through one window; complete messages gather
 * in batches; DELE for a batch that is done rides along in the same pipe.
 *
 * A message counts as complete only when what follows it is in step: the next answer's status line,
 * or silence. So a server that forgets to stuff a dot costs a connection, never half a mail.
 */
#ifndef FP_SESSION_FETCH_H
#define FP_SESSION_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/batch.h"
#include "session/listing.h"
#include "session/plan.h"
#include "session/session.h"

#define FETCH_SUSPECTS 32

/* A message that a framing fault cost us a connection for; if it comes through later in the same
 * poll, nobody hears of it. */
struct fetch_suspect {
    uint32_t entry; /* JOURNAL_NONE: it cannot be told again in another listing */
    char name[LOG_QUOTE_MAX + 40];
    char why[LOG_QUOTE_MAX + 64];
};

/* What one poll keeps over its connections. Owned by session.c. */
struct fetch_job {
    struct session_run *run;
    struct journal *journal;
    struct deliver *deliver;
    struct plan_rules rules;
    int64_t deadline;     /* clock_ms(): no new message is begun after it */
    bool cut_short;       /* it passed, or INT or TERM came, with messages left */
    uint32_t later;       /* messages that may work later: not counted as tries */
    uint32_t refused;     /* messages that failed: counted */
    struct fetch_suspect suspects[FETCH_SUSPECTS];
    uint32_t suspect_count;
    struct err local;     /* trouble on our side of the wire; kind ERR_NONE: none */
};

/* Fetches what the listing's actions say. `verified` are numbers of messages of earlier runs that
 * may be deleted. 0: the pipe is empty and in step, all there is to be had is committed; numbers
 * that the server took DELE for are in *deleted (malloced, *deleted_count). -1: the connection is
 * lost; what was complete is committed all the same, and nothing was deleted on the server. */
int fetch_run(struct fetch_job *job, struct pop3 *pop3, struct listing *listing,
              const uint32_t *verified, uint32_t verified_count, uint32_t **deleted,
              uint32_t *deleted_count, struct err *err);

/* What the plan needs to know of a message. */
struct plan_message fetch_plan_message(const struct journal *journal,
                                       const struct message *message);

/* After the last connection: suspects that did not come through are told and counted. */
void fetch_tell_suspects(struct fetch_job *job);

/* Counts a failure of a message in the journal, tells it, and holds it after max_tries. */
void fetch_refuse(struct fetch_job *job, struct listing *listing, struct message *message,
                  const char *why);

#endif
