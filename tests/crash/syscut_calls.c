/* SPDX-License-Identifier: ISC */
/* syscut: which system calls change state, and the filter that makes just those stop. */
#include "syscut.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#if defined __x86_64__
#define AUDIT_NATIVE AUDIT_ARCH_X86_64
#else
#define AUDIT_NATIVE AUDIT_ARCH_AARCH64
#endif

static const struct watched table[] = {
    {SYS_write, "write", K_WRITE, "F0", "B1", 2},
    {SYS_pwrite64, "pwrite64", K_WRITE, "F0", "B1", 2},
    {SYS_writev, "writev", K_WRITE, "F0", "V1", 2},
    {SYS_pwritev, "pwritev", K_WRITE, "F0", "V1", 0},
    {SYS_pwritev2, "pwritev2", K_WRITE, "F0", "V1", 0},
    {SYS_sendto, "sendto", K_WRITE, "F0", "B1", 2},
    {SYS_sendmsg, "sendmsg", K_WRITE, "F0", "M1", 0},
    {SYS_sendmmsg, "sendmmsg", K_WRITE, "F0", "", 0},
    {SYS_sendfile, "sendfile", K_WRITE, "F0", "", 3},
    {SYS_copy_file_range, "copy_file_range", K_WRITE, "F2", "", 4},
    {SYS_splice, "splice", K_WRITE, "F2", "", 4},
    {SYS_tee, "tee", K_WRITE, "F1", "", 2},
    {SYS_vmsplice, "vmsplice", K_WRITE, "F0", "", 0},
    {SYS_io_uring_enter, "io_uring_enter", K_WRITE, "F0", "", 0},
    {SYS_openat, "openat", K_OPEN, "A0", "", 0},
    {SYS_openat2, "openat2", K_OPEN, "A0", "", 0},
    {SYS_renameat2, "renameat2", K_MAKE, "A0A2", "", 0},
    {SYS_renameat, "renameat", K_MAKE, "A0A2", "", 0},
    {SYS_linkat, "linkat", K_MAKE, "A0A2", "", 0},
    {SYS_symlinkat, "symlinkat", K_MAKE, "A1", "", 0},
    {SYS_mkdirat, "mkdirat", K_MAKE, "A0", "", 0},
    {SYS_mknodat, "mknodat", K_MAKE, "A0", "", 0},
    {SYS_unlinkat, "unlinkat", K_REMOVE, "A0", "", 0},
    {SYS_fsync, "fsync", K_SYNC, "F0", "", 0},
    {SYS_fdatasync, "fdatasync", K_SYNC, "F0", "", 0},
    {SYS_syncfs, "syncfs", K_SYNC, "F0", "", 0},
    {SYS_sync, "sync", K_SYNC, "", "", 0},
    {SYS_sync_file_range, "sync_file_range", K_SYNC, "F0", "", 0},
    {SYS_msync, "msync", K_SYNC, "", "", 0},
    {SYS_truncate, "truncate", K_RESIZE, "P0", "", 0},
    {SYS_ftruncate, "ftruncate", K_RESIZE, "F0", "", 0},
    {SYS_fallocate, "fallocate", K_RESIZE, "F0", "", 0},
    {SYS_fchmod, "fchmod", K_META, "F0", "", 0},
    {SYS_fchmodat, "fchmodat", K_META, "A0", "", 0},
    {SYS_fchmodat2, "fchmodat2", K_META, "A0", "", 0},
    {SYS_fchown, "fchown", K_META, "F0", "", 0},
    {SYS_fchownat, "fchownat", K_META, "A0", "", 0},
    {SYS_utimensat, "utimensat", K_META, "A0", "", 0},
    {SYS_setxattr, "setxattr", K_META, "P0", "", 0},
    {SYS_lsetxattr, "lsetxattr", K_META, "P0", "", 0},
    {SYS_fsetxattr, "fsetxattr", K_META, "F0", "", 0},
    {SYS_removexattr, "removexattr", K_META, "P0", "", 0},
    {SYS_lremovexattr, "lremovexattr", K_META, "P0", "", 0},
    {SYS_fremovexattr, "fremovexattr", K_META, "F0", "", 0},
    {SYS_connect, "connect", K_NET, "F0", "", 0},
    {SYS_shutdown, "shutdown", K_NET, "F0", "", 0},
#ifdef SYS_open /* the names that only the older architectures have */
    {SYS_open, "open", K_OPEN, "P0", "", 0},
    {SYS_creat, "creat", K_OPEN, "P0", "", 0},
    {SYS_rename, "rename", K_MAKE, "P0P1", "", 0},
    {SYS_link, "link", K_MAKE, "P0P1", "", 0},
    {SYS_symlink, "symlink", K_MAKE, "P1", "", 0},
    {SYS_mkdir, "mkdir", K_MAKE, "P0", "", 0},
    {SYS_mknod, "mknod", K_MAKE, "P0", "", 0},
    {SYS_unlink, "unlink", K_REMOVE, "P0", "", 0},
    {SYS_rmdir, "rmdir", K_REMOVE, "P0", "", 0},
    {SYS_chmod, "chmod", K_META, "P0", "", 0},
    {SYS_chown, "chown", K_META, "P0", "", 0},
    {SYS_lchown, "lchown", K_META, "P0", "", 0},
    {SYS_utime, "utime", K_META, "P0", "", 0},
    {SYS_utimes, "utimes", K_META, "P0", "", 0},
    {SYS_futimesat, "futimesat", K_META, "A0", "", 0},
#endif
};

