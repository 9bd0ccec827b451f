/* SPDX-License-Identifier: ISC */
/*
 * run: what one poll is asked for, and what came of it. app fills it in and reads it; every part of
 * session may.
 */
#ifndef FP_SESSION_RUN_H
#define FP_SESSION_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "session/account.h"

/* What is reported while it runs and at its end. Plain numbers: it crosses a pipe as it is. */
struct session_figures {
    uint32_t listed;          /* messages on the server */
    uint32_t planned;         /* to be fetched in this run */
    uint32_t fetched;         /* delivered, and journalled as done */
    uint32_t seen;            /* known from earlier runs */
    uint32_t deleted;         /* gone from the server: QUIT was answered with +OK */
    uint32_t failed;          /* could not be fetched or delivered in this run */
    uint32_t held;            /* given up after max_tries, now or before, and left on the server */
    uint32_t fresh;           /* with --check: new ones on the server */
    uint64_t octets;          /* delivered */
    uint64_t octets_planned;  /* by LIST, of what was to be fetched */
    uint64_t octets_coming;   /* while it runs: received, and not delivered yet */
    uint32_t coming;          /* the same in messages that are complete */
    uint32_t too_large;       /* over the size limit: left on the server */
    uint32_t left;            /* left on the server for another run by max_messages, max_bytes */
    bool certificate_seen;    /* the server's, in this run; then: */
    int32_t certificate_days; /* until it expires; negative: it has */
    int64_t next_try;         /* wall clock: not polled before that; 0: at any time */
    bool skipped;             /* not polled, since it is too early */
    bool told;                /* its error was logged message by message; there is no more to say */
    bool quiet;               /* its error is not to be reported: nobody is watching, and it is
                              * not new */
};

enum session_mode { SESSION_POLL, SESSION_CHECK, SESSION_DRY_RUN };

/* What the command line asks of this run beside what the account says. */
struct session_switches {
    bool fetch_seen;   /* --all: fetch what earlier runs have delivered, too */
    bool never_delete; /* --keep: delete nothing */
    bool flush;        /* --flush: delete what earlier runs have delivered and kept */
    bool catch_up;     /* --catch-up: nothing is fetched, what is listed is known from now on ... */
    uint32_t newest;   /* ... but for this many at the end, */
    int64_t since;     /* and those of this time or later (wall clock, seconds; 0: none) */
    const char *only;  /* --fetch: this UIDL alone, whatever is known of it; NULL: all */
    bool accept_pin;   /* --accept-pin: note the key that the server has now (tls_trust = tofu) */
    bool force;        /* --force: interval, pauses and refused secrets do not count */
};

/* One that was delivered. */
struct session_message {
    struct str uidl;
    uint64_t octets;
    const struct header *header;  /* NULL: not known */
    const char *name;             /* of its file, as it was spooled; a Maildir has it */
    struct account_target target; /* where it went */
};

struct session_run {
    const struct account *account;
    const char *state_dir; /* absolute; made if missing */
    enum session_mode mode;
    struct session_switches switches;
    bool attended;   /* somebody is watching: all errors are reported */
    bool paced;      /* a daemon keeps the interval, and polls at once when it is asked to */
    bool hurried;    /* somebody asked for this poll: interval and pauses after failures do not
                        count, but LOGIN-DELAY and refused secrets do */
    struct log *log; /* blanks the account's secrets (account_hide) */
    /* Called now and then while it works (at most ten times a second or so); NULL: never. */
    void (*progress)(void *ctx, const struct session_figures *figures);
    /* With SESSION_DRY_RUN: what would become of a message; with catch_up: what was done. NULL:
     * nobody wants to know. */
    void (*answer)(void *ctx, const char *line);
    /* Told of each message once it is journalled as done; NULL: nobody wants to know. */
    void (*delivered)(void *ctx, const struct session_message *message);
    /* Called before connecting: account->password gets what it takes to log in. NULL: it is there
     * already, or none is needed. */
    int (*secrets)(void *ctx, struct err *err);
    /* Called when the server has refused the token: 0 and account->password holds another one, 1:
     * there is no other, -1 and err. NULL: tokens are not renewed. */
    int (*renew)(void *ctx, struct err *err);
    void *ctx;
    struct session_figures figures; /* the result */
};

#endif
