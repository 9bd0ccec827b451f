/* SPDX-License-Identifier: ISC */
/*
 * retry: --retry, which releases messages that are held, and delivers those that are here.
 */
#ifndef FP_APP_RETRY_H
#define FP_APP_RETRY_H

#include "app/options.h"
#include "app/report.h"
#include "app/roster.h"

/* options->retry: a UIDL, or "all". Reports what was done; ERR_MESSAGE if nothing was held. */
void retry_run(const struct options *options, const struct roster *roster, struct report *report);

#endif
