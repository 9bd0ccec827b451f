/* SPDX-License-Identifier: ISC */
/*
 * through: what the account's pipe_through makes of a message before it goes anywhere.
 *
 * The message is its standard input, and what it prints takes its place: 0: that is delivered; 99:
 * the message is dropped; anything else, or nothing printed, or nothing of the message in what is
 * printed, or more than there is room for: it is kept as it came, and a later run tries again
 * (session/kept.h). A kept message is one as it came, so it passes through the command when it is
 * taken up, whatever came of it before; unless its file says that it has passed already
 * (delivery/keep.h).
 *
 * What waits is a parcel of routes->through; what came of it is another parcel, for the
 * destination, whose `raw` the first one is until it is delivered.
 */
#ifndef FP_SESSION_THROUGH_H
#define FP_SESSION_THROUGH_H

#include "base/err.h"
#include "session/poll.h"

enum through_end { THROUGH_TAKE, THROUGH_DROP, THROUGH_LATER };

/* Runs the command over *parcel, which is complete. TAKE: *parcel is what came of it, for `to`.
 * DROP, LATER: *parcel is what it was; of LATER, its `why` says why; NULL: the command was not run,
 * since three in a row came to such an end (destination_reopen). -1: trouble on our side, or
 * ERR_STOPPED; *parcel is what it was. */
int through_run(const struct poll *poll, struct parcel **parcel, struct deliver *to,
                enum through_end *end, struct err *err);

#endif
