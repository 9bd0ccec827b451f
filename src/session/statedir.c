/* SPDX-License-Identifier: ISC */
#include "session/statedir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mounts.h"
#include "delivery/deliver.h"
#include "session/kept.h"
#include "state/mailbox.h"
#include "state/rename.h"

/* Whoever owns it may rename and remove all that is in it. Root's is fit for everybody; and root
 * follows no link there (O_NOFOLLOW), so a user's is fit for root. */
static int check_owner(const char *folder, struct err *err)
{
    struct stat status;
    if (stat(folder, &status) == 0 && status.st_uid != 0 && status.st_uid != geteuid() &&
        geteuid() != 0)
        return err_set(err, ERR_CREATE,
                       "the state folder %s belongs to another user; choose one with state_dir",
                       folder);
    return 0;
}

static int make_folder(const char *folder, bool durable, struct err *err)
{
    bool there = access(folder, F_OK) == 0; /* then the journal flushes its name */
    char *missing = there ? NULL : mounts_find_missing(MOUNTS_TABLE, folder);
    if (missing != NULL) {
        err_set(err, ERR_CREATE,
                "the state folder %s is not made: nothing is mounted on %s; mount it, or make the "
                "folder by hand",
                folder, missing);
        free(missing);
        return -1;
    }
    if (file_make_folder(folder, durable && !there, err) < 0)
        return err_prefix(err, "state folder");
    return check_owner(folder, err);
}

static struct journal_settings settings_of(const struct account *account, const char *state_dir,
                                           enum journal_mode mode, struct log *log)
{
    return (struct journal_settings){.state_dir = state_dir,
                                     .server = account->server,
                                     .user = account->user,
                                     .account = account->journal_name,
                                     .mode = mode,
                                     .durable = account->durable,
                                     .log = log};
}

int statedir_journal(struct journal **out, const struct account *account, const char *state_dir,
                     enum journal_mode mode, struct log *log, struct err *err)
{
    const struct journal_settings settings = settings_of(account, state_dir, mode, log);
    if (mode == JOURNAL_WRITE && make_folder(state_dir, account->durable, err) < 0)
        return -1;
    return journal_open(out, &settings, err);
}

/* ---- a former name ---- */

/* While its journal has the former name still: under the lock of that. */
static int rename_kept(const struct account *account, const char *state_dir, const char *former,
                       struct log *log, struct err *err)
{
    struct journal *journal;
    char id[MAILBOX_ID + 1];
    struct journal_settings settings = settings_of(account, state_dir, JOURNAL_WRITE, log);
    const struct deliver_settings files = {
        .state_dir = state_dir, .mailbox = id, .durable = account->durable};
    settings.stem = former;
    mailbox_id(account->server, account->user, id);
    if (journal_open(&journal, &settings, err) < 0)
        return -1;
    int result = kept_rename(journal, &files, err);
    journal_close(journal);
    return result;
}

int statedir_rename(const struct account *account, const char *state_dir, const char *former,
                    struct log *log, struct err *err)
{
    char *stem = mailbox_stem(account->server, account->user);
    int result = 0;
    if (!rename_is_there(state_dir, stem)) /* else it is refused */
        result = rename_kept(account, state_dir, former, log, err);
    if (result == 0)
        result = rename_journal(state_dir, former, stem, account->durable, err);
    free(stem);
    return result;
}

/* Cron and systemd do not see the shell's XDG_STATE_HOME: then two journals fill one Maildir. */
static void tell_new_journal(const struct session_run *run, const struct deliver_settings *settings)
{
    if (deliver_has_mail(settings))
        log_line(run->log, FP_LOG_WARNING,
                 "starting a new journal in %s, but %s has this mailbox's mail, which comes again; "
                 "see state_dir",
                 run->state_dir, settings->where);
    else
        log_line(run->log, FP_LOG_NOTE,
                 "starting a new journal in %s: everything on the server counts as new",
                 run->state_dir);
}

/* The journal that the mailbox had under its former name is its own. */
static int adopt_former(const struct session_run *run, struct err *err)
{
    const struct account *account = run->account;
    if (account->former == NULL)
        return 0;
    if (statedir_rename(account, run->state_dir, account->former, run->log, err) < 0)
        return -1;
    log_line(run->log, FP_LOG_WARNING,
             "the account was %.*s before: its journal goes on as %s@%s, each header in it is "
             "compared once",
             (int)(strlen(account->former) - MAILBOX_ID - 1), account->former, account->user,
             account->server);
    return 0;
}

/* The folder's id, and a journal of the mailbox's former name. */
static int find_former(const struct session_run *run, char id[FOLDER_ID + 1], struct err *err)
{
    const struct account *account = run->account;
    char *stem = mailbox_stem(account->server, account->user);
    bool first = !rename_is_there(run->state_dir, stem);
    enum folder_flush flush = !account->durable ? FOLDER_NO_FLUSH
                              : first           ? FOLDER_FLUSH
                                                : FOLDER_FLUSH_MADE;
    int result = folder_id(run->state_dir, flush, id, err);
    if (result == 0 && first)
        result = adopt_former(run, err);
    free(stem);
    return result;
}

int statedir_open(struct journal **out, const struct session_run *run,
                  const struct deliver_settings *settings, char id[FOLDER_ID + 1], struct err *err)
{
    bool write = run->mode == SESSION_POLL;
    const struct journal_settings opened =
        settings_of(run->account, run->state_dir, write ? JOURNAL_WRITE : JOURNAL_READ, run->log);
    if (write && (make_folder(run->state_dir, run->account->durable, err) < 0 ||
                  find_former(run, id, err) < 0))
        return -1;
    if (journal_open(out, &opened, err) < 0)
        return -1;
    if (write && journal_is_new(*out))
        tell_new_journal(run, settings);
    return 0;
}
