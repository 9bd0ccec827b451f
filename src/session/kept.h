/* SPDX-License-Identifier: ISC */
/*
 * kept: messages that were received whole and not delivered. They are our responsibility: a server
 * may show a message only once. Each run delivers them before it connects.
 *
 * The journal knows each (KEPT, or REFUSED: held, and tried at growing distances) with the name of
 * its file (delivery/keep.h). Why none is lost, and none is delivered twice, wherever a run is
 * killed or the power fails:
 *
 * - received, to kept: `take` is durable, and with it the spool file, before the destination is
 *   asked. The file that is kept is durable before `kept` is written, and the spool file goes only
 *   after that. Killed before `kept`, the take is open: recovery finds the message at its
 *   destination, or publishes it, or keeps its spool file; a copy that no entry names is swept.
 * - kept, to delivered: the kept file stays as it is, and the message goes through a batch as any
 *   other, with a spool file of its own (a command reads the kept file itself). Its `take` has the
 *   name of the kept file too. Killed before `take` is durable: still kept, the spool file is
 *   swept. Killed after it: recovery looks at the destination, as for any open take; found, it is
 *   done; else it is kept again, and the file is there, since it goes only once `done` is durable.
 *   Killed behind `done`: no entry names the file, and it is swept. An open take of a command says
 *   only that it may have run: it runs again, which is the one duplicate that a crash can cause.
 * - spool/ to held/ and back: the journal is first, and both folders are looked in, so the order
 *   does not matter; the new name is durable before the old one goes.
 * - the sweep removes what no entry names, after recovery: then every entry whose message is not
 *   known to be delivered, or left on the server, names its file. Where the journal has gaps,
 *   recovery enters what none names first. A file that is marked as kept (SPOOL_KEPT) and that none
 *   names shows an older copy of the journal, as from a backup, and is entered as well: the mark is
 *   taken off, durably, before `take`, and made again at the end of a run.
 * - an entry with a file is never forgotten, whatever the server lists. Its message is not fetched
 *   again if it is listed, and deleted there only once it is `done`.
 */
#ifndef FP_SESSION_KEPT_H
#define FP_SESSION_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "delivery/deliver.h"
#include "session/poll.h"

/* The files that entries name, sorted; the caller's until kept_free_list. */
void kept_list(const struct journal *journal, struct spool_list *list);
void kept_free_list(struct spool_list *list);

/* The files that entries name get names of this mailbox (settings->mailbox), if they have those of
 * one that it was before: whoever has that by now finds no mail of this one's. Written to the
 * journal; killed in between, it finds the files under their new names the next time. */
int kept_rename(struct journal *journal, const struct deliver_settings *settings, struct err *err);

/* Delivers what is due. 0 also if the destination does not take a message (poll->destination); -1:
 * the destination failed as a whole. poll->cut_short: the time was over before all were tried. A
 * message whose file is not there is looked for again a day later, and if it is gone then, fetched
 * again if the server still has it; both are reported. One whose file cannot be read counts as
 * refused, and the others go on. */
int kept_deliver(struct poll *poll, struct err *err);

/* Moves files to held/ that belong there, and marks all that are kept. Not an error if that fails:
 * they are found in either, and the journal names them. Returns how many messages are held. */
uint32_t kept_tidy(struct poll *poll);

/* May a message of this size be received, with this many octets on their way? None once spool_max
 * is kept; below that, one may go beyond it, but alone. Nor is the last 20th of the file system
 * filled. */
enum kept_room { KEPT_ROOM, KEPT_WAIT /* for those on their way */, KEPT_FULL /* err */ };
enum kept_room kept_has_room(const struct poll *poll, uint64_t coming, uint64_t size,
                             struct err *err);

#endif
