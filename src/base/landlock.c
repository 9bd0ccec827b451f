/* SPDX-License-Identifier: ISC */
#include "base/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(FP_LINUX) && defined(SYS_landlock_create_ruleset)

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"

/* include/uapi/linux/landlock.h of Linux 6.12; the numbers of system calls are the C library's. */
#define VERSION_FLAG 1U
enum { RULE_PATH = 1, RULE_PORT = 2 };

#define FS(bit) ((uint64_t)1 << (bit))
#define FS_WRITE_FILE FS(1)
#define FS_READ_FILE FS(2)
#define FS_READ_DIR FS(3)
#define FS_REMOVE_DIR FS(4)
#define FS_REMOVE_FILE FS(5)
#define FS_MAKE_DIR FS(7)
#define FS_MAKE_REG FS(8)
#define FS_FIRST (FS(13) - 1) /* all of version 1 */
#define FS_REFER FS(13)       /* 2: renames and links into another folder */
#define FS_TRUNCATE FS(14)    /* 3 */
#define FS_IOCTL_DEV FS(15)   /* 5 */
#define NET_BIND 1U           /* 4 */
#define NET_CONNECT 2U        /* 4 */
#define SCOPE_ABSTRACT 1U     /* 6: sockets of AF_UNIX without a file */
#define SCOPE_SIGNAL 2U       /* 6 */

#define READ (FS_READ_FILE | FS_READ_DIR)
#define ON_FILE (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define WRITE                                                                                      \
    (READ | ON_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER)

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed, port;
};

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, VERSION_FLAG);
    return version >= 2 ? (int)version : 0;
}

/* All that this version knows is refused but for what a rule allows. */
static struct ruleset ruleset_of(const struct rights *rights, int version)
{
    struct ruleset ruleset = {.fs = FS_FIRST | FS_REFER};
    if (version >= 3)
        ruleset.fs |= FS_TRUNCATE;
    if (version >= 4)
        ruleset.net = NET_CONNECT | (rights->binds ? 0 : NET_BIND);
    if (version >= 5)
        ruleset.fs |= FS_IOCTL_DEV;
    if (version >= 6)
        ruleset.scoped = SCOPE_ABSTRACT | (rights->signals ? 0 : SCOPE_SIGNAL);
    return ruleset;
}

/* 0, or errno. What is not there, or not ours to look at, is passed over. */
static int allow_path(int rules, const char *path, uint64_t allowed)
{
    struct stat info;
    struct path_rule rule = {.allowed = allowed, .folder = file_open(path, O_PATH, 0)};
    if (rule.folder < 0)
        return 0;
    if (fstat(rule.folder, &info) == 0 && !S_ISDIR(info.st_mode))
        rule.allowed &= ON_FILE;
    long result = syscall(SYS_landlock_add_rule, rules, RULE_PATH, &rule, 0U);
    int number = result < 0 ? errno : 0;
    close(rule.folder);
    return number;
}

static int allow(int rules, const struct rights *rights, const struct ruleset *known)
{
    int number = 0;
    for (const char *const *path = rights->read; *path != NULL && number == 0; path++)
        number = allow_path(rules, *path, READ);
    for (const char *const *path = rights->write; *path != NULL && number == 0; path++)
        number = allow_path(rules, *path, WRITE & known->fs);
    for (const unsigned *port = rights->ports; *port != 0 && known->net != 0 && number == 0;
         port++) {
        struct port_rule rule = {NET_CONNECT, *port};
        number = syscall(SYS_landlock_add_rule, rules, RULE_PORT, &rule, 0U) < 0 ? errno : 0;
    }
    return number;
}

int landlock_enter(const struct rights *rights)
{
    int version = landlock_version();
    struct ruleset ruleset = ruleset_of(rights, version);
    size_t size = version >= 6   ? sizeof ruleset
                  : version >= 4 ? 2 * sizeof ruleset.fs
                                 : sizeof ruleset.fs;
    if (version == 0)
        return 0;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0U);
    if (rules < 0)
        return errno;
    int number = allow(rules, rights, &ruleset);
    if (number == 0 && syscall(SYS_landlock_restrict_self, rules, 0U) < 0)
        number = errno;
    close(rules);
    return number;
}

#else

int landlock_version(void)
{
    return 0;
}

int landlock_enter(const struct rights *rights)
{
    (void)rights;
    return 0;
}

#endif
