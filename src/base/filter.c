/* SPDX-License-Identifier: ISC */
#include "base/filter.h"

#ifdef HAVE_LIBSECCOMP

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define NAMESPACES 0x7e020000U /* CLONE_NEW...: all that clone(2) knows */
#ifdef __s390__
#define CLONE_FLAGS(...)                                                                           \
    SCMP_A1(__VA_ARGS__) /* that machine has its arguments the other way round */
#else
#define CLONE_FLAGS(...) SCMP_A0(__VA_ARGS__)
#endif

/* By name, since the C library may not know the newest; what the kernel of this machine does not
 * have does no harm. */
static const char *const refused[] = {
    /* programs, and other processes */
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    "kcmp", "pidfd_getfd",
    /* the tree of files as others see it */
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "mknod", "mknodat", "open_by_handle_at",
    "quotactl", "quotactl_fd", "swapon", "swapoff",
    /* the kernel and the machine */
    "bpf", "perf_event_open", "init_module", "finit_module", "delete_module", "create_module",
    "kexec_load", "kexec_file_load", "reboot", "acct", "syslog", "lookup_dcookie", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "iopl", "ioperm", "personality",
    "settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime",
    "clock_adjtime64", "sethostname", "setdomainname",
    /* name spaces */
    "unshare", "setns",
    /* being connected to */
    "listen", "accept", "accept4"};

/* Of no filter at all a kernel that has filters says EFAULT; others say EINVAL, as qemu's user mode
 * does. */
static bool is_there(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
}

/* Where the C library has one call for all that is done with sockets (i386, s390x), the family is
 * in memory, where no filter looks; libseccomp would refuse every socket. */
static bool has_socketcall(void)
{
    return SCMP_SYS(socketcall) > 0;
}

const char *filter_spell(void)
{
    if (!is_there())
        return "no seccomp in this kernel";
    return has_socketcall() ? "seccomp (except for sockets)" : "seccomp";
}

static int refuse(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0; /* this libseccomp is older than the name */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), number, 0);
}

/* Of AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (the resolver asks for our addresses). */
static int refuse_families(scmp_filter_ctx filter, const struct rights *rights)
{
    static const int kept[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    int number = 0;
    if (has_socketcall())
        return 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0] && number == 0; i++) {
        int last = i + 1 < sizeof kept / sizeof kept[0] ? kept[i + 1] : 0;
        if (last == 0)
            number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_GT, (scmp_datum_t)kept[i], 0));
        for (int family = kept[i] + 1; family < last && number == 0; family++)
            number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
    }
    if (number == 0 && !rights->sockets)
        number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
    return number;
}

/* Typing into somebody's terminal, and processes in name spaces of their own. clone3 keeps its
 * flags in memory, where no filter looks; on ENOSYS the C library takes clone. */
static int refuse_arguments(scmp_filter_ctx filter)
{
    int number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (number == 0)
        number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, TIOCSTI));
    for (unsigned bit = 1; bit != 0 && number == 0; bit <<= 1)
        if ((NAMESPACES & bit) != 0)
            number = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(clone), 1,
                                      CLONE_FLAGS(SCMP_CMP_MASKED_EQ, bit, bit));
    return number;
}

int filter_enter(const struct rights *rights)
{
    if (!is_there())
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int number = filter == NULL ? -ENOMEM : 0;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0] && number == 0; i++)
        number = refuse(filter, refused[i]);
    if (number == 0)
        number = refuse_families(filter, rights);
    if (number == 0)
        number = refuse_arguments(filter);
    if (number == 0)
        number = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return -number;
}

#else

const char *filter_spell(void)
{
    return "built without libseccomp";
}

int filter_enter(const struct rights *rights)
{
    (void)rights;
    return 0;
}

#endif
