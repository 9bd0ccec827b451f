/* SPDX-License-Identifier: ISC */
/*
 * session: one account, one poll.
 *
 * Recover, deliver what is kept here, then one connection after the other (session/connection.h)
 * for as long as another one is worth it, and the sum of it all. No bytes of mail pass through
 * here.
 */
#ifndef FP_SESSION_SESSION_H
#define FP_SESSION_SESSION_H

#include "base/err.h"
#include "session/run.h"

/* Polls once. 0: ran well, mail or not. -1: err is the worst thing that happened; figures hold what
 * was done all the same. Messages that failed alone were logged; if nothing else went wrong,
 * figures.told is set and err has kind ERR_MESSAGE (or ERR_AGAIN if all of them may work later) and
 * no text. */
int session_poll(struct session_run *run, struct err *err);

/* The part of a poll that needs no connection: recovers, and delivers what is kept here. */
int session_deliver(struct session_run *run, struct err *err);

#endif
