/* SPDX-License-Identifier: ISC */
#include "delivery/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#ifdef FP_LINUX
#include <sys/vfs.h>
#endif
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "delivery/ahead.h"

#define RANDOM 8 /* hex digits of a random number */

/* The host's part of a name, with the bytes that maildir(5) forbids written in octal. */
static void host_part(char *out, size_t cap)
{
    char host[65] = "";
    size_t len = 0;
    if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
        memcpy(host, "localhost", 10);
    for (const char *p = host; *p != '\0' && len + 5 < cap; p++)
        if (*p == '/' || *p == ':' || *p == ',' || (unsigned char)*p <= ' ')
            len += (size_t)snprintf(out + len, cap - len, "\\%03o", (unsigned char)*p);
        else
            out[len++] = *p;
    out[len] = '\0';
}

void spool_names_init(struct spool_names *names, const char *mailbox, const char *folder)
{
    *names = (struct spool_names){.pid = (long)getpid()};
    snprintf(names->mailbox, sizeof names->mailbox, "%s", mailbox);
    snprintf(names->folder, sizeof names->folder, "%s", folder);
    (void)random_bytes(&names->random, sizeof names->random);
    host_part(names->host, sizeof names->host);
}

/* A new name: seconds.M<µs>P<pid>Q<count>R<random>F<mailbox>S<folder>.<host>. */
static void make_name(struct spool_names *names, char out[SPOOL_NAME_MAX])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(out, SPOOL_NAME_MAX, "%lld.M%06ldP%ldQ%luR%08lxF%sS%s.%s", (long long)now.tv_sec,
             now.tv_nsec / 1000, names->pid, ++names->count, (unsigned long)names->random,
             names->mailbox, names->folder, names->host);
}

/* Whose a name is. The views point into it; folder is empty in names of earlier versions. */
struct owner {
    struct str mailbox, folder;
};

static bool take_digits(const char **at)
{
    size_t n = strspn(*at, "0123456789");
    *at += n;
    return n > 0;
}

static bool take_hex(const char **at, size_t n, struct str *out)
{
    *out = str_of(*at, strspn(*at, "0123456789abcdef"));
    *at += out->len;
    return out->len == n;
}

/* True if make_name made it; flags of maildir(5) may follow behind ':'. 'B' was the mark of a
 * session's marker, in earlier versions. */
static bool read_owner(const char *name, struct owner *owner)
{
    *owner = (struct owner){.folder = str_of("", 0)};
    if (!take_digits(&name) || *name++ != '.' || *name++ != 'M' || !take_digits(&name) ||
        *name++ != 'P' || !take_digits(&name) || (*name != 'Q' && *name != 'B'))
        return false;
    name++;
    if (!take_digits(&name))
        return false;
    if (*name == 'R') { /* not in earlier versions */
        name++;
        if (!take_hex(&name, RANDOM, &owner->mailbox))
            return false;
    }
    if (*name++ != 'F' || !take_hex(&name, SPOOL_MAILBOX, &owner->mailbox))
        return false;
    if (*name == 'S') {
        name++;
        if (!take_hex(&name, SPOOL_FOLDER, &owner->folder))
            return false;
    }
    return *name == '.';
}

bool spool_mailbox(const char *name, char out[SPOOL_MAILBOX + 1])
{
    struct owner owner;
    if (!read_owner(name, &owner))
        return false;
    snprintf(out, SPOOL_MAILBOX + 1, "%.*s", (int)owner.mailbox.len, owner.mailbox.ptr);
    return true;
}

bool spool_is_own(const char *name, const char *mailbox)
{
    struct owner owner;
    return read_owner(name, &owner) && str_is(owner.mailbox, mailbox);
}

bool spool_rename(const char *name, const char *mailbox, char out[SPOOL_NAME_MAX])
{
    struct owner owner;
    if (strlen(name) >= SPOOL_NAME_MAX || !read_owner(name, &owner))
        return false;
    memcpy(out, name, strlen(name) + 1);
    memcpy(out + (owner.mailbox.ptr - name), mailbox, owner.mailbox.len);
    return true;
}

static bool is_old(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
        return false;
    time_t touched = status.st_mtime > status.st_atime ? status.st_mtime : status.st_atime;
    return touched < time(NULL) - SPOOL_AGE;
}

/* SECONDS.UNIQUE.HOST, as maildir(5) has it: what else lies in a tmp/ is nobody's delivery. */
static bool is_delivery(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    const char *dot = digits >= 9 && name[digits] == '.' ? strchr(name + digits + 1, '.') : NULL;
    return dot != NULL && dot > name + digits + 1 && dot[1] != '\0';
}

