/* SPDX-License-Identifier: ISC */
/*
 * heading: what the account wants changed in the header of a message on its way; by default
 * nothing, since what is delivered is what the server sent.
 *
 * trace_header puts `Received:` (RFC 5322, section 3.6.7) and `X-Fetchpop-Account:` on top.
 * drop_status leaves out Status and X-Status, in which a former reader of the mailbox has noted
 * what mutt and others would show of the message as read or deleted.
 */
#ifndef FP_SESSION_HEADING_H
#define FP_SESSION_HEADING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/sink.h"
#include "base/str.h"
#include "delivery/spool.h"
#include "session/account.h"

/* True if the header of a message is to be changed, or its file's time to be its arrival's. */
bool heading_is_wanted(const struct account *account);

/* Writes the beginning of a message, its whole header or as much of it as there is, with LF line
 * ends, to the sink; what is behind the header goes there as it is. now: wall clock, seconds. */
int heading_write(const struct account *account, struct str head, int64_t now, struct sink sink,
                  struct err *err);

/* arrival_date: when the message arrived at its server, by its header; wall clock, seconds; 0: that
 * is not known, or not wanted, or later than `now`: that would be what a sender made up. */
int64_t heading_arrived(const struct account *account, const struct fields *fields, int64_t now);

/* The time of its file becomes that one, unless it is 0; once it is complete. */
void heading_set_time(const struct parcel *parcel, int64_t arrived);

#endif
