/* SPDX-License-Identifier: ISC */
/*
 * routes: the destinations of one poll: the account's own, and those that its rules name.
 *
 * Each is looked at, and opened, before a connection is made. Each has its own troubles
 * (session/destination.h): where one takes no mail, what goes to the others is delivered all the
 * same, and what goes there is kept.
 */
#ifndef FP_SESSION_ROUTES_H
#define FP_SESSION_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "delivery/deliver.h"
#include "session/account.h"

/* What became of messages at a destination. Starts zeroed. */
struct destination {
    uint32_t delivered;
    uint32_t row; /* how many in a row came to the same end: */
    enum parcel_outcome outcome;
    int status;
    bool shut;                   /* nothing more is delivered */
    struct undelivered *waiting; /* not reported yet, since it is not known whose fault it is */
    size_t count;
    struct err trouble; /* of this machine; kind ERR_NONE: none */
};

struct route {
    struct deliver_settings settings; /* of deliver; `next` is that of the route behind it */
    struct deliver *deliver;          /* NULL: not open */
    struct destination destination;
};

struct routes {
    struct route *at; /* the first is the account's own */
    size_t count;
    size_t *of_rule; /* for each rule, the index of its route */
    size_t rule_count;
    struct route *through;   /* where messages wait for pipe_through; NULL: there is none */
    struct deliver *speaker; /* see delivery/settings.h: this struct stays where it is */
};

/* `own`: the settings of the account's own destination; what it borrows outlives the routes. Rules
 * that name one place have one route. */
void routes_init(struct routes *routes, const struct account *account,
                 const struct deliver_settings *own);

/* deliver_probe of each; the first error. */
int routes_probe(const struct routes *routes, struct err *err);

/* deliver_open of each; the first error. */
int routes_open(struct routes *routes, struct err *err);

/* Closes those that are open, and frees; also what is all zero. */
void routes_free(struct routes *routes);

/* Where a message goes that this rule fits; RULES_NONE or RULES_UNKNOWN: the account's own. */
struct route *routes_of_rule(const struct routes *routes, size_t rule);

/* Where a parcel goes; of one that waits for pipe_through, the account's own. */
struct route *routes_of(const struct routes *routes, const struct parcel *parcel);

/* True if a command, or a server, is among them. */
bool routes_have_command(const struct routes *routes);

/* Free room for new messages, in octets, where there is least. */
uint64_t routes_room(const struct routes *routes);

#endif
