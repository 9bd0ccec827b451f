/* SPDX-License-Identifier: ISC */
/*
 * recover: how every run starts. What an earlier one left open is settled before anything else, by
 * the journal and the destination alone, without a connection.
 */
#ifndef FP_SESSION_RECOVER_H
#define FP_SESSION_RECOVER_H

#include "base/err.h"
#include "session/routes.h"
#include "session/run.h"
#include "state/journal.h"

/* For each open take: found at its destination and made durable by this process, it is done; else
 * it is dropped, and its message will be fetched again. Then leftover files are removed from the
 * places of the settings and of the last run. What a run under the mailbox's former name left
 * carries the id of that one, and is looked for first. What is done counts as fetched, and
 * is told.
 *
 * 0; or 1, and why in err: some of the takes cannot be settled now. They stay open, nothing is
 * removed, and the run can go on without them. -1: it cannot, nor if its only destination is
 * locked. */
int recover(struct journal *journal, const struct deliver_settings *settings,
            struct session_run *run, struct err *err);

/* Records where this run will spool, if that is new, and that the destinations are there today.
 * Once more at the end: an mbox may have been made meanwhile. */
int recover_record_places(struct journal *journal, const struct routes *routes, int64_t now,
                          struct err *err);

/* -1 and ERR_CREATE if a Maildir or mbox of the settings is not there, and an earlier run found it
 * there, or it belongs on a disk that is not mounted (base/mounts.h). */
int recover_find_places(const struct journal *journal, const struct deliver_settings *settings,
                        struct err *err);

#endif
