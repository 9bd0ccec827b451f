/* SPDX-License-Identifier: ISC */
/*
 * mboxrepair: completes, or cuts off, an append to an mbox that a run of ours began and did not
 * end.
 *
 * An append reserves its whole range first (the file is made longer), and then fills it. So what a
 * killed run, or a power cut, leaves is: nothing; or a range in which each byte is ours or NUL,
 * with other programs' mail perhaps behind it. Such a range is completed in place from the spool
 * file, byte by byte where it was meant to be. If that cannot be (the range is cut short, or the
 * spool file is gone), and from the first message that is not whole to the end of the file there
 * are only bytes of ours or NULs, the file is cut there. Without a spool file only NULs count as
 * ours. Nothing else is ever cut or written.
 */
#ifndef FP_DELIVERY_MBOXREPAIR_H
#define FP_DELIVERY_MBOXREPAIR_H

#include "delivery/appends.h"
#include "delivery/mboxlock.h"
#include "delivery/settings.h"
#include "delivery/span.h"

/* Settles every open entry of every mailbox, makes the result durable in the mbox (fsync, unless
 * settings->durable is false), and only then writes the states down. */
int mboxrepair_run(const struct deliver_settings *settings, const struct mboxlock *lock,
                   struct appends *appends, struct err *err);

/* Opens the spool file `name` of a message whose mbox form is `length` bytes long with that digest:
 * 0 if it is there and right, and the span's descriptor is then the caller's to close; 1 if not;
 * -1 if that cannot be seen now. */
int mboxrepair_open_spool(const struct deliver_settings *settings, const char *name,
                          uint64_t length, const unsigned char digest[DIGEST_SIZE],
                          struct span *span, struct err *err);
void mboxrepair_close_spool(struct span *span);

#endif
