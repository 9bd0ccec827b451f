/* SPDX-License-Identifier: ISC */
/*
 * sandbox: takes away from this process, for good, what it does not need any more: files but those
 * named, programs, TCP ports but those named, and system calls that only an attacker has a use for.
 *
 * Linux: no_new_privs, Landlock (from 5.19 on), and a seccomp filter where configure has found
 * libseccomp. OpenBSD: unveil(2) and pledge(2). Elsewhere there is nothing, and that is no error:
 * sandbox_spell tells what there is. What the process has open stays open.
 */
#ifndef FP_BASE_SANDBOX_H
#define FP_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/rights.h"

/* True if this system offers any of it. */
bool sandbox_is_there(void);

/* Enters it. Where the system has a part, that part is in force after this; -1 (ERR_SYSTEM): the
 * system has it and refuses it, and some may be in force already. */
int sandbox_enter(const struct rights *rights, struct err *err);

/* What sandbox_enter would put in force here, for a person: "no_new_privs, Landlock 4, seccomp", or
 * "nothing: this system has none". */
void sandbox_spell(char *out, size_t size);

#endif
