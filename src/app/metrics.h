/* SPDX-License-Identifier: ISC */
/*
 * metrics: how the accounts are doing, as a file in the text format of Prometheus, for the textfile
 * collector of its node exporter or anything else that reads it.
 *
 * The file is replaced whole (rename), so that nobody reads half of one; it has mode 0644, since it
 * says nothing of what is in the mail. Many accounts are not written out after each poll: writing
 * takes a twentieth of the time at most. What cannot be written is a warning, told once until it
 * works again.
 */
#ifndef FP_APP_METRICS_H
#define FP_APP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "session/account.h"
#include "session/run.h"

/* What a worker finds out for this behind its poll; plain numbers. Times are seconds since 1970, 0:
 * never. */
struct metrics_account {
    int64_t last_success;
    int64_t refused; /* when the secret was refused, if it has not changed since */
    int64_t milliseconds;
    uint32_t kept, held, spooled;
};

struct metrics; /* opaque */

/* Metrics of these accounts alone, as they are titled; path is copied. metrics_free frees it. */
struct metrics *metrics_new(const char *path, struct account *const *accounts, size_t count);
/* NULL is fine, as below. */
void metrics_free(struct metrics *metrics);

/* Those of other accounts go, and new ones may come: the configuration file was read again. */
void metrics_replace(struct metrics *metrics, struct account *const *accounts, size_t count);

/* An account is done; `now`: wall clock, seconds. One without an account of this title is passed
 * over. measured NULL: the worker died before it could say. */
void metrics_result(struct metrics *metrics, const char *title,
                    const struct session_figures *figures, const struct metrics_account *measured,
                    enum err_kind kind, int64_t now);

/* Writes the file if there is news and it is time; `all`: at once. -1: it cannot be written, and
 * that is not known yet. */
int metrics_write(struct metrics *metrics, bool all, struct err *err);

/* Appends the text of the file. */
void metrics_spell(const struct metrics *metrics, struct buf *out);

#endif
