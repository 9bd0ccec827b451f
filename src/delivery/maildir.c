/* SPDX-License-Identifier: ISC */
/*
 * maildir(5): the spool file is tmp/NAME itself, publishing is a rename to new/NAME.
 *
 * What recovery finds neither in new/ nor cur/ nor tmp/ was not delivered. A reader may have filed
 * it elsewhere, but a file system without a journal may also have lost the name in a power cut, or
 * another machine have swept tmp/: nothing here could tell the one from the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/kind.h"
#include "delivery/spooldir.h"

/* Whoever owns the Maildir may have put a FIFO there. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

enum { TMP, NEW, CUR, FOLDERS };
static const char *const folder_names[FOLDERS] = {"tmp", "new", "cur"};

struct maildir {
    int root;
    int fd[FOLDERS];
    char *path[FOLDERS];
    char *where;
};

static void close_maildir(struct maildir *maildir)
{
    for (int i = 0; i < FOLDERS; i++) {
        if (maildir->fd[i] >= 0)
            close(maildir->fd[i]);
        free(maildir->path[i]);
    }
    if (maildir->root >= 0)
        close(maildir->root);
    free(maildir->where);
    free(maildir);
}

/* Opens what is there. 0, or -1 with errno's ENOENT if a part of it is missing. */
static int open_folders(struct maildir *maildir)
{
    maildir->root = file_open(maildir->where, O_RDONLY | O_DIRECTORY, 0);
    for (int i = 0; i < FOLDERS && maildir->root >= 0; i++) {
        maildir->fd[i] = file_open(maildir->path[i], O_RDONLY | O_DIRECTORY, 0);
        if (maildir->fd[i] < 0)
            return -1;
    }
    return maildir->root < 0 ? -1 : 0;
}

static struct maildir *new_maildir(const char *where)
{
    struct maildir *maildir = xcalloc(1, sizeof *maildir);
    maildir->root = -1;
    maildir->where = xstrdup(where);
    for (int i = 0; i < FOLDERS; i++) {
        maildir->fd[i] = -1;
        maildir->path[i] = xasprintf("%s/%s", where, folder_names[i]);
    }
    return maildir;
}

/* The fsync that makes names durable. */
static int sync_folder(const struct deliver_settings *settings, const char *path, struct err *err)
{
#ifdef FP_CONTROL_NO_DIRSYNC
    (void)settings, (void)path, (void)err;
    return 0;
#else
    bool unsupported = false;
    if (!settings->durable)
        return 0;
    if (file_sync_folder(path, &unsupported, err) < 0)
        return -1;
    if (unsupported)
        log_line(
            settings->log, FP_LOG_NOTE,
            "%s: this file system cannot flush a folder; a power cut may lose the last mail in it",
            path);
    return 0;
#endif
}

static int check_folder(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        if (errno == ENOENT)
            return 1;
        return err_errno(err, ERR_CREATE, errno, "cannot use the Maildir %s", path);
    }
    if (!S_ISDIR(status.st_mode))
        return err_set(
            err, ERR_CREATE,
            "%s is not a folder, so it cannot be a Maildir; give another path for maildir", path);
    if (file_access(path, W_OK | X_OK) < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot write to the Maildir %s", path);
    return 0;
}

static int probe(const struct deliver_settings *settings, struct err *err)
{
    char *path = xstrdup(settings->where);
    int state = check_folder(path, err);
    while (state == 1) { /* missing: may it be made in what is there above it? */
        char *parent = file_parent(path);
        bool top = strcmp(parent, path) == 0;
        free(path);
        path = parent;
        state = top ? 0 : check_folder(path, err);
    }
    free(path);
    for (int i = 0; i < FOLDERS && state == 0; i++) {
        path = xasprintf("%s/%s", settings->where, folder_names[i]);
        int found = check_folder(path, err);
        state = found < 0 ? -1 : 0;
        free(path);
    }
    return state;
}

static bool folder_has_mail(const char *path, const char *mailbox)
{
    DIR *dir = opendir(path);
    bool found = false;
    for (const struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;)
        found = spool_is_own(entry->d_name, mailbox);
    if (dir != NULL)
        closedir(dir);
    return found;
}

