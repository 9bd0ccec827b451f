/* SPDX-License-Identifier: ISC */
/*
 * spooldir: the folder of the state folder in which an mbox and a command have their spool files
 * (a Maildir has its own tmp/). Names say whose they are, so all accounts share it.
 */
#ifndef FP_DELIVERY_SPOOLDIR_H
#define FP_DELIVERY_SPOOLDIR_H

#include <stdint.h>

#include "base/buf.h"
#include "delivery/settings.h"

struct spooldir {
    int fd;
    char *path; /* absolute */
};

/* STATE_DIR/spool, malloced. */
char *spooldir_path(const struct deliver_settings *settings);

/* Makes it if missing (0700, durably) and opens it. spooldir_close is right also after a
 * failure. */
int spooldir_open(struct spooldir *dir, const struct deliver_settings *settings, struct err *err);
void spooldir_close(struct spooldir *dir);

/* Room for a message of which there will be so many copies, in `room` octets. */
uint64_t spooldir_share(uint64_t room, unsigned copies);

/* Removes the mailbox's own files from such a folder, except those that settings->keeps names; a
 * folder that is gone is fine. Returns as spool_sweep. */
int spooldir_clear(const char *path, const struct deliver_settings *settings, struct err *err);

/* As the kinds' namesakes; `kind` is the first word. */
void spooldir_place(const struct deliver_settings *settings, const char *kind, struct buf *out);
int spooldir_sweep(const struct deliver_settings *settings, struct str words, struct err *err);

#endif
