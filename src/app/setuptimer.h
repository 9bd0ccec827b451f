/* SPDX-License-Identifier: ISC */
/*
 * setuptimer: what lets fetchpop run by itself; shown, and installed only on yes.
 */
#ifndef FP_APP_SETUPTIMER_H
#define FP_APP_SETUPTIMER_H

#include <stddef.h>

#include "app/dialog.h"
#include "base/err.h"
#include "session/account.h"

/* Offers a timer of the user's systemd, or a line of crontab(5), where there is one and fetchpop is
 * in none yet; nothing if one of these accounts has to ask for its secret, nor cron's line if one
 * asks the key ring of the desktop. program: how this one was called, as in argv[0]. That it could
 * not be installed is told, and setup goes on. */
int setuptimer_offer(const struct dialog *dialog, const char *program,
                     struct account *const *accounts, size_t count, struct err *err);

#endif
