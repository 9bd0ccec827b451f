/* SPDX-License-Identifier: ISC */
/*
 * syscut: run a command with its whole process tree and count, in one order, every system call
 * that changes state on files and sockets; on request stop before the N-th and kill the tree, make
 * calls fail, shorten writes, send a signal, or write down what happened.
 *
 * How it works: the command runs under a seccomp filter that lets everything pass but the calls of
 * the table below; those stop for us (PTRACE_EVENT_SECCOMP) before they are executed. All else runs
 * at full speed. Opens that only read never stop: the filter looks at their flags.
 *
 * Not seen: stores into a shared mapping (the msync is), ioctl. A 32-bit program is killed by the
 * filter rather than overlooked.
 *
 * Linux 4.8 or newer, x86_64 and aarch64. See usage() for the options and README for examples.
 */
#include "syscut.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_OWN 125   /* syscut itself could not do its work */
#define EXIT_KILLED 99 /* --kill: the tree was killed before point N */
#define EXIT_ENDED 98  /* --kill: the tree ended before there was a point N */

static const struct {
    const char *name;
    int value;
} errno_names[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
    {"EINTR", EINTR},   {"EACCES", EACCES}, {"ENOENT", ENOENT}, {"EMFILE", EMFILE},
    {"ENOMEM", ENOMEM}, {"EPIPE", EPIPE},   {"EINVAL", EINVAL}, {"EAGAIN", EAGAIN},
    {"EEXIST", EEXIST}, {"EXDEV", EXDEV},   {"EPERM", EPERM},   {"EFBIG", EFBIG},
};

static void die(const char *what)
{
    fprintf(stderr, "syscut: %s: %s\n", what, strerror(errno));
    exit(EXIT_OWN);
}

static void bad(const char *what, const char *which)
{
    fprintf(stderr, "syscut: %s: %s\n", what, which);
    exit(EXIT_OWN);
}

/* --- writing it down -------------------------------------------------------------------------- */

static void json_text(FILE *f, const void *text, size_t len)
{
    const unsigned char *p = text;

    putc('"', f);
    for (size_t i = 0; i < len; i++)
        if (p[i] == '"' || p[i] == '\\')
            fprintf(f, "\\%c", p[i]);
        else if (p[i] < 0x20 || p[i] > 0x7e)
            fprintf(f, "\\u%04x", p[i]);
        else
            putc(p[i], f);
    putc('"', f);
}

/* The first octets of what a call wrote; `done` is how many it took. */
static void trace_data(struct run *run, pid_t tid, const struct watched *w,
                       const struct user_regs_struct *r, long done)
{
    if (!*w->data || done <= 0)
        return;
    size_t size = (size_t)done < run->octets ? (size_t)done : run->octets;
    char *buf = malloc(size);
    if (!buf)
        die("malloc");
    fputs(",\"data\":", run->trace);
    json_text(run->trace, buf, tracee_data(tid, w, r, buf, size));
    free(buf);
}

static void trace_call(struct run *run, struct tracee *t, const struct user_regs_struct *r,
                       long result)
{
    char one[2 * PATH_MAX], two[2 * PATH_MAX];
    const struct watched *w = t->call;

    tracee_target(t->tid, w, r, 0, one, sizeof one);
    tracee_target(t->tid, w, r, 1, two, sizeof two);
    fprintf(run->trace, "{\"n\":%ld,\"start\":%ld,\"end\":%ld,\"pid\":%ld,\"call\":\"%s\"",
            t->point, t->start, ++run->clock, t->ordinal, w->name);
    if (w->target[0] == 'F')
        fprintf(run->trace, ",\"fd\":%d", (int)tracee_arg(r, w->target[1] - '0'));
    fputs(",\"path\":", run->trace);
    json_text(run->trace, one, strlen(one));
    if (two[0]) {
        fputs(",\"to\":", run->trace);
        json_text(run->trace, two, strlen(two));
    }
    fprintf(run->trace, ",\"ret\":%ld", result);
    trace_data(run, t->tid, w, r, result);
    fputs("}\n", run->trace);
}

/* --- the tree --------------------------------------------------------------------------------- */

