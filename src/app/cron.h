/* SPDX-License-Identifier: ISC */
/*
 * cron: what of an account works for whoever starts it by hand, and would not under cron(8), which
 * knows HOME, LOGNAME, SHELL and a short PATH.
 */
#ifndef FP_APP_CRON_H
#define FP_APP_CRON_H

#include "session/checkup.h"

/* One step, "cron": which variables differ from those of this shell, and what of the account needs
 * them as they are here. */
void cron_check(const struct account *account, const char *state_dir,
                const struct checkup *checkup);

#endif
