/*
 * setuptimer: what lets fetchpop run by itself; shown, and installed only on yes.
 */
#ifndef FP_APP_SETUPTIMER_H
#define FP_APP_SETUPTIMER_H

#include "app/dialog.h"
#include "base/err.h"

/* Offers a timer of the user's systemd, or a line of crontab(5), where there is one. A failure to
 * install it is told and is no error. */
int setuptimer_offer(const struct dialog *dialog, struct err *err);

#endif
