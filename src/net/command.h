/* SPDX-License-Identifier: ISC */
/*
 * command: a program whose standard input and output are the connection (ssh, stunnel, nc).
 *
 * Started by base/spawn, at the other end of a socket pair. What it writes to standard error
 * becomes warnings. It is ended, and always waited for, by command_end.
 */
#ifndef FP_NET_COMMAND_H
#define FP_NET_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct command;

/* Starts it. *fd is our end, non-blocking and the caller's. env as in base/spawn.h. log is borrowed
 * for its life. ERR_SYSTEM; *made is then NULL. */
int command_start(struct command **made, const char *text, const char *const *env,
                  const struct log *log, int *fd, struct err *err);

/* Our end of its standard error, to be polled; -1 once that is closed. */
int command_fd(const struct command *command);

/* Reads and logs what there is of its standard error, without waiting. */
void command_log(struct command *command);

/* True if it ends by itself within this many milliseconds; *status is then as of wait(2). */
bool command_has_ended(struct command *command, int64_t ms, int *status);

/* After its socket was closed: it has a second to end by itself, then its group gets TERM, and two
 * seconds later KILL. NULL is fine. */
void command_end(struct command *command);

#endif
