/* SPDX-License-Identifier: ISC */
/*
 * rules: which messages are fetched, and where they go: what the rules of an account say, in order;
 * the first that fits decides.
 *
 * Pure. All conditions of a rule have to fit, and what is not known never decides: a condition on a
 * size, date or field that is not known does not fit, negated or not.
 *
 * Ages are those of the topmost Received field, else of Date. `from` is From; `to` is each To, Cc,
 * Delivered-To, X-Original-To and Envelope-To. Both fit the whole field, encoded words decoded, or
 * any bare address in it.
 */
#ifndef FP_SESSION_RULES_H
#define FP_SESSION_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fields.h"
#include "base/pattern.h"
#include "delivery/deliver.h"

enum rule_action { RULE_FETCH, RULE_LEAVE, RULE_STUB, RULE_DELETE };

struct rule_header {
    char *name;
    struct pattern *pattern;
};

/* Patterns that are not there are NULL. */
struct rule_patterns {
    struct pattern *from, *to, *subject;
    struct rule_header *headers;
    size_t header_count;
};

struct rule {
    enum rule_action action;
    bool has_target; /* another destination than the account's; then, as in struct account: */
    enum deliver_kind target;
    char *where, *recipient;

    struct rule_patterns fits;  /* each fits a field of its kind */
    struct rule_patterns unfit; /* fits no field of its kind */
    int64_t older, newer;       /* seconds; 0: not asked */
    uint64_t larger, smaller;   /* octets; 0: not asked */

    char *file; /* where it stands */
    unsigned line;
};

/* Owned by struct account. */
struct rules {
    struct rule *at;
    size_t count;
    unsigned *owners; /* how many have the same ones; NULL: there is one */
};

/* What is known of one message. */
struct rules_facts {
    uint64_t size; /* octets; 0: not known */
    int64_t now;   /* seconds since 1970; 0: the clock is in doubt, and ages are not known */
    const struct fields *fields; /* done; NULL: not known yet */
};

#define RULES_NONE SIZE_MAX          /* no rule fits: to the account's destination */
#define RULES_UNKNOWN (SIZE_MAX - 1) /* the header is needed to tell */

/* The index of the rule that fits. *until, where the fields are known: the next moment at which the
 * age of the message may change that (with a clock in doubt, the first); 0: none. */
size_t rules_find(const struct rules *rules, const struct rules_facts *facts, int64_t *until);

/* True if an age had a say in what rules_find gave for these facts: with a right clock it might
 * have been another rule. */
bool rules_found_by_age(const struct rules *rules, const struct rules_facts *facts);

/* True if a rule asks for an age. */
bool rules_ask_age(const struct rules *rules);

/* When the message arrived (wall clock, seconds): the date of the topmost Received field, or Date.
 * -1: neither can be read. */
int rules_date(const struct fields *fields, int64_t *when);

/* True if it depends on its header whether a message of this size is fetched: then TOP is worth it.
 */
bool rules_may_skip(const struct rules *rules, uint64_t size);

/* True for a rule without conditions. */
bool rules_takes_all(const struct rule *rule);

/* Adds "Name: pattern". ERR_CONFIG, as pattern_new. */
int rules_add_header(struct rule_patterns *patterns, const char *text, struct err *err);

/* SHA-256, cut to RULES_DIGEST hexadecimal digits, of what decides whether messages are fetched:
 * conditions and actions in order, not destinations. "" if there are no rules. */
#define RULES_DIGEST 16
void rules_digest(const struct rules *rules, char out[RULES_DIGEST + 1]);

/* The same rules for one more owner, who may not change them: accounts may be many. */
struct rules rules_share(struct rules *rules);

/* Leaves it empty, and the last owner frees what it holds. */
void rules_free(struct rules *rules);

#endif
