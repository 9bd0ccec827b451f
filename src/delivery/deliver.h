/* SPDX-License-Identifier: ISC */
/*
 * deliver: the verbs of delivery, the same for every kind of destination.
 *
 * session calls them in this order and writes its journal between them; that order is what makes
 * delivery exactly once (HACKING has the whole story):
 *
 *   begin .. write .. (terminator seen)    a spool file for each message
 *   secure     the batch is durable, but nobody sees it yet
 *     [journal: take, with each receipt]
 *   publish    everybody sees it, durably
 *     [journal: done]
 *   release    the spool files go
 *
 * First of all, each run finds out what became of the messages whose take is open (check). A
 * message that its destination does not take is kept (deliver_keep), and taken up again by a later
 * run (deliver_resume instead of begin .. finish).
 */
#ifndef FP_DELIVERY_DELIVER_H
#define FP_DELIVERY_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "delivery/settings.h"
#include "delivery/spool.h"

/* The name of a kind, which is also its key in the configuration file: "maildir", "mbox", "mda",
 * "lmtp". */
const char *deliver_kind_name(enum deliver_kind kind);

struct deliver;

/* Can this destination be used? What can be known before a connection is made (a Maildir path that
 * is a file, a folder that cannot be written, a command that does not exist) is found here; nothing
 * is made or changed. 0, or -1 with ERR_CREATE, ERR_CONFIG or ERR_IO. */
int deliver_probe(const struct deliver_settings *settings, struct err *err);

/* Is there mail in it that came from this very mailbox? False where the kind cannot tell. */
bool deliver_has_mail(const struct deliver_settings *settings);

/* Opens, making folders that are missing (durably). *out is the caller's until deliver_close; it is
 * not set after a failure. ERR_CREATE, ERR_IO. */
int deliver_open(struct deliver **out, const struct deliver_settings *settings, struct err *err);
void deliver_close(struct deliver *deliver); /* NULL is fine */

/* "kind path ...": where messages are spooled and, if that is elsewhere, where they go. To be
 * recorded before the first one, so that leftover files are found even after the configuration file
 * has changed. One line, escaped; goes to out. */
void deliver_place(const struct deliver_settings *settings, struct buf *out);

/* True if there is no Maildir or mbox there at all. One that was there before is on a disk that is
 * not mounted, or was removed: it is not created again. A command is never gone. */
bool deliver_is_gone(const struct deliver_settings *settings);

/* Before the first message ever goes to a place: its folders are flushed, for an earlier run may
 * have made them and died before it could. */
int deliver_settle(const struct deliver *deliver, struct err *err);

/* How many messages one publish may take: SIZE_MAX, or 1. */
size_t deliver_unit(const struct deliver *deliver);

/* True if the destination is a command, or a server: it takes its time, is told about each message,
 * and may refuse one. */
bool deliver_is_command(const struct deliver *deliver);

/* Free room for new messages, in octets. */
uint64_t deliver_room(const struct deliver *deliver);

/* A new message; the parcel is the caller's until released or dropped, and its `to` says where it
 * goes. The verbs below take parcels that were begun or resumed for this deliver. */
int deliver_begin(struct deliver *deliver, struct parcel **parcel, struct err *err);
/* Its terminator was seen; what the kind adds at the end is written. */
int deliver_finish(struct parcel *parcel, struct err *err);
/* A message that is kept in a file of this name, complete: as begin .. finish would have it. */
int deliver_resume(struct deliver *deliver, const char *name, struct parcel **parcel,
                   struct err *err);
/* It will not be delivered: its file is removed, unless it is one that is kept. */
void deliver_drop(struct parcel *parcel);

/* Makes the batch durable while nobody sees it. */
int deliver_secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err);

/* The destination's own receipt: what check needs to find this message again, as words of one line
 * (kind first), appended to out. After secure. */
void deliver_receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out);

/* Makes the batch visible and durable; each parcel's outcome is set. -1: the destination failed as
 * a whole; parcels whose outcome is still WAITING may or may not be there: their take stays open
 * and the next run looks. */
int deliver_publish(struct deliver *deliver, struct parcel *const *batch, size_t n,
                    struct err *err);

/* The message, which was not delivered, is kept, as it came: durable, in a file that release leaves
 * alone. Between secure and release. */
int deliver_keep(const struct deliver *deliver, struct parcel *parcel, struct deliver_file *file,
                 struct err *err);

/* After done: spool files go, the parcels are freed. Of one whose take stays open (its outcome is
 * WAITING) the file stays for check in the next run. */
void deliver_release(struct deliver *deliver, struct parcel **batch, size_t n);

/* Frees parcels whose take stays open: their files are left to check in the next run. */
void deliver_abandon(struct parcel **batch, size_t n);

/* Looks for each, publishes what waits complete in tmp/, and makes what is found durable in this
 * very process. Works by the receipts alone, since the configuration file may have changed. An
 * error at a place that the settings no longer name is not an error: see DELIVER_STUCK. -1 with the
 * first error: the claims that are not DELIVER_OPEN are settled all the same. */
int deliver_check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                  struct err *err);

/* Of the receipt of a Maildir or an mbox: to which of the settings it belongs, its octets there and
 * the name under which it was spooled. NULL: to none of them. */
const struct deliver_settings *deliver_read_receipt(const struct deliver_settings *settings,
                                                    struct str receipt, struct deliver_file *file);

/* Removes the mailbox's own leftover files from a place that deliver_place described. Only when no
 * take is open. A place that is gone is fine. */
int deliver_sweep(const struct deliver_settings *settings, struct str place, struct err *err);

#endif
