/* SPDX-License-Identifier: ISC */
/*
 * listing: what is on the server, and what of it we know.
 *
 * UIDL and LIST are joined by message number into one list. Each UIDL is looked up in the journal
 * as it comes, so that those of messages seen before need not be kept. What else there is to tell a
 * message by is session/match.h's.
 */
#ifndef FP_SESSION_LISTING_H
#define FP_SESSION_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "pop3/pop3.h"
#include "session/habits.h"
#include "state/journal.h"

/* Where a message's UIDL is kept. */
enum uidl_place { UIDL_NOWHERE, UIDL_JOURNAL, UIDL_LISTING };

/* One for each that is listed, known or not: hundreds of thousands. */
struct message {
    uint64_t size;  /* by LIST; 0: unknown */
    uint32_t entry; /* in the journal; JOURNAL_NONE: not known */
    union {         /* see listing_uidl */
        struct uidl_ref ref;
        uint32_t own; /* an offset in listing.uidls */
    } uidl;
    uint32_t fingerprint; /* 1 + its index in listing.fingerprints; 0: none */
    unsigned number : 24; /* on the server, in this session */
    unsigned action : 3;  /* enum plan_action */
    bool compare : 1;     /* its entry counts only once it is fetched and found to be the same */
    bool twice : 1;       /* it was fetched, proved nothing, and is asked for once more */
    unsigned uidl_in : 2; /* enum uidl_place */
    bool vague : 1;       /* the UIDL does not identify it: it needs a fingerprint */
};

_Static_assert(sizeof(struct message) == 24, "what each of a million messages costs");

struct listing {
    struct journal *journal; /* borrowed, as habits */
    struct habits *habits;
    struct message *messages; /* in the order of their numbers */
    uint32_t count, cap;
    uint32_t sorted;  /* this many, from the front, are in order */
    struct buf uidls; /* those that the journal lacks: length, octets */
    struct fingerprint *fingerprints;
    uint32_t fingerprint_count, fingerprint_cap;
    bool has_uidl;                 /* UIDL worked */
    bool has_list;                 /* LIST worked */
    uint32_t uidl_junk, list_junk; /* lines that could not be understood */
    uint32_t missing;              /* how many fewer than STAT says are listed */
    bool any_vague;                /* some have no UIDL, or one that is not theirs alone */
    bool any_moved;  /* a UIDL is another message's now: none of them is believed for its size */
    bool any_uidl;   /* UIDLs may have changed: a fingerprint is enough to know a message */
    bool most_uidls; /* most of them have, ... */
    bool any_size;   /* ... and with them sizes, as several messages show */
    uint32_t alike;  /* how many fetched messages look like others with other UIDLs */
    uint32_t *by_fingerprint; /* entries of the journal, by theirs; match.c makes it */
    uint32_t by_fingerprint_count;
};

/* Empty. What it lists is looked up in the journal. */
void listing_init(struct listing *listing, struct journal *journal, struct habits *habits);
/* Frees what the listing owns. */
void listing_free(struct listing *listing);

/* STAT, UIDL and LIST (and CAPA before them with `capa`: RFC 2449 lets it change after login), in
 * one write where the window allows. A list that goes on far beyond STAT's count is ERR_FRAMING. */
int listing_fetch(struct listing *listing, struct pop3 *pop3, bool capa, struct err *err);

/* True if it has a UIDL that the journal does not know. */
bool listing_is_new(const struct message *message);

/* Empty if it has none. Lives as long as the listing. */
bool listing_has_uidl(const struct message *message);
struct str listing_uidl(const struct listing *listing, const struct message *message);

/* The message with this number, or NULL. */
struct message *listing_find(struct listing *listing, uint32_t number);

/* The message's entry in the journal, made if it has none. */
uint32_t listing_enter(struct listing *listing, struct message *message);

/* What the journal is told of a message. */
struct journal_subject listing_subject(const struct listing *listing,
                                       const struct message *message);

/* Replaces a fingerprint by a better one. */
void listing_set_fingerprint(struct listing *listing, struct message *message,
                             const struct fingerprint *fingerprint);

/* Has the message's fingerprint, from TOP? NULL if not. */
const struct fingerprint *listing_fingerprint(const struct listing *listing,
                                              const struct message *message);

/* "message 3 (UIDL abc)": how a message is named to people, the account's secrets blanked. out
 * holds LOG_QUOTE_MAX + 40. */
char *listing_name(const struct listing *listing, const struct message *message,
                   const struct log *log, char *out, size_t cap);

#endif
