/* SPDX-License-Identifier: ISC */
/*
 * landlock: the part of a sandbox that Linux calls Landlock (landlock(7)): files and TCP ports.
 *
 * By system calls, since the C library has none, and with the numbers of the kernel's interface
 * written down here, since the headers of a distribution are often older than its kernel.
 */
#ifndef FP_BASE_LANDLOCK_H
#define FP_BASE_LANDLOCK_H

#include "base/rights.h"

/* The version of its interface that is in force in this kernel; 0: it has none, or one that cannot
 * let a file be renamed into another folder (1). */
int landlock_version(void);

/* Files and ports but those named are refused from here on; needs no_new_privs. 0, or errno. */
int landlock_enter(const struct rights *rights);

#endif
