/* SPDX-License-Identifier: ISC */
/*
 * look: into a mailbox, for a person: what is there, one message of it, or one less. Nothing is
 * delivered, and nothing is remembered but that a message is gone.
 */
#ifndef FP_SESSION_LOOK_H
#define FP_SESSION_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sink.h"
#include "base/str.h"
#include "session/run.h"

enum look_what {
    LOOK_LIST,  /* a row for each message */
    LOOK_SHOW,  /* the header of one, or all of it */
    LOOK_DELETE /* a row for one, a question, DELE */
};

/* One message. Texts are UTF-8, encoded words decoded (RFC 2047), and may hold any character; views
 * that live for the call. */
struct look_row {
    uint32_t number;
    uint64_t size;     /* by LIST; 0: unknown */
    const char *state; /* new, kept (on the server, fetched before), left (by a rule), stub (its
                        * beginning was fetched), spooled, failed or held */
    struct str uidl, date, from, subject; /* date as it stands in the header; empty: not there */
    const struct rule *rule;              /* that fits it; NULL: none */
};

struct look {
    enum look_what what;
    const char *uidl; /* of the one; LOOK_SHOW takes its number, too */
    bool whole;       /* LOOK_SHOW: by RETR, not by TOP */
    void (*row)(void *ctx, const struct look_row *row);
    bool (*confirm)(void *ctx); /* LOOK_DELETE: is it to be deleted? */
    struct sink body;           /* LOOK_SHOW */
    void *ctx;
};

/* Connects and does so; run->figures.listed and .fresh count. run->mode is SESSION_CHECK. Errors as
 * session_poll; ERR_MESSAGE: there is no such message, or more than one. */
int look_run(struct session_run *run, const struct look *look, struct err *err);

#endif
