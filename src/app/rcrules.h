/* SPDX-License-Identifier: ISC */
/*
 * rcrules: from the rules in a configuration file to those of an account.
 */
#ifndef FP_APP_RCRULES_H
#define FP_APP_RCRULES_H

#include "app/section.h"
#include "base/err.h"
#include "session/account.h"

/* Puts the rules of an account's section, and behind them those of `defaults` (or NULL), into the
 * account, which is complete but for them; accounts without rules of their own share the latter.
 * ERR_CONFIG, and some may be in it already. */
int rcrules_make(const struct section *own, const struct section *defaults, struct account *account,
                 struct err *err);

#endif
