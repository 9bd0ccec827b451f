/* SPDX-License-Identifier: ISC */
#include "delivery/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "delivery/mboxform.h"
#include "delivery/spooldir.h"

#define CHUNK 65536

static const char *const folders[] = {"spool", "held"};
enum { SPOOL, HELD };

static char *path_in(const char *state_dir, int folder, const char *name)
{
    return xasprintf("%s/%s/%s", state_dir, folders[folder], name);
}

/* 0: it is a file, of that length; 1: there is none; -1: that cannot be seen. */
static int look(const char *path, uint64_t *octets, struct err *err)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 1 : err_errno(err, ERR_IO, errno, "cannot look at %s", path);
    *octets = (uint64_t)status.st_size;
    return S_ISREG(status.st_mode) ? 0 : 1;
}

#define PASSED ".passed"

void keep_name_passed(struct spool_names *names)
{
    size_t len = strlen(names->host);
    snprintf(names->host + len, sizeof names->host - len, PASSED);
}

bool keep_is_passed(const char *name)
{
    size_t len = strlen(name), end = sizeof PASSED - 1;
    return len > end && strcmp(name + len - end, PASSED) == 0;
}

int keep_path(const char *state_dir, const char *name, char **path, uint64_t *octets,
              struct err *err)
{
    int result = 1;
    *path = NULL;
    for (int folder = SPOOL; folder <= HELD && result == 1; folder++) {
        free(*path);
        *path = path_in(state_dir, folder, name);
        result = look(*path, octets, err);
    }
    if (result == 0)
        return 0;
    free(*path);
    *path = NULL;
    return result;
}

int keep_read(const struct keep_source *source, struct sink sink, struct err *err)
{
    char bytes[CHUNK];
    struct mboxform_undo undo = {.sink = sink};
    uint64_t at = source->quoted ? MBOXFORM_BODY : 0;
    ssize_t got;
    while ((got = span_read(source->fd, at, bytes, sizeof bytes)) > 0) {
        int result = source->quoted ? mboxform_undo(&undo, bytes, (size_t)got, err)
                                    : sink.write(sink.ctx, bytes, (size_t)got, err);
        if (result < 0)
            return -1;
        at += (uint64_t)got;
    }
    return got < 0 ? err_errno(err, ERR_IO, errno, "cannot read %s", source->path) : 0;
}

/* ---- making one ---- */

static int write_copy(struct parcel *parcel, const struct spooldir *spool, bool durable,
                      const struct keep_source *source, struct err *err)
{
    if (keep_read(source, spool_sink(parcel), err) < 0)
        return -1;
    spool_end(parcel);
    if (!durable)
        return 0;
    return file_sync(parcel->fd, parcel->path, err) < 0 ? -1
                                                        : file_sync_folder(spool->path, NULL, err);
}

int keep_copy(const struct deliver_settings *settings, const struct keep_source *source,
              struct deliver_file *file, struct err *err)
{
    struct spooldir spool;
    struct spool_names names;
    struct parcel *parcel = NULL;
    spool_names_init(&names, settings->mailbox, settings->state);
    if (settings->passed)
        keep_name_passed(&names);
    int result = spooldir_open(&spool, settings, err);
    if (result == 0)
        result = spool_begin(&parcel, spool.fd, spool.path, SPOOL_PART, &names, err);
    if (result == 0)
        result = write_copy(parcel, &spool, settings->durable, source, err);
    if (result == 0) {
        snprintf(file->name, sizeof file->name, "%s", parcel->name);
        file->octets = parcel->octets;
        spool_free(parcel);
    } else {
        spool_drop(parcel);
    }
    spooldir_close(&spool);
    return result;
}

/* ---- what is said of it ---- */

static bool is_marked(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && (status.st_mode & SPOOL_WHOLE) == SPOOL_KEPT;
}

/* A power cut may take the mark, but only the journal that names it needs none. */
void keep_mark(const struct deliver_settings *settings, const char *name)
{
    char *path;
    uint64_t octets;
    if (keep_path(settings->state_dir, name, &path, &octets, NULL) == 0 && !is_marked(path))
        (void)chmod(path, SPOOL_KEPT);
    free(path);
}

/* On the disk before `done` is: else a power cut could leave the mark and take the removal. Who
 * took it off before may have been killed before its flush. */
static void unmark(const char *path, bool durable)
{
    struct err ignored;
    int fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0)
        return;
    (void)fchmod(fd, SPOOL_WHOLE);
    if (durable)
        (void)file_sync(fd, path, &ignored);
    close(fd);
}

void keep_unmark(const struct deliver_settings *settings, const char *name)
{
    uint64_t octets;
    for (int folder = SPOOL; folder <= HELD; folder++) {
        char *path = path_in(settings->state_dir, folder, name);
        if (look(path, &octets, NULL) == 0)
            unmark(path, settings->durable);
        free(path);
    }
}

/* ---- from one name to another, and away ---- */

/* A rename is two blocks on the disk: where there is no journal, a power cut may leave neither. */
static int link_over(const char *old, const char *new, struct err *err)
{
    if (link(old, new) == 0 || errno == EEXIST || rename(old, new) == 0)
        return 0;
    return err_errno(err, ERR_IO, errno, "cannot move %s to %s", old, new);
}

