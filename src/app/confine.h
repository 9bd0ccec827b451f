/* SPDX-License-Identifier: ISC */
/*
 * confine: puts a worker into the sandbox (base/sandbox) that fits its account: what it may still
 * read and write, and where it may still connect to, follow from the account's keys.
 */
#ifndef FP_APP_CONFINE_H
#define FP_APP_CONFINE_H

#include "base/err.h"
#include "session/account.h"

/* To be called before anything of the server's is read, and after what is delivered to was made and
 * secrets were fetched. An account that starts commands gets a broker first (base/broker). Nothing
 * happens with sandbox = off. -1: ERR_SYSTEM. */
int confine_enter(const struct account *account, const char *state_dir, struct err *err);

/* Lets the broker end. */
void confine_end(void);

#endif
