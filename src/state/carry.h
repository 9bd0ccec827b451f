/* SPDX-License-Identifier: ISC */
/*
 * carry: what a journal knows of its messages, as a text that another state folder takes in, on
 * another machine or under another name: a head and one record for each message (state/record.h).
 *
 * What lies in a file of this state folder, or is being delivered here, stays here and is left out.
 */
#ifndef FP_STATE_CARRY_H
#define FP_STATE_CARRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "state/journal.h"

/* Appends the text. *left: how many messages were left out. */
void carry_export(const struct journal *journal, const char *server, const char *user,
                  struct buf *out, uint32_t *left);

/* Makes it the journal of this mailbox, which has none yet; under its lock, whole. If the head
 * names another mailbox, messages are compared by their headers once (journal_was_renamed).
 * *count: how many messages are in it. ERR_CONFIG: the text is damaged, or not one of ours;
 * ERR_CREATE: there is a journal already. */
struct carry_to {
    const char *state_dir, *server, *user;
    bool durable;
};
int carry_import(struct str text, const struct carry_to *to, uint32_t *count, struct err *err);

#endif
