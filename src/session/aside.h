/* SPDX-License-Identifier: ISC */
/*
 * aside: a log whose lines are held back until it is known whether they are to be reported.
 *
 * What a command writes to standard error while it refuses all mail is not news every time: it is
 * reported as often as the refusal itself. If a person is watching, nothing is held back.
 */
#ifndef FP_SESSION_ASIDE_H
#define FP_SESSION_ASIDE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/log.h"

#define ASIDE_MAX (256 * 1024) /* octets held back; beyond that, all of it is reported */

struct aside {
    struct log log;       /* lines written to this are held back */
    const struct log *to; /* borrowed */
    bool waits;
    struct buf lines; /* level, text and NUL of each */
};

/* Must be followed by aside_end. */
void aside_begin(struct aside *aside, const struct log *to, bool waits);

/* Reports what was held back. */
void aside_tell(struct aside *aside);

/* Reports it if `told`, else forgets it; nothing is held back after this. */
void aside_end(struct aside *aside, bool told);

#endif