static struct tracee *find(struct run *run, pid_t tid)
{
    for (size_t i = 0; i < run->ntracees; i++)
        if (run->tracees[i].tid == tid)
            return &run->tracees[i];
    if (run->ntracees == run->room) {
        run->room = run->room ? 2 * run->room : 16;
        run->tracees = realloc(run->tracees, run->room * sizeof *run->tracees);
        if (!run->tracees)
            die("realloc");
    }
    struct tracee *t = &run->tracees[run->ntracees++];
    *t = (struct tracee){.tid = tid, .ordinal = ++run->next_ordinal};
    return t;
}

static void forget(struct run *run, pid_t tid)
{
    for (size_t i = 0; i < run->ntracees; i++) {
        if (run->tracees[i].tid == tid) {
            run->tracees[i] = run->tracees[--run->ntracees];
            return;
        }
    }
}

/*
 * No traced process can begin another watched call once we have stopped answering, so that these
 * kills, one behind the other, are as good as one.
 */
static void kill_tree(struct run *run)
{
    run->killed = true;
    for (size_t i = 0; i < run->ntracees; i++)
        kill(run->tracees[i].tid, SIGKILL);
}

/* --- changing calls --------------------------------------------------------------------------- */

static void fail_call(struct run *run, struct tracee *t, struct user_regs_struct *r)
{
    tracee_set_result(r, -(long)run->with);
    tracee_change_nr(t->tid, r, -1);
    t->injected = true;
}

/* Halves what the call is to write; with a vector of one, the call becomes a plain write. */
static bool shorten(struct tracee *t, struct user_regs_struct *r)
{
    int i = t->call->count;

    t->saved = *r;
    if (i == 0)
        return false;
    if (t->call->nr == SYS_writev && tracee_arg(r, i) == 1) {
        struct iovec iov = {0};
        if (tracee_peek(t->tid, tracee_arg(r, 1), &iov, sizeof iov) != sizeof iov ||
            iov.iov_len < 2)
            return false;
        *tracee_arg_slot(r, 1) = (unsigned long long)(uintptr_t)iov.iov_base;
        *tracee_arg_slot(r, 2) = iov.iov_len / 2;
        tracee_change_nr(t->tid, r, SYS_write);
        return true;
    }
    if (tracee_arg(r, i) < 2)
        return false;
    *tracee_arg_slot(r, i) = tracee_arg(r, i) / 2;
    tracee_set_regs(t->tid, r);
    return true;
}

