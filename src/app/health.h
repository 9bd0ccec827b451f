/* SPDX-License-Identifier: ISC */
/*
 * health: the words of --status. Pure.
 */
#ifndef FP_APP_HEALTH_H
#define FP_APP_HEALTH_H

#include <stddef.h>

#include "base/buf.h"
#include "session/condition.h"

/* "last poll 11:20 went well", "last poll 11:20 failed (3 in a row since 11:00): port 1 refuses
 * connections; check it; last success 10:50". Returns out. */
char *health_spell_poll(const struct condition *condition, int64_t now, char *out, size_t cap);

/* "12 messages kept on the server, 1 held; 2 here in FOLDER, not delivered yet". Returns out. */
char *health_spell_mail(const struct condition *condition, const char *state_dir, char *out,
                        size_t cap);

/* The same as one object of JSON, without a line end; times are seconds since 1970, or null. */
void health_json(const struct condition *condition, const char *title, const char *state_dir,
                 struct buf *out);

#endif
