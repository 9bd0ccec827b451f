/* SPDX-License-Identifier: ISC */
/*
 * program: which file a command is, as the shell finds it along a PATH.
 */
#ifndef FP_BASE_PROGRAM_H
#define FP_BASE_PROGRAM_H

#include <stdbool.h>

#include "base/str.h"

/* True for what the shell does itself (POSIX, XCU 2.4, 2.14 and the built-ins of common shells). */
bool program_is_of_shell(struct str word);

/* Where the first word of the command is: a folder of the PATH; "" if it is none to look for: a
 * path, a word of the shell, or more than a word. NULL: nowhere. The caller frees. */
char *program_folder(const char *command, const char *path);

/* The PATH of this process, or what a shell takes without one. */
const char *program_path(void);

#endif
