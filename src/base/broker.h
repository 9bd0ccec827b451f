/* SPDX-License-Identifier: ISC */
/*
 * broker: a process that starts commands for a process in a sandbox, which may not do so itself.
 *
 * It is forked before the sandbox is entered and is not in it, so that a command may be whatever
 * the configuration file says, setuid programs included. It starts nothing but the commands that it
 * was made with, adds nothing to their environment but variables that begin with FETCHPOP_, and
 * ends when the process that made it does; its commands get TERM then, as they would from the
 * kernel. If it is killed itself, that process ends in the same way at its next request.
 */
#ifndef FP_BASE_BROKER_H
#define FP_BASE_BROKER_H

#include "base/err.h"

/* Forks it; from here on spawn_command and spawn_wait go through it, and the commands' descriptors
 * are passed to it. commands: some, then NULL; the texts are borrowed for good. -1 (ERR_SYSTEM): as
 * before. */
int broker_begin(const char *const *commands, struct err *err);

/* Ends it and waits for it; does nothing if there is none. */
void broker_end(void);

#endif