/* Puts the arguments back after a shortened call: compilers rely on them. */
static void restore(struct tracee *t, const struct user_regs_struct *now)
{
    struct user_regs_struct back = *now;

    for (int i = 0; i < 6; i++) {
#if defined __aarch64__
        if (i == 0)
            continue; /* x0 is the result */
#endif
        *tracee_arg_slot(&back, i) = tracee_arg(&t->saved, i);
    }
    tracee_set_regs(t->tid, &back);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void mark_hit(struct run *run, struct tracee *t, const struct user_regs_struct *r)
{
    if (!run->hit)
        tracee_describe(t->tid, t->ordinal, t->call, r, run->hit_text, sizeof run->hit_text);
    run->hit = true;
}

/* Acts on the point that has just been counted. Returns false if the tree was killed. */
static bool act(struct run *run, struct tracee *t, struct user_regs_struct *r)
{
    bool here = run->points == run->at;

    if (run->mode == M_KILL && here) {
        mark_hit(run, t, r);
        kill_tree(run);
        return false;
    }
    if (run->mode == M_SIGNAL && here) {
        mark_hit(run, t, r);
        kill(run->root, run->with);
    }
    if (run->mode == M_FAIL && here) {
        mark_hit(run, t, r);
        fail_call(run, t, r);
    }
    if (run->mode == M_FAIL_FROM && run->points >= run->at &&
        calls_refused(t->tid, t->call, r, run->with)) {
        mark_hit(run, t, r);
        fail_call(run, t, r);
    }
    if (run->mode == M_SHORT && here && shorten(t, r)) {
        mark_hit(run, t, &t->saved);
        t->restore = true;
    }
    return true;
}

static void before_call(struct run *run, struct tracee *t)
{
    struct user_regs_struct r;

    tracee_get_regs(t->tid, &r);
    const struct watched *w = calls_find(tracee_nr(&r));
    if (!w || !calls_count(t->tid, w, &r, run->files_only)) {
        ptrace(PTRACE_CONT, t->tid, 0, 0);
        return;
    }
    t->call = w;
    t->point = ++run->points;
    t->start = ++run->clock;
    t->injected = t->restore = false;
    if (run->list) {
        char text[5 * PATH_MAX];
        tracee_describe(t->tid, t->ordinal, w, &r, text, sizeof text);
        fprintf(run->list, "%ld %s\n", t->point, text);
    }
    if (run->trace)
        t->saved = r;
    if (!act(run, t, &r))
        return;
    t->in_call = run->trace || t->restore;
    ptrace(t->in_call ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, 0);
}

static void after_call(struct run *run, struct tracee *t)
{
    struct user_regs_struct r;

    tracee_get_regs(t->tid, &r);
    t->in_call = false;
    if (t->restore) {
        restore(t, &r);
        t->restore = false;
    }
    if (run->trace)
        trace_call(run, t, &t->saved, tracee_result(&r));
    ptrace(PTRACE_CONT, t->tid, 0, 0);
}

static void on_stop(struct run *run, struct tracee *t, int status)
{
    int event = status >> 16, sig = WSTOPSIG(status);

    if (run->killed) {
        kill(t->tid, SIGKILL); /* again: a child may have been born after the others were hit */
        return;
    }
    if (event == PTRACE_EVENT_SECCOMP)
        before_call(run, t);
    else if (sig == (SIGTRAP | 0x80))
        after_call(run, t);
    else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
        ptrace(PTRACE_LISTEN, t->tid, 0, 0); /* a job control stop */
    else if (event != 0)
        ptrace(t->in_call ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, 0);
    else
        ptrace(t->in_call ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, (void *)(uintptr_t)sig);
}

static void loop(struct run *run)
{
    for (;;) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);

        if (tid < 0) {
            if (errno == EINTR)
                continue;
            return; /* ECHILD: the tree is gone */
        }
        if (WIFSTOPPED(status)) {
            on_stop(run, find(run, tid), status);
            continue;
        }
        if (tid == run->root)
            run->status = status;
        forget(run, tid);
    }
}

/* --- starting --------------------------------------------------------------------------------- */

static void start(struct run *run, char **argv)
{
    int gate[2];
    char go = 0;

    if (pipe2(gate, O_CLOEXEC) != 0)
        die("pipe");
    /* Orphans of the tree come to us: none is left as a zombie that looks alive to the next run. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    run->root = fork();
    if (run->root < 0)
        die("fork");
    if (run->root == 0) {
        close(gate[1]);
        if (read(gate[0], &go, 1) != 1)
            _exit(EXIT_OWN);
        if (calls_install_filter() != 0)
            _exit(EXIT_OWN);
        execvp(argv[0], argv);
        _exit(127); /* a message would be a write, and so a point */
    }
    long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD |
                   PTRACE_O_TRACESECCOMP;
    if (ptrace(PTRACE_SEIZE, run->root, 0, (void *)options) != 0) {
        int e = errno;
        kill(run->root, SIGKILL);
        errno = e;
        die("ptrace");
    }
    find(run, run->root);
    if (write(gate[1], "", 1) != 1)
        die("write");
    close(gate[0]);
    close(gate[1]);
}

static void write_report(const struct run *run)
{
    FILE *f = run->report ? fopen(run->report, "w") : NULL;

    if (!run->report)
        return;
    if (!f)
        die(run->report);
    fprintf(f, "{\"points\":%ld,\"killed\":%s,\"hit\":%s,\"exit\":%d,\"signal\":%d,\"at\":",
            run->points, run->killed ? "true" : "false", run->hit ? "true" : "false",
            WIFEXITED(run->status) ? WEXITSTATUS(run->status) : -1,
            WIFSIGNALED(run->status) ? WTERMSIG(run->status) : 0);
    json_text(f, run->hit_text, strlen(run->hit_text));
    fputs("}\n", f);
    if (fclose(f) != 0)
        die(run->report);
}

