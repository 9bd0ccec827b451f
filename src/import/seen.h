/* SPDX-License-Identifier: ISC */
/*
 * seen: the lists in which other fetchers keep the UIDLs of what they have fetched. Pure.
 *
 *   fetchmail  USER@SERVER UIDL
 *   mpop       a line " COUNT SERVER USER", and below it its UIDLs, one a line
 *   getmail    UIDL, a NUL, and the time (seconds since 1970) at which it was first seen
 *   fdm        LENGTH UIDL
 *   uidl       UIDL
 */
#ifndef FP_IMPORT_SEEN_H
#define FP_IMPORT_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct seen {
    struct str uidl;
    struct str server, user; /* whose it is; empty: the list does not say */
    bool any_case;           /* the program takes users for the same whatever their case */
    int64_t when;            /* first seen then; 0: the list does not say */
};

/* The reader of this format, which names the program; NULL: there is none. */
struct seen_format;
const struct seen_format *seen_find(const char *name);

/* True if such a list says whose each UIDL is. */
bool seen_names_mailbox(const struct seen_format *format);

/* Names of all formats, for a person; static. */
const char *seen_names(void);

/* Calls `take` for each UIDL; views into the text. A line that is none of such a list is ERR_CONFIG
 * "line N: what", and `take` is not called at all. */
int seen_read(const struct seen_format *format, struct str text,
              void (*take)(void *ctx, const struct seen *seen), void *ctx, struct err *err);

#endif
