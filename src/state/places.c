/* SPDX-License-Identifier: ISC */
#include "state/places.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/xalloc.h"

void places_free(struct places *places)
{
    for (uint32_t i = 0; i < places->count; i++)
        free(places->at[i]);
    free(places->at);
    *places = (struct places){.count = 0};
}

int places_set(struct places *places, uint64_t number, struct str text)
{
    if (number == 0 || number > PLACES_MAX)
        return -1;
    if (number > places->count) {
        places->at = xreallocarray(places->at, number, sizeof *places->at);
        while (places->count < number)
            places->at[places->count++] = NULL;
    }
    char *copy = xmemdup0(text.ptr, text.len);
    free(places->at[number - 1]);
    places->at[number - 1] = copy;
    return 0;
}

const char *places_get(const struct places *places, uint64_t number)
{
    return number == 0 || number > places->count ? NULL : places->at[number - 1];
}

/* Its number; the next one if it has none. */
static uint32_t number_of(const struct places *places, struct str text)
{
    uint32_t number = places->count;
    while (number > 0 && (places->at[number - 1] == NULL || !str_is(text, places->at[number - 1])))
        number--;
    return number > 0 ? number : places->count + 1;
}

uint32_t places_cut(struct places *places, struct str receipt, struct str *left, bool *fresh)
{
    struct buf text;
    struct str rest = str_trim(receipt), kind = str_word(&rest);
    size_t path = rest.len;
    while (path > 0 && rest.ptr[path - 1] != ' ')
        path--;
    buf_init(&text, kind.len + rest.len + 1);
    buf_add(&text, kind.ptr, kind.len);
    if (rest.len > path) {
        buf_add(&text, " ", 1);
        buf_add(&text, rest.ptr + path, rest.len - path);
    }
    *left = str_trim(str_of(rest.ptr, path));
    uint32_t number = number_of(places, buf_str(&text));
    *fresh = number > places->count;
    if (*fresh && places_set(places, number, buf_str(&text)) < 0)
        xdie("a journal has too many places"); /* what has no number could not be found again */
    buf_free(&text);
    return number;
}

char *places_join(const struct places *places, uint32_t number, struct str left)
{
    struct str path = str_from(places_get(places, number)), kind = str_word(&path);
    return xasprintf("%.*s%s%.*s%.*s", (int)kind.len, kind.ptr, left.len > 0 ? " " : "",
                     (int)left.len, left.ptr, (int)path.len, path.ptr); /* its blank before it */
}
