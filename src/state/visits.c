/* SPDX-License-Identifier: ISC */
#include "state/visits.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void visits_free(struct visits *visits)
{
    for (size_t i = 0; i < visits->count; i++)
        free(visits->at[i].place);
    visits->count = 0;
}

static size_t find(const struct visits *visits, struct str place)
{
    size_t i = 0;
    while (i < visits->count && !str_is(place, visits->at[i].place))
        i++;
    return i;
}

void visits_add(struct visits *visits, struct str place, uint64_t day)
{
    size_t out = find(visits, place);
    char *copy = xmemdup0(place.ptr, place.len); /* place may be a view of the one that goes */
    if (out == VISITS_MAX)
        out = 0;
    if (out < visits->count) {
        free(visits->at[out].place);
        visits->count--;
        memmove(&visits->at[out], &visits->at[out + 1],
                (visits->count - out) * sizeof visits->at[0]);
    }
    visits->at[visits->count++] = (struct visit){.place = copy, .day = day};
}

bool visits_has(const struct visits *visits, struct str place)
{
    return find(visits, place) < visits->count;
}

uint64_t visits_day(const struct visits *visits, struct str place)
{
    size_t i = find(visits, place);
    return i < visits->count ? visits->at[i].day : 0;
}
