/* SPDX-License-Identifier: ISC */
/*
 * mboxfind: is this message in the mbox, and where?
 *
 * At the place where it was written, or, since a reader may have removed mail before it, behind
 * some From_ line anywhere. Readers also add lines such as Status: to the header, so where the
 * spool file is there to compare with, those lines are left out on both sides; without it, only
 * length and digest tell. Two equal messages need two places, and a place that is known to hold
 * another message of ours does not count.
 */
#ifndef FP_DELIVERY_MBOXFIND_H
#define FP_DELIVERY_MBOXFIND_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/appends.h"
#include "delivery/mboxlock.h"
#include "delivery/mboxrepair.h"
#include "delivery/settings.h"

struct mboxfind {
    /* given: */
    char name[SPOOL_NAME_MAX];
    uint64_t length;
    unsigned char digest[DIGEST_SIZE];
    bool search; /* if it is not at `at`, look for it everywhere */
    bool placed; /* `at` is where it was written */
    uint64_t at;
    /* answered: */
    bool found; /* and `at` is where */
    /* within: */
    bool kept;          /* the spool file is there */
    uint64_t head_hash; /* of its From_ line and header */
};

/* Looks for all of them; `known` says where other messages are. Reads the mbox at most once from
 * end to end (and a spool file where the header fits). -1: ERR_IO. */
int mboxfind_run(const struct deliver_settings *settings, const struct mboxlock *lock,
                 const struct appends *known, struct mboxfind *finds, size_t n, struct err *err);

#endif
