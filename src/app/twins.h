/* SPDX-License-Identifier: ISC */
/*
 * twins: accounts with the same title or the same mailbox, found without comparing each with each.
 */
#ifndef FP_APP_TWINS_H
#define FP_APP_TWINS_H

#include <stdbool.h>
#include <stddef.h>

#include "session/account.h"

enum twins_kind {
    TWINS_TITLE,  /* the same title */
    TWINS_MAILBOX /* the same server and user */
};

/* The first account that has a twin before it: its index in *later, the twin's in *earlier. False
 * if there is none. */
bool twins_find(struct account *const *accounts, size_t count, enum twins_kind kind,
                size_t *earlier, size_t *later);

#endif