/* Its entry may be in a newer copy of the journal. */
static bool is_kept(int folder, const char *name)
{
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (status.st_mode & SPOOL_WHOLE) == SPOOL_KEPT;
}

/* A message that another mailbox of ours was about to publish is that one's to find. */
bool spool_is_litter(int folder, const char *name, const char *mailbox, const char *state)
{
    struct owner owner;
    if (!read_owner(name, &owner))
        return state != NULL && is_delivery(name) && is_old(folder, name);
    if (state == NULL || str_is(owner.folder, state))
        return str_is(owner.mailbox, mailbox);
    return is_old(folder, name);
}

int spool_begin(struct parcel **out, int folder, const char *folder_path, mode_t mode,
                struct spool_names *names, struct err *err)
{
    struct parcel *parcel = xcalloc(1, sizeof *parcel);
    char name[SPOOL_NAME_MAX];
    make_name(names, name);
    parcel->path = xasprintf("%s/%s", folder_path, name);
    parcel->name = parcel->path + strlen(parcel->path) - strlen(name);
    parcel->folder = folder;
    do
        parcel->fd = openat(folder, parcel->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    while (parcel->fd < 0 && errno == EINTR);
    if (parcel->fd < 0) {
        err_errno(err, ERR_CREATE, errno, "cannot make a file in %s", folder_path);
        free(parcel->path);
        free(parcel);
        return -1;
    }
    parcel->header = header_new();
    *out = parcel;
    return 0;
}

/* Where there are no modes this fails, and is not missed. */
void spool_end(const struct parcel *parcel)
{
    (void)fchmod(parcel->fd, SPOOL_WHOLE);
}

static int read_header(struct parcel *parcel, struct err *err)
{
    char bytes[4096];
    ssize_t got = 1;
    for (off_t at = 0; got > 0 && !header_is_done(parcel->header); at += got) {
        got = pread(parcel->fd, bytes, sizeof bytes, at);
        if (got < 0)
            return err_errno(err, ERR_IO, errno, "cannot read %s", parcel->path);
        header_feed(parcel->header, bytes, (size_t)got);
    }
    return 0;
}

int spool_adopt(struct parcel **out, int folder, const char *folder_path, const char *name,
                struct err *err)
{
    struct stat status = {.st_size = 0};
    struct parcel *parcel = xcalloc(1, sizeof *parcel);
    parcel->path = xasprintf("%s/%s", folder_path, name);
    parcel->name = parcel->path + strlen(parcel->path) - strlen(name);
    parcel->folder = folder;
    parcel->stays = true;
    parcel->header = header_new();
    parcel->fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int result = parcel->fd < 0 || fstat(parcel->fd, &status) < 0
                     ? err_errno(err, ERR_IO, errno, "cannot open %s", parcel->path)
                     : read_header(parcel, err);
    if (result < 0) {
        spool_free(parcel);
        return -1;
    }
    parcel->octets = (uint64_t)status.st_size;
    *out = parcel;
    return 0;
}

/* Linux of that version; what cannot be read as one counts as older. */
static bool kernel_is_at_least(uint64_t major, uint64_t minor)
{
#ifdef FP_LINUX
    struct utsname system;
    uint64_t is_major = 0, is_minor = 0;
    if (uname(&system) < 0)
        return false;
    struct str release = str_from(system.release);
    bool read = str_number(str_until(&release, '.'), UINT32_MAX, &is_major) == 0 &&
                str_number(str_until(&release, '.'), UINT32_MAX, &is_minor) == 0;
    return read && (is_major > major || (is_major == major && is_minor >= minor));
#else
    (void)major, (void)minor;
    return false;
#endif
}

#if defined(HAVE_SYNCFS) && defined(HAVE_SYNC_FILE_RANGE)
/* By the magic numbers of statfs(2). Others have it from the kernel's default, which reaches no
 * further than their own memory: FUSE, eCryptfs, CIFS. ext2 and ext3 share ext4's number, and
 * honour it too. */
static bool trusts_syncfs(int folder)
{
    static const unsigned long known[] = {
        0xef53,     /* ext4 */
        0x58465342, /* XFS */
        0x9123683e, /* btrfs */
        0xf2f52010, /* f2fs */
        0x01021994, /* tmpfs */
        0x2fc12fc1, /* ZFS */
        0xca451a4e, /* bcachefs */
    };
    struct statfs status;
    if (fstatfs(folder, &status) < 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i] == ((unsigned long)status.f_type & 0xffffffff))
            return true;
    return false;
}

