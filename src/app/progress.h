/* SPDX-License-Identifier: ISC */
/*
 * progress: the words of the status line. Pure; report draws it.
 */
#ifndef FP_APP_PROGRESS_H
#define FP_APP_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress_facts {
    size_t total, done; /* accounts */
    size_t known;       /* of those that are not done: how many have told what they will fetch */
    uint32_t planned, fetched; /* messages */
    uint64_t octets_planned, octets;
    int64_t run_ms;   /* since the first account was begun */
    int64_t fetch_ms; /* since the first message was asked for */
};

/* "3/5 accounts, 120/400 messages, 1.2 MB, 340 kB/s, 0:12 left": as many of its parts as fit into
 * `width` columns; if not even the first fits, it is cut. line holds width + 1. */
void progress_spell(const struct progress_facts *facts, size_t width, char *line);

#endif