#define TABLE_LEN (sizeof table / sizeof table[0])
#define WRITING_FLAGS (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

/* --- which calls count ------------------------------------------------------------------------ */

const struct watched *calls_find(long nr)
{
    for (size_t i = 0; i < TABLE_LEN; i++)
        if (table[i].nr == nr)
            return &table[i];
    return NULL;
}

void calls_print_names(FILE *f)
{
    for (size_t i = 0; i < TABLE_LEN; i++)
        fprintf(f, "%s\n", table[i].name);
}

static unsigned long long open_flags(pid_t tid, const struct watched *w,
                                     const struct user_regs_struct *r)
{
    struct open_how how = {0};

    if (w->nr == SYS_openat)
        return tracee_arg(r, 2);
    if (w->nr == SYS_openat2) {
        tracee_peek(tid, tracee_arg(r, 2), &how, sizeof how);
        return how.flags;
    }
#ifdef SYS_open
    if (w->nr == SYS_open)
        return tracee_arg(r, 1);
#endif
    return O_CREAT | O_TRUNC | O_WRONLY; /* creat */
}

static bool is_file_fd(pid_t tid, int fd)
{
    char path[64];
    struct stat st;

    if (fd == 1 || fd == 2)
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)tid, fd);
    return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* For --files-only: devices, /proc, sockets, pipes and the standard outputs are not the disk. */
static bool on_disk(pid_t tid, const struct watched *w, const struct user_regs_struct *r)
{
    char path[2 * PATH_MAX];
    struct stat st;

    if (w->kind == K_NET)
        return false;
    if (w->target[0] == 'F')
        return is_file_fd(tid, (int)tracee_arg(r, w->target[1] - '0'));
    if (!w->target[0])
        return true;
    tracee_target(tid, w, r, 0, path, sizeof path);
    if (strncmp(path, "/proc/", 6) == 0)
        return false;
    if (w->kind != K_OPEN || stat(path, &st) < 0)
        return true;
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

bool calls_count(pid_t tid, const struct watched *w, const struct user_regs_struct *r,
                 bool files_only)
{
    if (w->kind == K_OPEN && !(open_flags(tid, w, r) & WRITING_FLAGS))
        return false;
    return !files_only || on_disk(tid, w, r);
}

static bool exists(pid_t tid, const struct watched *w, const struct user_regs_struct *r)
{
    char path[2 * PATH_MAX];
    struct stat st;

    tracee_target(tid, w, r, 0, path, sizeof path);
    return lstat(path, &st) == 0;
}

bool calls_refused(pid_t tid, const struct watched *w, const struct user_regs_struct *r, int error)
{
    bool full = error == ENOSPC || error == EDQUOT;

    switch (w->kind) {
    case K_WRITE:
    case K_MAKE:
    case K_SYNC:
        return true;
    case K_RESIZE:
        return error == EROFS || w->nr == SYS_fallocate;
    case K_OPEN:
        return error == EROFS || !full || !exists(tid, w, r);
    case K_REMOVE:
    case K_META:
        return error == EROFS;
    case K_NET:
        break;
    }
    return false;
}

static size_t emit(struct sock_filter *f, size_t n, uint16_t code, uint32_t k, uint8_t jt,
                   uint8_t jf)
{
    f[n] = (struct sock_filter){code, jt, jf, k};
    return n + 1;
}

/* For an open: stop only if the flags (argument `i`) say that something may be written. */
static size_t emit_open(struct sock_filter *f, size_t n, uint32_t nr, unsigned i)
{
    uint32_t flags = (uint32_t)offsetof(struct seccomp_data, args) + 8 * i; /* low half */

    n = emit(f, n, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4);
    n = emit(f, n, BPF_LD | BPF_W | BPF_ABS, flags, 0, 0);
    n = emit(f, n, BPF_JMP | BPF_JSET | BPF_K, WRITING_FLAGS, 1, 0);
    n = emit(f, n, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    return emit(f, n, BPF_RET | BPF_K, SECCOMP_RET_TRACE, 0, 0);
}

int calls_install_filter(void)
{
    struct sock_filter f[2 * TABLE_LEN + 32];
    size_t n = 0;

    n = emit(f, n, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    n = emit(f, n, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_NATIVE, 1, 0);
    n = emit(f, n, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    n = emit(f, n, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    n = emit_open(f, n, SYS_openat, 2);
#ifdef SYS_open
    n = emit_open(f, n, SYS_open, 1);
#endif
    for (size_t i = 0; i < TABLE_LEN; i++) {
        n = emit(f, n, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)table[i].nr, 0, 1);
        n = emit(f, n, BPF_RET | BPF_K, SECCOMP_RET_TRACE, 0, 0);
    }
    n = emit(f, n, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);

    struct sock_fprog prog = {(unsigned short)n, f};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
        return 0; /* as root; set-id programs of the tree still work */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
