/* SPDX-License-Identifier: ISC */
/*
 * adopt: messages that another program has fetched, or that are not wanted, become known: `done`,
 * to stay on the server. Nothing is fetched for that, and keep = no deletes none of them.
 */
#ifndef FP_SESSION_ADOPT_H
#define FP_SESSION_ADOPT_H

#include <stdint.h>

#include "base/err.h"
#include "session/account.h"
#include "session/listing.h"
#include "session/poll.h"

/* The journal of an account, open for what comes from a list. */
struct adoption {
    struct journal *journal;
    int64_t now;
    uint32_t taken, known; /* how many are new in the journal; were in it already */
};

/* Opens the journal, made if missing, under its lock. */
int adopt_begin(struct adoption *adoption, const struct account *account, const char *state_dir,
                struct log *log, struct err *err);

/* One UIDL, first seen at `when` (0: now). Its size and fingerprint are learnt from the server's
 * next listing. */
void adopt_uidl(struct adoption *adoption, struct str uidl, int64_t when);

/* Writes and closes. */
int adopt_end(struct adoption *adoption, struct err *err);

/* What came from a list and is in this listing: learns its size, and its fingerprint by TOP. -1: as
 * fingerprints_run. */
int adopt_learn(struct listing *listing, struct pop3 *pop3, struct err *err);

/* What is not adopted: this many messages at the end, and those of this time or later (wall clock,
 * seconds; 0: none). */
struct adopt_but {
    uint32_t newest;
    int64_t since;
};

/* Adopts what is listed and was not fetched, but for that; a Date that cannot be read is young.
 * Answers how many. -1: as fingerprints_run. */
int adopt_listing(struct poll *poll, struct listing *listing, struct pop3 *pop3,
                  const struct adopt_but *but, struct err *err);

#endif
