/* SPDX-License-Identifier: ISC */
/* syscut: a stopped thread's registers, memory and descriptors. */
#include "syscut.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- registers -------------------------------------------------------------------------------- */

void tracee_get_regs(pid_t tid, struct user_regs_struct *regs)
{
    struct iovec iov = {regs, sizeof *regs};

    memset(regs, 0, sizeof *regs);
    ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &iov);
}

void tracee_set_regs(pid_t tid, struct user_regs_struct *regs)
{
    struct iovec iov = {regs, sizeof *regs};

    ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &iov);
}

#if defined __x86_64__
long tracee_nr(const struct user_regs_struct *r)
{
    return (long)r->orig_rax;
}
long tracee_result(const struct user_regs_struct *r)
{
    return (long)r->rax;
}
unsigned long long *tracee_arg_slot(struct user_regs_struct *r, int i)
{
    unsigned long long *slot[] = {
        (unsigned long long *)&r->rdi, (unsigned long long *)&r->rsi, (unsigned long long *)&r->rdx,
        (unsigned long long *)&r->r10, (unsigned long long *)&r->r8,  (unsigned long long *)&r->r9,
    };
    return slot[i];
}
void tracee_change_nr(pid_t tid, struct user_regs_struct *r, long nr)
{
    r->orig_rax = (unsigned long long)nr;
    tracee_set_regs(tid, r);
}
void tracee_set_result(struct user_regs_struct *r, long value)
{
    r->rax = (unsigned long long)value;
}
#elif defined __aarch64__
long tracee_nr(const struct user_regs_struct *r)
{
    return (long)r->regs[8];
}
long tracee_result(const struct user_regs_struct *r)
{
    return (long)r->regs[0];
}
unsigned long long *tracee_arg_slot(struct user_regs_struct *r, int i)
{
    return (unsigned long long *)&r->regs[i];
}
void tracee_change_nr(pid_t tid, struct user_regs_struct *r, long nr)
{
    int number = (int)nr;
    struct iovec iov = {&number, sizeof number};

    tracee_set_regs(tid, r);
    ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &iov);
}
void tracee_set_result(struct user_regs_struct *r, long value)
{
    r->regs[0] = (unsigned long long)value;
}
#else
#error "syscut knows x86_64 and aarch64"
#endif

unsigned long long tracee_arg(const struct user_regs_struct *r, int i)
{
    struct user_regs_struct copy = *r;

    return *tracee_arg_slot(&copy, i);
}

/* --- the tracee's memory and descriptors ------------------------------------------------------ */

size_t tracee_peek(pid_t tid, unsigned long long addr, void *buf, size_t len)
{
    struct iovec here = {buf, len}, there = {(void *)(uintptr_t)addr, len};
    ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);

    return n < 0 ? 0 : (size_t)n;
}

/* Reads up to the next page's end each time, since a string may end just before a hole. */
static void peek_string(pid_t tid, unsigned long long addr, char *buf, size_t size)
{
    size_t have = 0;

    while (have + 1 < size) {
        size_t want = 4096 - (size_t)((addr + have) % 4096);

        if (want > size - 1 - have)
            want = size - 1 - have;
        size_t got = tracee_peek(tid, addr + have, buf + have, want);
        if (got == 0 || memchr(buf + have, 0, got)) {
            have += got;
            break;
        }
        have += got;
    }
    buf[have < size ? have : size - 1] = 0;
}

static void proc_link(pid_t tid, const char *what, char *buf, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, what);
    ssize_t n = readlink(path, buf, size - 1);
    buf[n < 0 ? 0 : n] = 0;
}

static void fd_target(pid_t tid, int fd, char *buf, size_t size)
{
    char what[32];

    snprintf(what, sizeof what, "fd/%d", fd);
    proc_link(tid, what, buf, size);
    if (!*buf)
        snprintf(buf, size, "fd %d", fd);
}

/* The path as an absolute one, as far as text can tell: links are not followed. */
static void absolute(pid_t tid, int dirfd, unsigned long long addr, char *buf, size_t size)
{
    char text[PATH_MAX], base[PATH_MAX];

    text[0] = 0;
    if (addr)
        peek_string(tid, addr, text, sizeof text);
    if (text[0] == '/') {
        snprintf(buf, size, "%s", text);
        return;
    }
    if (dirfd == AT_FDCWD)
        proc_link(tid, "cwd", base, sizeof base);
    else
        fd_target(tid, dirfd, base, sizeof base);
    snprintf(buf, size, text[0] ? "%s/%s" : "%s", base, text);
}

void tracee_target(pid_t tid, const struct watched *w, const struct user_regs_struct *r, int which,
                   char *buf, size_t size)
{
    const char *spec = w->target;

    buf[0] = 0;
    for (; which > 0 && *spec; which--)
        spec += 2;
    if (!*spec)
        return;
    int i = spec[1] - '0';
    if (*spec == 'F')
        fd_target(tid, (int)tracee_arg(r, i), buf, size);
    else if (*spec == 'P')
        absolute(tid, AT_FDCWD, tracee_arg(r, i), buf, size);
    else
        absolute(tid, (int)tracee_arg(r, i), tracee_arg(r, i + 1), buf, size);
}

void tracee_describe(pid_t tid, long ordinal, const struct watched *w,
                     const struct user_regs_struct *r, char *buf, size_t size)
{
    char one[2 * PATH_MAX], two[2 * PATH_MAX];

    tracee_target(tid, w, r, 0, one, sizeof one);
    tracee_target(tid, w, r, 1, two, sizeof two);
    snprintf(buf, size, "%ld %s %s%s%s", ordinal, w->name, one, two[0] ? " -> " : "", two);
}

static size_t gather(pid_t tid, unsigned long long addr, size_t n, char *buf, size_t size)
{
    struct iovec iov[64];
    size_t have = 0;

    if (n > 64)
        n = 64;
    n = tracee_peek(tid, addr, iov, n * sizeof iov[0]) / sizeof iov[0];
    for (size_t i = 0; i < n && have < size; i++) {
        size_t want = iov[i].iov_len < size - have ? iov[i].iov_len : size - have;
        have += tracee_peek(tid, (unsigned long long)(uintptr_t)iov[i].iov_base, buf + have, want);
    }
    return have;
}

size_t tracee_data(pid_t tid, const struct watched *w, const struct user_regs_struct *r, char *buf,
                   size_t size)
{
    struct msghdr msg = {0};

    if (!*w->data)
        return 0;
    int i = w->data[1] - '0';
    if (*w->data == 'B')
        return tracee_peek(tid, tracee_arg(r, i), buf, size);
    if (*w->data == 'V')
        return gather(tid, tracee_arg(r, i), (size_t)tracee_arg(r, i + 1), buf, size);
    tracee_peek(tid, tracee_arg(r, i), &msg, sizeof msg);
    return gather(tid, (unsigned long long)(uintptr_t)msg.msg_iov, msg.msg_iovlen, buf, size);
}
