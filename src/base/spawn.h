/* SPDX-License-Identifier: ISC */
/*
 * spawn: starts a command: fork, /bin/sh -c, a process group of its own.
 *
 * What child (runs a command to its end) and net/command (talks with one) have in common. In the
 * command every descriptor but 0, 1 and 2 is closed, and signals, umask and the limit on
 * descriptors are as they were when we were started. Where the system can do it (Linux), the
 * command gets TERM when the process that started it dies.
 *
 * Not posix_spawn: it cannot ask for that TERM, and not all systems say why exec failed.
 */
#ifndef FP_BASE_SPAWN_H
#define FP_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/log.h"

struct spawn {
    const char *command;      /* for /bin/sh -c */
    const char *const *env;   /* NULL, or "NAME=value" that add to or replace ours; then NULL */
    int input, output, error; /* its descriptors 0, 1 and 2; they stay the caller's */
};

/* The umask of every command that is started from here on; until then it is that of the process. */
void spawn_set_umask(mode_t mask);

/* Raises our limit on descriptors to `want`, if it is lower and may be raised, and returns what it
 * is now. Every command has the one that we were started with: some close all that there may be,
 * and select(2) has no room for more than 1024. */
size_t spawn_raise_files(size_t want);

/* Starts it. 0 and *pid, which is also the id of its process group and is the caller's to wait for
 * (spawn_wait); or errno, and no process is left. */
int spawn_command(const struct spawn *spawn, pid_t *pid);

/* waitpid(2) for a command. */
pid_t spawn_wait(pid_t pid, int *status, int options);

/* Who starts commands and waits for them from here on, in our place: for a process that may not any
 * more (base/broker). Both behave as the functions above. Borrowed for good. */
struct spawn_agent {
    int (*start)(const struct spawn *spawn, pid_t *pid);
    pid_t (*wait)(pid_t pid, int *status, int options);
};
void spawn_delegate(const struct spawn_agent *other);

/* In a forked process: closes every descriptor from `first` on. */
void spawn_close_from(int first);

/* In a forked process: TERM comes when `parent` dies (Linux, FreeBSD). False if it is dead
 * already. */
bool spawn_die_with(pid_t parent);

/* What a command writes to its standard error is logged line by line as warnings, quoted:
 * SPAWN_STDERR_LINES of them, each cut after SPAWN_STDERR_LINE bytes; the rest is counted. */
#define SPAWN_STDERR_LINES 20
#define SPAWN_STDERR_LINE 1024

/* Begins as {.log = log}; log is borrowed. */
struct spawn_stderr {
    const struct log *log;
    char line[SPAWN_STDERR_LINE];
    size_t len;
    unsigned lines;
};

/* The next bytes. */
void spawn_stderr_add(struct spawn_stderr *from, const char *bytes, size_t len);

/* Their end: logs an unfinished line, too, and how many lines were left out, and wipes. */
void spawn_stderr_end(struct spawn_stderr *from);

#endif