/* The new name is on the disk before the old one goes. */
static int change_name(const struct deliver_settings *settings, const char *old, const char *new,
                       struct err *err)
{
    char *folder = file_parent(new);
    int result = file_make_folder(folder, settings->durable, err);
    if (result == 0)
        result = link_over(old, new, err);
    if (result == 0 && settings->durable)
        result = file_sync_folder(folder, NULL, err);
    if (result == 0)
        unlink(old);
    free(folder);
    return result;
}

/* Nothing happens if it is not there. */
static int move(const struct deliver_settings *settings, const char *name, int from,
                const char *other, int to, struct err *err)
{
    char *old = path_in(settings->state_dir, from, name);
    char *new = path_in(settings->state_dir, to, other);
    uint64_t octets;
    int result = look(old, &octets, err);
    if (result == 0)
        result = change_name(settings, old, new, err);
    free(new);
    free(old);
    return result < 0 ? -1 : 0;
}

int keep_hold(const struct deliver_settings *settings, const char *name, struct err *err)
{
    return move(settings, name, SPOOL, name, HELD, err);
}

int keep_rename(const struct deliver_settings *settings, const char *name, const char *other,
                struct err *err)
{
    for (int folder = SPOOL; folder <= HELD; folder++)
        if (move(settings, name, folder, other, folder, err) < 0)
            return -1;
    return 0;
}

int keep_free(const struct deliver_settings *settings, const char *name, struct err *err)
{
    char *path = path_in(settings->state_dir, SPOOL, name);
    uint64_t octets;
    int result = look(path, &octets, err);
    free(path);
    return result == 1 ? move(settings, name, HELD, name, SPOOL, err) : result;
}

void keep_remove(const struct deliver_settings *settings, const char *name)
{
    for (int folder = SPOOL; folder <= HELD; folder++) {
        char *path = path_in(settings->state_dir, folder, name);
        unlink(path);
        free(path);
    }
}

/* ---- all of them ---- */

static uint64_t octets_in(const char *folder)
{
    uint64_t sum = 0;
    struct stat status;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir))
        if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            sum += (uint64_t)status.st_size;
    if (dir != NULL)
        closedir(dir);
    return sum;
}

uint64_t keep_octets(const char *state_dir)
{
    uint64_t sum = 0;
    for (int folder = SPOOL; folder <= HELD; folder++) {
        char *path = xasprintf("%s/%s", state_dir, folders[folder]);
        sum += octets_in(path);
        free(path);
    }
    return sum;
}

/* Its octets; 0: it is none. A spool file of mboxform.h begins with a hole. What cannot be read now
 * may be one, unless it is only a part. */
static int octets_of_message(int folder, const char *name, bool all, uint64_t *octets,
                             struct err *err)
{
    *octets = 0;
    struct stat status;
    char first = '\0';
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT
                   ? 0
                   : err_errno(err, ERR_IO, errno, "cannot look at %s in the state folder", name);
    mode_t mode = status.st_mode & SPOOL_WHOLE;
    if (!S_ISREG(status.st_mode) || mode == SPOOL_PART || (mode != SPOOL_KEPT && !all))
        return 0;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, &first, 1, 0) : -1;
    if (fd >= 0)
        close(fd);
    if (got < 0 || (got == 1 && first != '\0'))
        *octets = (uint64_t)status.st_size;
    return 0;
}

static int find_in(const char *folder, const struct deliver_settings *settings,
                   const struct keep_finder *finder, struct err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return errno == ENOENT ? 0
                               : err_errno(err, ERR_IO, errno, "cannot read the folder %s", folder);
    int result = 0;
    for (const struct dirent *entry; result == 0 && (errno = 0, entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        uint64_t octets = 0;
        bool own = settings->mailbox == NULL || spool_is_own(name, settings->mailbox);
        if (own && !spool_list_has(settings->keeps, name))
            result = octets_of_message(dirfd(dir), name, finder->all, &octets, err);
        if (octets > 0)
            finder->found(finder->ctx, name, octets);
    }
    int number = errno;
    closedir(dir);
    if (result < 0 || number == 0)
        return result;
    return err_errno(err, ERR_IO, number, "cannot read the folder %s", folder);
}

int keep_find_unnamed(const struct deliver_settings *settings, const struct keep_finder *finder,
                      struct err *err)
{
    int result = 0;
    for (int folder = SPOOL; folder <= HELD && result == 0; folder++) {
        char *path = xasprintf("%s/%s", settings->state_dir, folders[folder]);
        result = find_in(path, settings, finder, err);
        free(path);
    }
    return result;
}

int keep_sweep(const struct deliver_settings *settings, struct err *err)
{
    int stay = 0;
    bool failed = false;
    for (int folder = SPOOL; folder <= HELD; folder++) {
        char *path = xasprintf("%s/%s", settings->state_dir, folders[folder]);
        int result = spooldir_clear(path, settings, err);
        failed = failed || result < 0;
        stay += result;
        free(path);
    }
    return failed ? -1 : stay;
}