/* fsync after fsync sends one flush a message to the disk; this way it is two for a batch. Since
 * Linux 5.8 syncfs(2) reports what write-back failed since `folder` was opened, which is before the
 * first message was begun. Before that, each file is asked for its own errors behind it. */
static int secure_together(struct parcel *const *parcels, size_t n, int folder, struct err *err)
{
    if (syncfs(folder) < 0)
        return err_errno(err, ERR_IO, errno, "cannot flush the file system of %s",
                         parcels[0]->path);
    if (kernel_is_at_least(5, 8))
        return 0;
    for (size_t i = 0; i < n; i++) {
        int waited = sync_file_range(parcels[i]->fd, 0, 0,
                                     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                         SYNC_FILE_RANGE_WAIT_AFTER);
        if (waited < 0 && errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
            return err_errno(err, ERR_IO, errno, "cannot write back %s", parcels[i]->path);
    }
    return 0;
}
#else
static bool trusts_syncfs(int folder)
{
    (void)folder;
    return false;
}

static int secure_together(struct parcel *const *parcels, size_t n, int folder, struct err *err)
{
    (void)parcels, (void)n, (void)folder, (void)err;
    return 0;
}
#endif

bool spool_secures_all(size_t n, int folder)
{
    return n > SPOOL_FSYNC_EACH && trusts_syncfs(folder);
}

/* Since Linux 4.13 an error of write-back is told to each open description; before, to whoever
 * flushes first, and that would not be the flush that counts. */
static void flush_ahead(struct parcel *parcel, size_t len)
{
    struct ahead *ahead = parcel->ahead;
    if (ahead != NULL && ahead_is_due(ahead, len) && kernel_is_at_least(4, 13))
        ahead_start(ahead, parcel->folder, parcel->name,
                    ahead->files > 1 && trusts_syncfs(parcel->folder));
}

int spool_write(struct parcel *parcel, const char *bytes, size_t len, struct err *err)
{
    if (file_write(parcel->fd, bytes, len, parcel->path, err) < 0)
        return -1;
    flush_ahead(parcel, len);
    return 0;
}

static int take_bytes(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct parcel *parcel = ctx;
    header_feed(parcel->header, bytes, len);
    parcel->octets += len;
    if (parcel->transform != NULL)
        return parcel->transform(parcel, bytes, len, err);
    return spool_write(parcel, bytes, len, err);
}

struct sink spool_sink(struct parcel *parcel)
{
    return (struct sink){.write = take_bytes, .ctx = parcel};
}

void spool_free(struct parcel *parcel)
{
    if (parcel == NULL)
        return;
    if (parcel->fd >= 0)
        close(parcel->fd);
    header_free(parcel->header);
    free(parcel->extra);
    free(parcel->why);
    free(parcel->path);
    free(parcel);
}

void spool_drop(struct parcel *parcel)
{
    if (parcel == NULL)
        return;
    unlinkat(parcel->folder, parcel->name, 0);
    spool_free(parcel);
}

int spool_secure(struct parcel *const *parcels, size_t n, int folder, struct err *err)
{
    if (spool_secures_all(n, folder))
        return secure_together(parcels, n, folder, err);
    for (size_t i = 0; i < n; i++)
        if (file_sync(parcels[i]->fd, parcels[i]->path, err) < 0)
            return -1;
    return 0;
}

bool spool_list_has(const struct spool_list *list, const char *name)
{
    return list != NULL && list->count > 0 &&
           bsearch(&name, list->at, list->count, sizeof *list->at, str_order) != NULL;
}

int spool_sweep(int folder, const char *folder_path, const char *mailbox, const char *state,
                const struct spool_list *kept, struct err *err)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL) {
        err_errno(err, ERR_IO, errno, "cannot read the folder %s", folder_path);
        if (copy >= 0)
            close(copy);
        return -1;
    }
    int result = 0, stay = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const char *name = entry->d_name;
        if (spool_list_has(kept, name) || !spool_is_litter(folder, name, mailbox, state))
            continue;
        if (state == NULL && is_kept(folder, name))
            stay++;
        else if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
            result = err_errno(err, ERR_IO, errno, "cannot remove %s/%s", folder_path, name);
    }
    closedir(dir);
    return result < 0 ? -1 : stay;
}
