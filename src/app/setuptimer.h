/* SPDX-License-Identifier: ISC */
/*
 * setuptimer: what lets fetchpop run by itself; shown, and installed only on yes.
 */
#ifndef FP_APP_SETUPTIMER_H
#define FP_APP_SETUPTIMER_H

#include <stdbool.h>

#include "app/dialog.h"
#include "base/err.h"

/* Offers a timer of the user's systemd, or a line of crontab(5), where there is one and fetchpop is
 * in none yet. key_ring: the password is in that of the desktop, which cron cannot ask. That it
 * could not be installed is told, and setup goes on. */
int setuptimer_offer(const struct dialog *dialog, bool key_ring, struct err *err);

#endif
