/* SPDX-License-Identifier: ISC */
#include "state/rename.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "state/mailbox.h"
#include "state/note.h"
#include "state/record.h"

#define ENDING ".journal"
#define LOCKS 2

static char *file_of(const char *state_dir, const char *stem, const char *ending)
{
    return xasprintf("%s/%s%s", state_dir, stem, ending);
}

bool rename_is_there(const char *state_dir, const char *stem)
{
    char *path = file_of(state_dir, stem, ENDING);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

struct orphan {
    char *stem, *account;
};

struct rename_orphans {
    struct orphan *all;
    size_t count;
};

/* The account in the first line, which is the head: its third word; NULL if it is not one. */
static char *account_of(const char *state_dir, const char *stem)
{
    char *path = file_of(state_dir, stem, ENDING), text[4 * 4096];
    int fd = file_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    struct str rest = str_of(text, n > 0 ? (size_t)n : 0), line = str_until(&rest, '\n');
    struct record record;
    if (fd >= 0)
        close(fd);
    free(path);
    if (record_read(line, &record) < 0 || record.verb != RECORD_HEAD)
        return NULL;
    str_word(&record.words);
    str_word(&record.words);
    struct str account = str_word(&record.words);
    return xmemdup0(account.ptr, account.len);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), ending = strlen(end);
    return len > ending && strcmp(text + len - ending, end) == 0;
}

/* NULL if the file is not a journal. */
static char *stem_of(const char *name)
{
    return ends_with(name, ENDING) ? xmemdup0(name, strlen(name) - strlen(ENDING)) : NULL;
}

bool rename_is_known(const char *state_dir, const char *id)
{
    DIR *dir = opendir(state_dir);
    bool known = dir == NULL; /* who knows */
    char *ending = xasprintf("-%s" ENDING, id);
    const struct dirent *entry;
    while (!known && (errno = 0, entry = readdir(dir)) != NULL)
        known = ends_with(entry->d_name, ending);
    known = known || errno != 0;
    free(ending);
    if (dir != NULL)
        closedir(dir);
    return known;
}

/* Takes the stem over. */
static void add(struct rename_orphans *orphans, const char *state_dir, char *stem)
{
    orphans->all = xreallocarray(orphans->all, orphans->count + 1, sizeof *orphans->all);
    orphans->all[orphans->count++] = (struct orphan){stem, account_of(state_dir, stem)};
}

struct rename_orphans *rename_orphans_new(const char *state_dir, char **used, size_t count)
{
    struct rename_orphans *orphans = xcalloc(1, sizeof *orphans);
    qsort(used, count, sizeof *used, str_order);
    DIR *dir = opendir(state_dir);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        char *stem = stem_of(entry->d_name);
        if (stem != NULL && bsearch(&stem, used, count, sizeof *used, str_order) == NULL)
            add(orphans, state_dir, stem);
        else
            free(stem);
    }
    if (dir != NULL)
        closedir(dir);
    if (orphans->count > 0)
        return orphans;
    free(orphans);
    return NULL;
}

void rename_orphans_free(struct rename_orphans *orphans)
{
    if (orphans == NULL)
        return;
    for (size_t i = 0; i < orphans->count; i++) {
        free(orphans->all[i].stem);
        free(orphans->all[i].account);
    }
    free(orphans->all);
    free(orphans);
}

char *rename_find(const struct rename_orphans *orphans, const char *account)
{
    const char *found = NULL;
    for (size_t i = 0; i < orphans->count; i++) {
        const struct orphan *orphan = &orphans->all[i];
        if (orphan->account == NULL || strcmp(orphan->account, account) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = orphan->stem;
    }
    return xstrdup(found);
}

const char *rename_find_id(const struct rename_orphans *orphans, const char *id, const char *end)
{
    for (size_t i = 0; i < orphans->count; i++) {
        const struct orphan *orphan = &orphans->all[i];
        if (orphan->account != NULL && ends_with(orphan->stem, id) &&
            ends_with(orphan->account, end))
            return orphan->stem;
    }
    return NULL;
}

static int take_lock(const char *state_dir, const char *stem, struct err *err)
{
    char *path = file_of(state_dir, stem, ".lock");
    int fd = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        err_errno(err, ERR_CREATE, errno, "cannot make %s", path);
    else if (file_lock(fd, path, err) < 0) {
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* The server's part of a stem, which has no @. */
static struct str server_of(const char *stem)
{
    size_t len = strlen(stem), end = len > MAILBOX_ID ? len - MAILBOX_ID : 0, at = end;
    while (at > 0 && stem[at - 1] != '@')
        at--;
    return str_of(stem + at, end - at);
}

/* The key of the same server is still the one; what else is in a note costs nothing if it is lost.
 * It goes first: a journal that is moved without it would make any key a first sight. */
static int move(const char *state_dir, const char *from, const char *to, struct err *err)
{
    if (str_equal(server_of(from), server_of(to)) && note_carry_pin(state_dir, from, to, err) < 0)
        return -1;
    char *old = file_of(state_dir, from, ENDING), *new = file_of(state_dir, to, ENDING);
    char *note = file_of(state_dir, from, ".note");
    int result = 0;
    if (rename(old, new) < 0)
        result = err_errno(err, ERR_IO, errno, "cannot rename %s", old);
    else
        (void)unlink(note);
    free(note);
    free(old);
    free(new);
    return result;
}

int rename_journal(const char *state_dir, const char *from, const char *to, bool durable,
                   struct err *err)
{
    int locks[LOCKS] = {take_lock(state_dir, from, err), -1}, result = -1;
    if (locks[0] >= 0)
        locks[1] = take_lock(state_dir, to, err);
    if (locks[1] >= 0 && rename_is_there(state_dir, to))
        err_set(err, ERR_CREATE, "%s has a journal of its own already; move that away first", to);
    else if (locks[1] >= 0)
        result = move(state_dir, from, to, err);
    if (result == 0 && durable)
        result = file_sync_folder(state_dir, NULL, err);
    for (int i = 0; i < LOCKS; i++)
        if (locks[i] >= 0)
            close(locks[i]);
    return result;
}

int rename_write(const char *state_dir, const char *stem, struct str bytes, bool durable,
                 struct err *err)
{
    int lock = take_lock(state_dir, stem, err), result = -1;
    if (lock < 0)
        return -1;
    char *path = file_of(state_dir, stem, ENDING);
    if (rename_is_there(state_dir, stem))
        err_set(err, ERR_CREATE, "%s is there already; move it away first", path);
    else
        result = file_replace(path, bytes.ptr, bytes.len, 0600, durable, err);
    free(path);
    close(lock);
    return result;
}
