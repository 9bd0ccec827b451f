/* SPDX-License-Identifier: ISC */
/*
 * filter: the part of a sandbox that refuses system calls (seccomp(2)), by libseccomp.
 */
#ifndef FP_BASE_FILTER_H
#define FP_BASE_FILTER_H

#include "base/rights.h"

/* For a person: whether filter_enter does anything here, and if not, why. */
const char *filter_spell(void);

/* Refuses with EACCES, from here on, what no fetching of mail needs: running programs, looking into
 * other processes, mounting, changing the kernel, other kinds of socket, listening. Needs
 * no_new_privs. 0, also where the kernel has no seccomp, or errno.
 *
 * It names what is refused, not what is allowed: the C library, OpenSSL, the resolver's and SASL's
 * plugins differ from system to system in what they call, and a list of that would stop mail after
 * an update of any of them. */
int filter_enter(const struct rights *rights);

#endif
