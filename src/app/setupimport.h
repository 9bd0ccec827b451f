/* SPDX-License-Identifier: ISC */
/*
 * setupimport: --setup for somebody who has another fetcher: its configuration becomes ours, and
 * what it has fetched is not fetched again.
 */
#ifndef FP_APP_SETUPIMPORT_H
#define FP_APP_SETUPIMPORT_H

#include "app/dialog.h"
#include "app/options.h"
#include "app/setupfile.h"
#include "base/err.h"

/* If another fetcher has its configuration here: shall it be taken over? *program: its name, or
 * NULL. ERR_STOPPED. */
int setupimport_offer(const struct dialog *dialog, const char **program, struct err *err);

/* --import with --setup: says what is in the files, and after a yes takes over its lists of what
 * was fetched and adds its accounts to the file. ERR_CONFIG: they are not complete, or do not go
 * with what is there; ERR_STOPPED: not wanted; and what cannot be written. */
int setupimport_run(const struct dialog *dialog, struct setupfile *file,
                    const struct options *options, struct err *err);

#endif
