/* SPDX-License-Identifier: ISC */
/*
 * places: where messages go, each with a number, so that the `take` of each need not say it again.
 *
 * A receipt is a line of words of its destination's making: the first is its kind, the last the
 * path. These two are the place; what is between them is the message's own. Numbers begin with 1; a
 * journal has few places.
 */
#ifndef FP_STATE_PLACES_H
#define FP_STATE_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Starts zeroed. */
struct places {
    char **at; /* kind and path of place 1 and so on, malloced; NULL: there is none */
    uint32_t count;
};
#define PLACES_MAX 4096 /* numbers that are believed; memory is by the highest */

/* Frees what they own; there are none then. */
void places_free(struct places *places);

/* Place `number` is this from now on. -1: there can be no such number. */
int places_set(struct places *places, uint64_t number, struct str text);

/* Kind and path; NULL if there is none of this number. */
const char *places_get(const struct places *places, uint64_t number);

/* Cuts a receipt: the number of its place, and what is left of it. *fresh: the place is new. */
uint32_t places_cut(struct places *places, struct str receipt, struct str *left, bool *fresh);

/* The whole receipt again; malloced. */
char *places_join(const struct places *places, uint32_t number, struct str left);

#endif
