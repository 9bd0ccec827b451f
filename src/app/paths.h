/* SPDX-License-Identifier: ISC */
/*
 * paths: where the configuration file and the state folder are.
 */
#ifndef FP_APP_PATHS_H
#define FP_APP_PATHS_H

#include <stdbool.h>

#include "base/err.h"

/* A path as a person writes it: `~` is the home folder, and a relative one is relative to it.
 * Malloced; NULL with ERR_CONFIG if the home folder is not known, or for `~user`. */
char *paths_expand(const char *path, struct err *err);

/* As access(2) says for such a path; false if it cannot be expanded. */
bool paths_allow(const char *path, int mode);

/* The configuration file: `given` (of -f), else $FETCHPOPRC, else ~/.fetchpoprc, else
 * fetchpop/fetchpoprc under $XDG_CONFIG_HOME or ~/.config. Malloced ("-": standard input); NULL
 * with ERR_CONFIG, which says where was looked, if there is none. */
char *paths_config_file(const char *given, struct err *err);

/* The state folder, absolute: `given` (of --state-dir, relative to the working folder), else
 * `configured` (absolute), else fetchpop under $XDG_STATE_HOME or ~/.local/state. Malloced; NULL
 * with ERR_CONFIG. It is not made here. */
char *paths_state(const char *given, const char *configured, struct err *err);

#endif
