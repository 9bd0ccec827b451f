/* SPDX-License-Identifier: ISC */
/*
 * condition: how an account is doing, by its note and its journal (--status). Nothing is changed,
 * and no server is asked.
 */
#ifndef FP_SESSION_CONDITION_H
#define FP_SESSION_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/account.h"
#include "state/journal.h"
#include "state/note.h"

/* Times are seconds since 1970; 0: never, or not known. */
struct condition {
    int64_t last_poll, last_success;
    char trouble[NOTE_TEXT_MAX]; /* of the last poll; "": it went well, or there was none */
    uint32_t failures;           /* in a row, for the network or the server */
    int64_t failing_since;
    bool refused; /* the password or token was, and has not changed since */
    int64_t refused_since;
    int64_t next_try; /* not before; 0: at any time */
    uint32_t kept;    /* messages on the server that were fetched */
    uint32_t held, failed;
    uint32_t left;    /* on the server, by a rule */
    uint32_t spooled; /* messages that are here and not delivered */
};

/* What these say. now: wall clock, seconds. */
void condition_find(struct condition *condition, const struct journal *journal,
                    const struct note *note, int64_t now);

/* The same of the account's own. -1: the journal cannot be read. */
int condition_read(struct condition *condition, const struct account *account,
                   const char *state_dir, int64_t now, struct err *err);

#endif
