/* SPDX-License-Identifier: ISC */
/*
 * handover: what those kinds have in common that hand a message on to a program, which answers for
 * it by a status: a command, an LMTP server.
 *
 * The spool file, in the state folder, is the message as it came and at the same time the kept file
 * (keep.h). An open take says only that the program may have had it: it is handed on again. The
 * kind's own state begins with a struct spooldir. Standard output has its open, close, room, place,
 * secure and receipt from here too.
 */
#ifndef FP_DELIVERY_HANDOVER_H
#define FP_DELIVERY_HANDOVER_H

#include "delivery/kind.h"
#include "delivery/spooldir.h"

/* These verbs, as the fields of a struct kind. */
#define HANDOVER_VERBS                                                                             \
    .unit = 1, .is_command = true, .room = handover_room, .place = handover_place,                 \
    .begin = handover_begin, .finish = handover_finish, .resume = handover_resume,                 \
    .secure = handover_secure, .receipt = handover_receipt, .check = handover_check,               \
    .sweep = spooldir_sweep

/* For a kind whose state is a struct spooldir and nothing else. */
int handover_open(struct deliver *deliver, struct err *err);
void handover_close(struct deliver *deliver);

/* Verbs of a struct kind. A receipt is "KIND OCTETS NAME FOLDER". */
uint64_t handover_room(const struct deliver *deliver);
void handover_place(const struct deliver_settings *settings, struct buf *out);
int handover_begin(struct deliver *deliver, struct parcel **parcel, struct err *err);
int handover_finish(struct deliver *deliver, struct parcel *parcel, struct err *err);
int handover_resume(struct deliver *deliver, const char *name, struct parcel **parcel,
                    struct err *err);
int handover_secure(struct deliver *deliver, struct parcel *const *batch, size_t n,
                    struct err *err);
void handover_receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out);
int handover_read_receipt(struct str receipt, struct deliver_file *file); /* -1: it is none */
int handover_check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                   struct err *err);

/* Sets the outcome, and why: one clean line. */
void handover_settle(struct parcel *parcel, enum parcel_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
