/* SPDX-License-Identifier: ISC */
#include "app/twins.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct candidate {
    const struct account *account;
    size_t index;
};

static int compare_titles(const struct candidate *a, const struct candidate *b)
{
    return strcmp(a->account->title, b->account->title);
}

static int compare_mailboxes(const struct candidate *a, const struct candidate *b)
{
    return account_compare_mailboxes(a->account, b->account);
}

/* Twins come to stand beside each other, the earlier one first. */
static int by_index(const struct candidate *a, const struct candidate *b)
{
    return a->index < b->index ? -1 : 1;
}

static int order_titles(const void *a, const void *b)
{
    int order = compare_titles(a, b);
    return order != 0 ? order : by_index(a, b);
}

static int order_mailboxes(const void *a, const void *b)
{
    int order = compare_mailboxes(a, b);
    return order != 0 ? order : by_index(a, b);
}

bool twins_find(struct account *const *accounts, size_t count, enum twins_kind kind,
                size_t *earlier, size_t *later)
{
    struct candidate *all = xcalloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = (struct candidate){accounts[i], i};
    qsort(all, count, sizeof *all, kind == TWINS_TITLE ? order_titles : order_mailboxes);
    *later = count;
    for (size_t i = 1; i < count; i++) {
        bool same = kind == TWINS_TITLE ? compare_titles(&all[i - 1], &all[i]) == 0
                                        : compare_mailboxes(&all[i - 1], &all[i]) == 0;
        if (same && all[i].index < *later) {
            *earlier = all[i - 1].index;
            *later = all[i].index;
        }
    }
    free(all);
    return *later < count;
}
