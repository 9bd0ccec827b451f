/* SPDX-License-Identifier: ISC */
/*
 * rename: finds the journal of a mailbox whose server or user has been renamed.
 *
 * The head of a journal says for which account of which configuration file it was written. A
 * journal is moved, never copied, so no two mailboxes share one.
 */
#ifndef FP_STATE_RENAME_H
#define FP_STATE_RENAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* The journals whose stem (mailbox_stem) no account uses any more. */
struct rename_orphans;

/* Looks through the state folder once, whatever the number of accounts; sorts `used`. NULL: there
 * is none. */
struct rename_orphans *rename_orphans_new(const char *state_dir, char **used, size_t count);
void rename_orphans_free(struct rename_orphans *orphans);

/* The stem of the one orphan whose head names this account (see journal_settings), malloced; NULL:
 * there is none, or more than one. */
char *rename_find(const struct rename_orphans *orphans, const char *account);

/* The stem, borrowed, of the orphan with this id (mailbox_id) whose account's name ends with that:
 * the configuration file of several. NULL: there is none. */
const char *rename_find_id(const struct rename_orphans *orphans, const char *id, const char *end);

/* True if there is a journal of this stem. */
bool rename_is_there(const char *state_dir, const char *stem);

/* True if there is a journal of the mailbox with this id (mailbox_id). */
bool rename_is_known(const char *state_dir, const char *id);

/* Moves the journal of one stem to another that has none, under the locks of both; durably if
 * asked to. Of its note no more goes along than the pin of the same server. ERR_LOCKED: a run is
 * using one of them; ERR_CREATE, ERR_IO. */
int rename_journal(const char *state_dir, const char *from, const char *to, bool durable,
                   struct err *err);

/* Writes these bytes as the journal of that stem, whole. ERR_CREATE: it has one already;
 * ERR_LOCKED: a run is using it. */
int rename_write(const char *state_dir, const char *stem, struct str bytes, bool durable,
                 struct err *err);

#endif