static bool has_mail(const struct deliver_settings *settings)
{
    bool found = false;
    for (int i = NEW; i < FOLDERS && !found; i++) {
        char *path = xasprintf("%s/%s", settings->where, folder_names[i]);
        found = folder_has_mail(path, settings->mailbox);
        free(path);
    }
    return found;
}

/* Makes what is missing; with `durable`, what is there is flushed as well, up to its parent. */
static int make_folders(const struct maildir *maildir, bool durable, struct err *err)
{
    if (file_make_folder(maildir->where, durable, err) < 0)
        return -1;
    for (int i = 0; i < FOLDERS; i++)
        if (file_make_folder(maildir->path[i], durable, err) < 0)
            return -1;
    return 0;
}

static int settle_kind(const struct deliver *deliver, struct err *err)
{
    return deliver->settings->durable ? make_folders(deliver->state, true, err) : 0;
}

static int open_kind(struct deliver *deliver, struct err *err)
{
    const struct deliver_settings *settings = deliver->settings;
    struct maildir *maildir = new_maildir(settings->where);
    deliver->state = maildir;
    if (open_folders(maildir) == 0)
        return 0;
    if (make_folders(maildir, settings->durable, err) < 0)
        return -1;
    struct maildir *again = new_maildir(settings->where);
    close_maildir(maildir);
    deliver->state = again;
    if (open_folders(again) < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot open the Maildir %s", settings->where);
    return 0;
}

static void close_kind(struct deliver *deliver)
{
    struct maildir *maildir = deliver->state;
    if (maildir == NULL)
        return;
    close_maildir(maildir);
}

static uint64_t room(const struct deliver *deliver)
{
    const struct maildir *maildir = deliver->state;
    return file_room(maildir->path[TMP]);
}

static void place(const struct deliver_settings *settings, struct buf *out)
{
    buf_addf(out, "maildir ");
    words_add(out, str_from(settings->where));
}

/* A mount point without its disk is an empty folder. */
static bool is_gone(const struct deliver_settings *settings)
{
    struct stat status;
    bool gone = true;
    for (int i = 0; i < FOLDERS && gone; i++) {
        char *path = xasprintf("%s/%s", settings->where, folder_names[i]);
        gone = stat(path, &status) < 0 && (errno == ENOENT || errno == ENOTDIR);
        free(path);
    }
    return gone;
}

static int begin(struct deliver *deliver, struct parcel **parcel, struct err *err)
{
    struct maildir *maildir = deliver->state;
    return spool_begin(parcel, maildir->fd[TMP], maildir->path[TMP], SPOOL_WHOLE, &deliver->names,
                       err);
}

static int secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    struct maildir *maildir = deliver->state;
    if (!deliver->settings->durable)
        return 0;
    if (spool_secure(batch, n, maildir->fd[TMP], err) < 0)
        return -1;
    if (spool_secures_all(n, maildir->fd[TMP])) /* the folder as well */
        return 0;
    return sync_folder(deliver->settings, maildir->path[TMP], err);
}

/* maildir OCTETS NAME PATH */
static void receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out)
{
    const struct maildir *maildir = deliver->state;
    buf_addf(out, "maildir %llu ", (unsigned long long)parcel->octets);
    words_add(out, str_from(parcel->name));
    buf_addf(out, " ");
    words_add(out, str_from(maildir->where));
}

static bool is_there(const struct maildir *maildir, int which, const char *name)
{
    return faccessat(maildir->fd[which], name, F_OK, 0) == 0;
}

/* Over NFS the answer to a rename that worked may get lost, and the one to its repetition is
 * ENOENT. */
static int move_to_new(const struct maildir *maildir, const char *name, struct err *err)
{
    if (renameat(maildir->fd[TMP], name, maildir->fd[NEW], name) == 0)
        return 0;
    int number = errno;
    if (number == ENOENT && is_there(maildir, NEW, name))
        return 0;
    errno = number;
    return err_errno(err, ERR_IO, errno, "cannot move %s to %s", name, maildir->path[NEW]);
}

