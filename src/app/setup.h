/* SPDX-License-Identifier: ISC */
/*
 * setup: the wizard on a terminal, from an address to a configuration file that works.
 */
#ifndef FP_APP_SETUP_H
#define FP_APP_SETUP_H

#include "app/options.h"
#include "base/err.h"

/* --setup [ADDRESS], and --import with --setup (app/setupimport.h). Nothing is written before the
 * last question but one, and the configuration file is replaced whole. ERR_USAGE, ERR_STOPPED, and
 * whatever cannot be written. */
int setup_run(const struct options *options, struct err *err);

#endif
