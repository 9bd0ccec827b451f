/* SPDX-License-Identifier: ISC */
/*
 * statedir: the state folder, and in it the journal of an account's mailbox.
 */
#ifndef FP_SESSION_STATEDIR_H
#define FP_SESSION_STATEDIR_H

#include "base/err.h"
#include "delivery/settings.h"
#include "session/run.h"
#include "state/folder.h"
#include "state/journal.h"

/* Opens the account's journal. With JOURNAL_WRITE the folder is made first if it is missing. Errors
 * as journal_open and file_make_folder. */
int statedir_journal(struct journal **out, const struct account *account, const char *state_dir,
                     enum journal_mode mode, struct log *log, struct err *err);

/* The journal of the mailbox whose files have this stem (mailbox_stem) is the account's from now
 * on, and so are the messages that it says are kept. Errors as journal_open and rename_journal. */
int statedir_rename(const struct account *account, const char *state_dir, const char *former,
                    struct log *log, struct err *err);

/* As statedir_journal, for a poll: with SESSION_POLL it is opened for writing, goes on with what
 * the mailbox has under its former name, and `id` becomes the folder's (state/folder.h). A journal
 * that is made anew is reported; `settings` (the account's own destination) tell whether mail was
 * delivered. */
int statedir_open(struct journal **out, const struct session_run *run,
                  const struct deliver_settings *settings, char id[FOLDER_ID + 1], struct err *err);

#endif
