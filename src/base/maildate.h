/* SPDX-License-Identifier: ISC */
/*
 * maildate: the Date of a message (RFC 5322, section 3.3, and what section 4.3 still allows), and
 * the dates that a person writes. Pure, but for the clock's zone.
 */
#ifndef FP_BASE_MAILDATE_H
#define FP_BASE_MAILDATE_H

#include <stdint.h>

#include "base/str.h"

/* "Sat, 28 Nov 2026 10:41:20 +0100 (CET)" as seconds since 1970; the zone is optional, and an
 * unknown name of one counts as UTC. -1: it is not a date. */
int maildate_read(struct str text, int64_t *when);

#define MAILDATE_MINUTE 17

/* The same as "2026-11-28 10:41", in the sender's time; "" if it is not a date. Returns out. */
char *maildate_spell(struct str text, char out[MAILDATE_MINUTE]);

/* "2026-11-28": its first second here. -1: it is not such a day. */
int maildate_read_day(struct str text, int64_t *when);

#define MAILDATE_DAY 16

/* "2026-11-28", the local day; "another day" for 0 (not known). Returns out. */
char *maildate_spell_day(int64_t when, char out[MAILDATE_DAY]);

#endif
