/*
 * moving: moving in from another fetcher, and from another machine.
 */
#ifndef FP_APP_MOVING_H
#define FP_APP_MOVING_H

#include "app/options.h"
#include "base/err.h"

/* --import: prints the configuration files of another program (none named: where that one has it)
 * as one of fetchpop's. ERR_USAGE, ERR_CONFIG: also if what was printed is not complete yet; what
 * is missing is said. */
int moving_import(const struct options *options, struct err *err);

#endif
