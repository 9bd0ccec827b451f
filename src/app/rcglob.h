/* SPDX-License-Identifier: ISC */
/*
 * rcglob: the files that an include with a pattern means.
 */
#ifndef FP_APP_RCGLOB_H
#define FP_APP_RCGLOB_H

#include <glob.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct rcglob {
    char **paths; /* in the order of their names */
    size_t count;
    glob_t found;
};

/* True if there is a *, ? or [ in it. */
bool rcglob_is_pattern(const char *path);

/* As glob(3): hidden files need a dot in the pattern. That nothing matches is not an error; a
 * folder that is not there or cannot be read is one (ERR_CONFIG). On failure there is nothing to
 * free. */
int rcglob_find(struct rcglob *files, const char *pattern, struct err *err);

/* Frees the paths. */
void rcglob_free(struct rcglob *files);

#endif