static int finish(struct run *run, bool say_count)
{
    write_report(run);
    if ((run->list && fclose(run->list) != 0) || (run->trace && fclose(run->trace) != 0))
        die("fclose");
    free(run->tracees);
    if (say_count)
        printf("%ld\n", run->points);
    if (run->mode == M_KILL) {
        if (!run->killed)
            fprintf(stderr, "syscut: ended before point %ld: %ld points\n", run->at, run->points);
        return run->killed ? EXIT_KILLED : EXIT_ENDED;
    }
    return WIFEXITED(run->status) ? WEXITSTATUS(run->status) : 128 + WTERMSIG(run->status);
}

/* --- options ---------------------------------------------------------------------------------- */

static void usage(void)
{
    fputs("usage: syscut [options] [--] command [argument ...]\n"
          "  --names            print the names of the calls that are watched, and end\n"
          "  --count            print the number of points behind the command's own output\n"
          "  --kill N           kill the whole tree before point N (exit 99; 98: it ended before)\n"
          "  --fail N:ERRNO     point N fails with ERRNO and is not executed\n"
          "  --fail-from N:ERRNO  so do all later ones that a disk in that state would refuse\n"
          "  --short N          point N writes half of what it was asked to\n"
          "  --signal N:NUMBER  send this signal to the command before point N\n"
          "  --files-only       points are calls on files and folders (not sockets, pipes, 1, 2)\n"
          "  --list FILE        each point: index, process, call, target\n"
          "  --trace FILE       one JSON line for each call: order, target, result, data\n"
          "  --octets K         how much data a line of the trace shows (60)\n"
          "  --report FILE      one JSON line about the run as a whole\n",
          stderr);
    exit(EXIT_OWN);
}

static long number(const char *text, char end, const char **rest)
{
    char *stop;

    errno = 0;
    long n = strtol(text, &stop, 10);
    if (errno || stop == text || *stop != end || n < 1)
        bad("not a number", text);
    if (rest)
        *rest = stop + 1;
    return n;
}

static void set_mode(struct run *run, enum mode mode, const char *value)
{
    bool pair = mode == M_FAIL || mode == M_FAIL_FROM || mode == M_SIGNAL;

    if (run->mode != M_COUNT)
        bad("one of --kill, --fail, --fail-from, --short, --signal only", value);
    run->mode = mode;
    run->at = number(value, pair ? ':' : 0, &run->spec);
    if (mode == M_SIGNAL)
        run->with = (int)number(run->spec, 0, NULL);
    if (mode != M_FAIL && mode != M_FAIL_FROM)
        return;
    for (size_t i = 0; i < sizeof errno_names / sizeof errno_names[0]; i++) {
        if (strcmp(errno_names[i].name, run->spec) == 0) {
            run->with = errno_names[i].value;
            return;
        }
    }
    bad("unknown errno", run->spec);
}

static FILE *make_file(const char *path)
{
    FILE *f = fopen(path, "we");

    if (!f)
        die(path);
    return f;
}

/* Takes one option that has a value; false if it is none of them. */
static bool take_value(struct run *run, const char *name, const char *value)
{
    if (strcmp(name, "--kill") == 0)
        set_mode(run, M_KILL, value);
    else if (strcmp(name, "--fail") == 0)
        set_mode(run, M_FAIL, value);
    else if (strcmp(name, "--fail-from") == 0)
        set_mode(run, M_FAIL_FROM, value);
    else if (strcmp(name, "--short") == 0)
        set_mode(run, M_SHORT, value);
    else if (strcmp(name, "--signal") == 0)
        set_mode(run, M_SIGNAL, value);
    else if (strcmp(name, "--list") == 0)
        run->list = make_file(value);
    else if (strcmp(name, "--trace") == 0)
        run->trace = make_file(value);
    else if (strcmp(name, "--octets") == 0)
        run->octets = (size_t)number(value, 0, NULL);
    else if (strcmp(name, "--report") == 0)
        run->report = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct run run = {.octets = 60};
    bool say_count = false;
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (strcmp(argv[i], "--names") == 0) {
            calls_print_names(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--count") == 0)
            say_count = true;
        else if (strcmp(argv[i], "--files-only") == 0)
            run.files_only = true;
        else if (i + 1 < argc && take_value(&run, argv[i], argv[i + 1]))
            i++;
        else
            usage();
    }
    if (i >= argc)
        usage();
    start(&run, argv + i);
    loop(&run);
    return finish(&run, say_count);
}
