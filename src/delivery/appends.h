/* SPDX-License-Identifier: ISC */
/*
 * appends: the file in the state folder that remembers where in one mbox which bytes of ours were
 * meant to be: what was about to be written there, before it was.
 *
 * One file for each mbox (by its real path), for all mailboxes that are delivered to it; whoever
 * touches it holds the lock of that mbox. A line for each message:
 *
 *   CRC MAILBOX NAME START BEFORE OFFSET LENGTH DIGEST PATH STATE
 *
 * The state is one letter and stands outside the CRC, so that it can be changed in place. The file
 * is overwritten, not replaced: by then a repair has settled whatever was open, durably, so the old
 * lines are only hints where to look, and a torn line loses only itself.
 */
#ifndef FP_DELIVERY_APPENDS_H
#define FP_DELIVERY_APPENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "delivery/settings.h"

enum append_state {
    APPEND_OPEN = 'o',  /* may be there, whole, in part, or not at all */
    APPEND_WHOLE = 'w', /* was there, durably: nothing is cut here any more */
    APPEND_GONE = 'x',  /* is certainly not there: what there was of it was cut off */
    APPEND_LOST = 'l'   /* the file has changed around it: only a search can tell */
};

struct append {
    enum append_state state;
    char mailbox[SPOOL_MAILBOX + 1];
    char name[SPOOL_NAME_MAX];
    uint64_t start;  /* of the batch that it belongs to, in the mbox */
    uint32_t before; /* CRC-32 of the bytes before start (appends_before) */
    uint64_t offset; /* of its From_ line; the first of a batch may have LFs of ours before that */
    uint64_t length;
    unsigned char digest[DIGEST_SIZE];
};

struct appends {
    int fd;
    char *path;
    char *mbox; /* its real path, escaped */
    struct append *entries;
    size_t count, room;
    bool sure; /* no line is damaged: an append that it does not mention was never begun */
};

/* Opens (`make`: and makes, its folder fsynced) and reads the file of the mbox `real`. Without
 * make, a missing one is fine: no entries, and not sure. appends_close is right also after a
 * failure. */
int appends_open(struct appends *appends, const struct deliver_settings *settings, const char *real,
                 bool make, struct err *err);
void appends_close(struct appends *appends);

/* In memory. */
void appends_add(struct appends *appends, const struct append *entry);

/* Drops all of a mailbox's entries from before `fresh` (an index), but for those whose message is
 * equal to one from there on: so that the old one will not be taken for the new one. */
void appends_forget(struct appends *appends, const char *mailbox, size_t fresh);

/* The entry of this name, which no two messages have, or NULL. Whose it is does not matter: the
 * account may have been renamed since. */
const struct append *appends_find(const struct appends *appends, const char *name);

/* Writes them all; durable: with fdatasync. */
int appends_write(struct appends *appends, bool durable, struct err *err);

/* CRC-32 of the last bytes (up to 4096) before `start`: unchanged means that nobody has moved what
 * is there. -1: unreadable, or the file ends before start. */
int appends_before(int mbox, uint64_t start, uint32_t *crc);

#endif
