/*
 * recover: how every run starts. What an earlier one left open is settled before anything else, by
 * the journal and the destination alone, without a connection.
 */
#ifndef FP_SESSION_RECOVER_H
#define FP_SESSION_RECOVER_H

#include "base/err.h"
#include "delivery/deliver.h"
#include "state/journal.h"

/* For each open take: found at its destination and made durable by this process, it is done; else
 * it is dropped, and its message will be fetched again. Then litter is removed from the place that
 * was used last and from the one that will be used. */
int recover(struct journal *journal, const struct deliver_settings *settings, struct err *err);

/* Notes where this run will spool, if it is not where the last one did. */
int recover_note_place(struct journal *journal, const struct deliver *deliver, struct err *err);

#endif