/* What recovery knows of one message: the words of its receipt. */
struct sought {
    struct deliver_claim *claim;
    char name[SPOOL_NAME_MAX];
    bool found;
    bool unseen; /* its file is there, and cannot be opened, flushed or moved */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sought *)a)->name, ((const struct sought *)b)->name);
}

static int read_receipt(struct deliver_claim *claim, struct sought *sought, struct str *path,
                        struct err *err)
{
    struct str words = claim->receipt;
    str_word(&words); /* kind */
    str_word(&words); /* octets: for people */
    *sought = (struct sought){.claim = claim};
    if (words_read_name(str_word(&words), sought->name, sizeof sought->name) < 0)
        return err_set(
            err, ERR_IO,
            "the journal has a receipt that cannot be read; use the version that wrote it");
    /* The last word; earlier versions had another name before it. */
    for (struct str word = str_word(&words); word.len > 0; word = str_word(&words))
        *path = word;
    return 0;
}

static int sync_file(const struct maildir *maildir, int which, const char *name, int fd,
                     struct err *err)
{
    char *path = xasprintf("%s/%s", maildir->path[which], name);
    int result = file_sync(fd, path, err);
    free(path);
    return result;
}

/* The file was seen in the folder: flushed, so that it stays there, unless a filter has taken the
 * right to open it from us. */
static void note_found(const struct maildir *maildir, int which, const char *name,
                       struct sought *sought, struct err *err)
{
    int fd = openat(maildir->fd[which], name, OPEN_FLAGS);
    if (fd < 0 && errno == ENOENT)
        return; /* moved on just now */
    sought->found = fd < 0 && errno == EACCES;
    if (sought->found)
        return;
    if (fd < 0)
        err_errno(err, ERR_IO, errno, "cannot open %s/%s", maildir->path[which], name);
    sought->found = fd >= 0 && sync_file(maildir, which, name, fd, err) == 0;
    sought->unseen = !sought->found;
    if (fd >= 0)
        close(fd);
}

/* Looks through a folder once for all of them; a reader may have added flags behind ':'. -1: the
 * folder cannot be read. err says of a file, too, why it is `unseen`. */
static int scan_folder(const struct maildir *maildir, int which, struct sought *sought, size_t n,
                       struct err *err)
{
    DIR *dir = opendir(maildir->path[which]);
    if (dir == NULL)
        return err_errno(err, ERR_IO, errno, "cannot read %s", maildir->path[which]);
    int result = 0;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        struct sought key = {.found = false};
        size_t len = strcspn(entry->d_name, ":");
        if (len >= sizeof key.name)
            continue;
        memcpy(key.name, entry->d_name, len);
        struct sought *hit = bsearch(&key, sought, n, sizeof *sought, by_name);
        if (hit != NULL && !hit->found && !hit->unseen)
            note_found(maildir, which, entry->d_name, hit, err);
    }
    if (errno != 0)
        result = err_errno(err, ERR_IO, errno, "cannot read %s", maildir->path[which]);
    closedir(dir);
    return result;
}

/* A rename that failed: if the message was published nevertheless, and a reader has marked it seen,
 * its name is in cur/. */
static bool was_moved_on(const struct maildir *maildir, const struct parcel *parcel)
{
    struct sought sought = {.found = false};
    struct err ignored;
    memcpy(sought.name, parcel->name, strlen(parcel->name) + 1);
    return scan_folder(maildir, CUR, &sought, 1, &ignored) == 0 && sought.found;
}

/* 0: it is in new/, or beyond; 1: another program has removed it; -1: err. */
static int publish_one(const struct deliver *deliver, struct parcel *parcel, struct err *err)
{
    const struct maildir *maildir = deliver->state;
    if (move_to_new(maildir, parcel->name, err) == 0)
        return 0;
    if (is_there(maildir, TMP, parcel->name) || errno != ENOENT)
        return -1;
    if (was_moved_on(maildir, parcel))
        return sync_folder(deliver->settings, maildir->path[CUR], err);
    parcel->outcome = PARCEL_LATER;
    free(parcel->why);
    parcel->why = xstrdup("another program removed it from tmp/ while it was being delivered");
    return 1;
}

