/*
 * aside: a log whose lines wait until it is known whether they are told.
 *
 * What a command writes to standard error while it refuses all mail is no news each time: it is
 * told as often as that trouble is. Where somebody looks on, lines do not wait.
 */
#ifndef FP_SESSION_ASIDE_H
#define FP_SESSION_ASIDE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/log.h"

#define ASIDE_MAX (256 * 1024) /* octets that wait; then all are told */

struct aside {
    struct log log;       /* what is written here waits */
    const struct log *to; /* borrowed */
    bool waits;
    struct buf lines; /* level, text and NUL of each */
};

/* aside_end is to follow. */
void aside_begin(struct aside *aside, const struct log *to, bool waits);

/* Tells what waits. */
void aside_tell(struct aside *aside);

/* Tells it, or forgets it, and what comes later does not wait. */
void aside_end(struct aside *aside, bool told);

#endif
