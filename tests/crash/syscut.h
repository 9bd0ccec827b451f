/* SPDX-License-Identifier: ISC */
/* syscut's inside: what the calls are (calls), what a stopped process looks like (tracee), and the
 * run itself (syscut.c, where the program is explained). */
#ifndef FP_CRASH_SYSCUT_H
#define FP_CRASH_SYSCUT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

enum kind {
    K_WRITE,  /* puts octets somewhere */
    K_OPEN,   /* an open that makes, empties or may write */
    K_MAKE,   /* a new name: mkdir, link, symlink, rename */
    K_REMOVE, /* unlink, rmdir */
    K_SYNC,
    K_RESIZE, /* truncate, fallocate */
    K_META,   /* modes, owners, times, attributes */
    K_NET     /* connect, shutdown */
};

/*
 * target: pairs of a letter and an argument's number: F a descriptor, P a path, A a folder's
 * descriptor with the path in the next argument. data: B buffer+length, V iovec+count, M msghdr.
 * count: the argument that --short halves, 0 if there is none.
 */
struct watched {
    long nr;
    const char *name;
    enum kind kind;
    const char *target;
    const char *data;
    int count;
};

/* A traced thread. `restore` is set while a call runs whose arguments --short has changed. */
struct tracee {
    pid_t tid;
    long ordinal;
    bool in_call;
    bool restore;
    bool injected;
    long point;
    long start;
    const struct watched *call;
    struct user_regs_struct saved;
};

enum mode { M_COUNT, M_KILL, M_FAIL, M_FAIL_FROM, M_SHORT, M_SIGNAL };

/* One run of the command. */
struct run {
    enum mode mode;
    long at;          /* the N of the mode */
    int with;         /* errno or signal */
    const char *spec; /* text of errno or signal, for the report */
    bool files_only;
    size_t octets; /* how much of the data --trace shows */
    FILE *list;
    FILE *trace;
    const char *report;
    pid_t root;
    struct tracee *tracees;
    size_t ntracees, room;
    long next_ordinal;
    long points;
    long clock; /* one tick for each beginning and end of a call in the trace */
    bool killed, hit;
    char hit_text[3 * PATH_MAX];
    int status; /* the root's wait status */
};

/* calls: the table, the filter made from it, and which stops are points. */
const struct watched *calls_find(long nr);
void calls_print_names(FILE *f);
bool calls_count(pid_t tid, const struct watched *w, const struct user_regs_struct *r,
                 bool files_only);
/* Would a disk that answers `error` from now on refuse it? A full one still lets files go. */
bool calls_refused(pid_t tid, const struct watched *w, const struct user_regs_struct *r, int error);
/* Puts the calling process, which is about to exec, under the filter. -1 and errno on failure. */
int calls_install_filter(void);

/* tracee: registers, memory and descriptors of a stopped thread. */
void tracee_get_regs(pid_t tid, struct user_regs_struct *regs);
void tracee_set_regs(pid_t tid, struct user_regs_struct *regs);
long tracee_nr(const struct user_regs_struct *r);
long tracee_result(const struct user_regs_struct *r);
void tracee_set_result(struct user_regs_struct *r, long value);
/* Writes the registers back, with another system call's number (-1: none is executed). */
void tracee_change_nr(pid_t tid, struct user_regs_struct *r, long nr);
unsigned long long *tracee_arg_slot(struct user_regs_struct *r, int i);
unsigned long long tracee_arg(const struct user_regs_struct *r, int i);
size_t tracee_peek(pid_t tid, unsigned long long addr, void *buf, size_t len);
/* The first (0) or second (1) file the call is about, as an absolute path; "" if there is none. */
void tracee_target(pid_t tid, const struct watched *w, const struct user_regs_struct *r, int which,
                   char *buf, size_t size);
void tracee_describe(pid_t tid, long ordinal, const struct watched *w,
                     const struct user_regs_struct *r, char *buf, size_t size);
/* Reads up to `size` octets of what the call writes. */
size_t tracee_data(pid_t tid, const struct watched *w, const struct user_regs_struct *r, char *buf,
                   size_t size);

#endif