static int publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    struct maildir *maildir = deliver->state;
    size_t moved = 0;
    while (moved < n && publish_one(deliver, batch[moved], err) >= 0)
        moved++;
    int result = moved < n ? -1 : 0;
    struct err later;
    if (sync_folder(deliver->settings, maildir->path[NEW], result < 0 ? &later : err) < 0)
        return -1;
    for (size_t i = 0; i < moved; i++)
        if (batch[i]->outcome == PARCEL_WAITING)
            batch[i]->outcome = PARCEL_DELIVERED;
    return result;
}

/* Not in new/ or cur/: complete in tmp/ (its take says so), or nowhere. */
static void settle_missing(const struct deliver_settings *settings, const struct maildir *maildir,
                           struct sought *sought, struct err *err)
{
    struct err why;
    int fd = openat(maildir->fd[TMP], sought->name, OPEN_FLAGS);
    if (fd < 0) {
        sought->unseen = errno != ENOENT;
        if (sought->unseen)
            err_errno(err, ERR_IO, errno, "cannot open %s/%s", maildir->path[TMP], sought->name);
        return;
    }
    sought->unseen = sync_file(maildir, TMP, sought->name, fd, err) < 0;
    close(fd);
    if (sought->unseen)
        return;
    /* What cannot be published here is kept by the caller. */
    sought->found = move_to_new(maildir, sought->name, &why) == 0;
    if (!sought->found)
        log_line(settings->log, FP_LOG_NOTE, "%s", why.text);
}

static int settle(const struct deliver_settings *settings, const struct maildir *maildir,
                  struct sought *sought, size_t n, struct err *err)
{
    qsort(sought, n, sizeof *sought, by_name);
    /* A reader moves mail from new/ to cur/ and renames within cur/, so look in that order, and
     * once more in cur/. */
    if (scan_folder(maildir, NEW, sought, n, err) < 0 ||
        scan_folder(maildir, CUR, sought, n, err) < 0 ||
        scan_folder(maildir, CUR, sought, n, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < n; i++) {
        if (!sought[i].found && !sought[i].unseen)
            settle_missing(settings, maildir, &sought[i], err);
        result = sought[i].unseen ? -1 : result;
    }
    /* No done without a barrier made by this very process: the one before may have died between
     * its rename and its fsync. */
    struct err later;
    for (int i = 0; i < FOLDERS; i++)
        if (sync_folder(settings, maildir->path[i], result < 0 ? &later : err) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        if (!sought[i].unseen)
            sought[i].claim->found = sought[i].found ? DELIVER_PUBLISHED : DELIVER_LOST;
    return result;
}

/* A word that is not a path gives "", where nothing is found. */
static char *path_of(struct str escaped)
{
    char *path = words_text(escaped);
    return path != NULL ? path : xstrdup("");
}

static int check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                 struct err *err)
{
    struct sought *sought = xcalloc(n, sizeof *sought);
    struct str path = {"", 0};
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++)
        result = read_receipt(&claims[i], &sought[i], &path, err);
    char *where = path_of(path);
    struct maildir *maildir = new_maildir(where);
    struct stat status;
    bool there = stat(where, &status) == 0 && S_ISDIR(status.st_mode);
    if (result == 0 && there) /* a power cut may have lost an empty folder */
        result = make_folders(maildir, settings->durable, err);
    if (result == 0 && open_folders(maildir) == 0) {
        result = settle(settings, maildir, sought, n, err);
    } else if (result == 0 && !there) { /* the whole Maildir went away */
        for (size_t i = 0; i < n; i++)
            claims[i].found = DELIVER_LOST;
    } else if (result == 0) {
        result =
            err_errno(err, ERR_CREATE, errno, "cannot look for mail of the last run in %s", where);
    }
    close_maildir(maildir);
    free(where);
    free(sought);
    return result;
}

