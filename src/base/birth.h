/*
 * birth: a command comes into the world: fork, /bin/sh -c, a process group of its own.
 *
 * What child (runs it to its end) and net/command (talks with it) have in common. In the command
 * every descriptor but 0, 1 and 2 is closed and signals are as at our own birth. Where the system
 * can (Linux), it gets TERM when the process that started it dies.
 */
#ifndef FP_BASE_BIRTH_H
#define FP_BASE_BIRTH_H

#include <sys/types.h>

#include "base/log.h"

struct birth {
    const char *command;           /* for /bin/sh -c */
    const char *const *env;        /* as in base/child.h */
    int input, output, complaints; /* its 0, 1 and 2; they stay the caller's */
};

/* 0 and *pid, which is its group too and is the caller's to wait for; or errno, and nobody was
 * born. */
int birth_command(const struct birth *birth, pid_t *pid);

/* A pipe, close-on-exec. 0, or -1 with errno and both ends -1. */
int birth_pipe(int ends[2]);

/* What a command says on its standard error, line by line, as warnings: so many of them, quoted. */
#define BIRTH_COMPLAINTS 20
#define BIRTH_COMPLAINT_MAX 1024

struct birth_complaints {
    const struct log *log;
    char line[BIRTH_COMPLAINT_MAX];
    size_t len;
    unsigned lines;
};

/* Bytes as they come, and their end. Begins as {.log = log}. */
void birth_complain(struct birth_complaints *said, const char *bytes, size_t len);
void birth_end_complaints(struct birth_complaints *said);

#endif
