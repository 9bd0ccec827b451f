/* SPDX-License-Identifier: ISC */
/*
 * tofu: the key of a server that is trusted at first sight, and alone from then on (tls_trust =
 * tofu). Its pin is in the account's note.
 */
#ifndef FP_SESSION_TOFU_H
#define FP_SESSION_TOFU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/conn.h"
#include "session/run.h"
#include "state/note.h"

/* Before TLS: only the key that is noted will do, unless this run is to note another
 * (switches.accept_pin). Nothing where the account trusts otherwise. Views of the note's texts. */
void tofu_ask(struct tls_options *options, const struct session_run *run, const struct note *note);

/* Behind TLS and before any secret: notes the server's key, durably, if none is noted or this run
 * is to note it, and tells so. ERR_TRUST: the run notes nothing (session_mode), or what was noted
 * cannot be read any more; the errors of note_keep_pin if it cannot be written. note NULL: as one
 * that is only read. */
int tofu_keep(const struct session_run *run, struct note *note, struct conn *conn, struct err *err);

/* The key was noted by an earlier run, and this server has it. */
bool tofu_is_known(const struct account *account, const struct note *note);

/* What is noted, of a server whose key was accepted: "the key noted on 2026-11-28". Returns out. */
char *tofu_spell(const struct note *note, char *out, size_t cap);

#endif