static int find(const struct deliver_settings *settings, struct str receipt, int *fd,
                struct err *err)
{
    struct deliver_claim claim = {.receipt = receipt};
    struct sought sought;
    struct str path = {"", 0};
    (void)settings;
    *fd = -1;
    if (read_receipt(&claim, &sought, &path, err) < 0)
        return -1;
    char *where = path_of(path);
    char *file = xasprintf("%s/%s/%s", where, folder_names[TMP], sought.name);
    int result = 0;
    *fd = file_open(file, OPEN_FLAGS | O_NOFOLLOW, 0);
    if (*fd < 0)
        result = errno == ENOENT || errno == ENOTDIR
                     ? 1
                     : err_errno(err, ERR_IO, errno, "cannot open %s", file);
    free(file);
    free(where);
    return result;
}

/* What in tmp/ is litter, and has one name, as far as the file system knows; sorted, malloced. */
static int list_tmp(const struct deliver_settings *settings, const struct maildir *maildir,
                    struct sought **list, size_t *n, struct err *err)
{
    DIR *dir = opendir(maildir->path[TMP]);
    if (dir == NULL)
        return err_errno(err, ERR_IO, errno, "cannot read %s", maildir->path[TMP]);
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        struct stat status;
        if (strlen(entry->d_name) >= sizeof(*list)->name ||
            !spool_is_litter(maildir->fd[TMP], entry->d_name, settings->mailbox, settings->state) ||
            fstatat(maildir->fd[TMP], entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode) || status.st_nlink > 1)
            continue;
        *list = xreallocarray(*list, *n + 1, sizeof **list);
        struct sought *added = *list + (*n)++;
        *added = (struct sought){.found = false};
        memcpy(added->name, entry->d_name, strlen(entry->d_name) + 1);
    }
    int result =
        errno != 0 ? err_errno(err, ERR_IO, errno, "cannot read %s", maildir->path[TMP]) : 0;
    closedir(dir);
    if (*n > 0)
        qsort(*list, *n, sizeof **list, by_name);
    return result;
}

/* A rename is two blocks on the disk. Without a journal a power cut may leave both names, and one
 * link counted: whoever removes the one in tmp/ destroys the message. */
static int sweep_tmp(const struct deliver_settings *settings, const struct maildir *maildir,
                     struct err *err)
{
    struct sought *list = NULL;
    struct spool_list both = {.count = 0};
    size_t n = 0;
    int result = list_tmp(settings, maildir, &list, &n, err);
    for (int i = NEW; i <= CUR && n > 0 && result == 0; i++)
        if (maildir->fd[i] >= 0)
            result = scan_folder(maildir, i, list, n, err);
    if (n > 0)
        both.at = xcalloc(n, sizeof *both.at);
    for (size_t i = 0; i < n; i++)
        if (list[i].found || list[i].unseen)
            both.at[both.count++] = list[i].name;
    if (result == 0)
        result = spool_sweep(maildir->fd[TMP], maildir->path[TMP], settings->mailbox,
                             settings->state, &both, err);
    free(both.at);
    free(list);
    return result;
}

static int sweep(const struct deliver_settings *settings, struct str words, struct err *err)
{
    char *where = path_of(str_word(&words));
    struct maildir *maildir = new_maildir(where);
    int result = 0;
    (void)open_folders(maildir); /* of one that is half there, no more than tmp/ counts */
    if (maildir->fd[TMP] >= 0)
        result = sweep_tmp(settings, maildir, err);
    close_maildir(maildir);
    free(where);
    return result;
}

const struct kind maildir_kind = {
    .name = "maildir",
    .unit = SIZE_MAX,
    .as_owner = true,
    .probe = probe,
    .has_mail = has_mail,
    .open = open_kind,
    .close = close_kind,
    .room = room,
    .settle = settle_kind,
    .place = place,
    .is_gone = is_gone,
    .begin = begin,
    .secure = secure,
    .receipt = receipt,
    .publish = publish,
    .keeps_file = true,
    .check = check,
    .find = find,
    .sweep = sweep,
};
