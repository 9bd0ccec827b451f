/* SPDX-License-Identifier: ISC */
/*
 * variables: what an account's commands are told of a message in their environment (fetchpop(1),
 * DELIVERY TO A COMMAND). Pure.
 */
#ifndef FP_DELIVERY_VARIABLES_H
#define FP_DELIVERY_VARIABLES_H

#include <stdint.h>

#include "base/header.h"
#include "base/str.h"

struct variables {
    const char *account; /* its title */
    struct str uidl;
    uint64_t octets;
    const struct header *header;
};

/* "FETCHPOP_ACCOUNT=...", FETCHPOP_UIDL, FETCHPOP_SIZE, FETCHPOP_SENDER and FETCHPOP_RECIPIENT, for
 * struct spawn: then NULL. The caller's until variables_free. */
char **variables_make(const struct variables *of);
void variables_free(char **variables);

#endif
