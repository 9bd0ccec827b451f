/* SPDX-License-Identifier: ISC */
/*
 * usage: which options of a command line go together, and what each kind of run needs.
 */
#ifndef FP_APP_USAGE_H
#define FP_APP_USAGE_H

#include "app/options.h"
#include "base/err.h"

/* Of options that were parsed. ERR_USAGE says which of them contradict each other, or what is
 * missing. */
int usage_check(const struct options *options, struct err *err);

#endif
