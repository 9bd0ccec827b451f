/* SPDX-License-Identifier: ISC */
/*
 * queue: message numbers that wait for a command, in order.
 */
#ifndef FP_SESSION_QUEUE_H
#define FP_SESSION_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "session/listing.h"
#include "session/plan.h"
#include "state/journal.h"

/* Starts zeroed; `at` is malloced and the owner's to free. */
struct queue {
    uint32_t *at, count, next; /* at[next] is the first that waits */
};

/* At the end. */
void queue_push(struct queue *queue, uint32_t number);

/* True if something waits. */
bool queue_has_next(const struct queue *queue);

/* All messages of a listing that have this action, in its order. */
void queue_push_all(struct queue *queue, const struct listing *listing, enum plan_action action);

/* Those with PLAN_ALONE, the fewest tries first, so that each has its turn however many break a
 * connection. */
void queue_push_by_tries(struct queue *queue, const struct listing *listing,
                         const struct journal *journal);

#endif
