/* SPDX-License-Identifier: ISC */
/*
 * stub: messages of which a rule has the beginning delivered, by `TOP n 20`, and no more.
 *
 * A field on top says what it is: "X-Fetchpop-Stub: SIZE octets, UIDL". The whole stays on the
 * server, whatever keep says, and comes when it is asked for (--fetch UIDL), or when the rules have
 * it fetched. A stub that its destination does not take is not kept: the next run asks again.
 */
#ifndef FP_SESSION_STUB_H
#define FP_SESSION_STUB_H

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/poll.h"

/* Delivers those with PLAN_STUB, one after the other. Those that the server does not give are to be
 * fetched whole from then on. -1: as headers_run; trouble on our side is in poll->local. */
int stub_run(struct poll *poll, struct pop3 *pop3, struct listing *listing, struct err *err);

#endif
