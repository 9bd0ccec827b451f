/* SPDX-License-Identifier: ISC */
/*
 * poll: what one poll remembers across its connections, and the ways in which a connection can end.
 */
#ifndef FP_SESSION_POLL_H
#define FP_SESSION_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "delivery/deliver.h"
#include "session/aside.h"
#include "session/habits.h"
#include "session/plan.h"
#include "session/queue.h"
#include "session/routes.h"
#include "session/run.h"
#include "state/journal.h"

/* What rules and filter_command say of a message (session/sift.h). */
#define VERDICT_RULES ((1u << 24) - 1) /* rules that there may be; this number: none fits */
struct verdict {
    unsigned rule : 24;
    unsigned action : 2; /* enum rule_action */
    bool judged : 1;     /* else nothing is known yet */
    bool filtered : 1;   /* filter_command said so ... */
    bool unsaid : 1;     /* ... or nothing that counts: it is left, for another run to ask */
    bool due : 1;        /* left only until its age is found on another day, too; then deleted */
};

struct poll {
    struct session_run *run;
    struct journal *journal;
    struct routes routes;
    struct plan_rules rules;
    const struct deliver_settings *settings; /* of the account's own destination */
    struct aside aside;                      /* what destinations have to say */
    uint32_t fetched;     /* of all that was delivered, what came whole in this run, ... */
    uint64_t octets;      /* ... and its octets: what max_messages and max_bytes count */
    uint64_t kept_octets; /* in files of messages that are not delivered */
    bool owned;           /* no message was received in this session that only the server has */
    int64_t deadline;     /* clock_ms(): no new message is begun after it */
    bool cut_short;       /* it passed, or INT or TERM came, with messages left */
    uint32_t later;       /* messages that may work later: not counted as tries */
    uint32_t refused;     /* messages that failed: counted */
    uint32_t broken;      /* of these, messages that broke a connection of their own */
    struct {              /* messages whose DELE the server refuses: how many, ... */
        uint32_t count;
        uint32_t number; /* ... the first of them, and its words */
        char words[LOG_QUOTE_MAX + 4];
    } undeleted;
    uint32_t reappeared;  /* messages that are deleted once more */
    bool careful;         /* the two sides went out of step before: one message at a time */
    bool wants_utf8;      /* a message was refused for want of UTF8 (RFC 6856), and stays for ... */
    bool utf8;            /* ... another connection, on which UTF8 is asked for */
    struct queue unnamed; /* numbers of messages without UIDL that failed: first those that were
                           * told, then those that a connection broke over */
    bool alone;           /* this connection is for messages that an earlier one broke over */
    bool doubted_first;   /* such messages have their turn before others: polls have failed */
    bool only_deletes;    /* this one is for DELEs that an earlier one could not end with QUIT */
    struct err local;     /* trouble on our side of the wire; kind ERR_NONE: none */
    struct err over;      /* the server refuses message after message: the session is at fault */
    bool over_before;     /* this, or an earlier session of this poll, ended so ... */
    uint64_t over_hash;   /* ... with these words (manners_hash) */
    struct habits habits;
    struct {                        /* session/sift.h */
        struct verdict *verdicts;   /* of each message of the listing; NULL: there are none */
        struct sift_spared *spared; /* of it, what is not to be fetched: nothing is done yet */
        uint32_t spared_count, spared_cap;
        bool stale;      /* the journal was kept by other rules */
        unsigned failed; /* how often in a row the filter_command did not say, ... */
        struct err why;  /* ... what it did instead the last time, ... */
        bool answered;   /* ... and whether it ever said anything */
    } sift;
};

enum connection_end {
    CONNECTION_DONE,      /* all that can be fetched was fetched */
    CONNECTION_AGAIN_ALL, /* over one known message; the others are worth another connection */
    CONNECTION_AGAIN_ONE_BY_ONE, /* over some message: another connection will tell which */
    CONNECTION_LOST              /* another connection now would end the same way */
};

/* Tells whoever wants to know of a message that is done. */
void poll_tell_delivered(const struct poll *poll, uint32_t entry, const struct parcel *parcel);

#endif
