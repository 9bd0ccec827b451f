/* SPDX-License-Identifier: ISC */
#include "session/queue.h"

#include <limits.h>

#include "base/xalloc.h"

void queue_push(struct queue *queue, uint32_t number)
{
    if ((queue->count & (queue->count - 1)) == 0) /* full at each power of two */
        queue->at = xreallocarray(queue->at, queue->count == 0 ? 1 : 2 * (size_t)queue->count,
                                  sizeof *queue->at);
    queue->at[queue->count++] = number;
}

bool queue_has_next(const struct queue *queue)
{
    return queue->next < queue->count;
}

void queue_push_all(struct queue *queue, const struct listing *listing, enum plan_action action)
{
    for (uint32_t i = 0; i < listing->count; i++)
        if (listing->messages[i].action == action)
            queue_push(queue, listing->messages[i].number);
}

void queue_push_by_tries(struct queue *queue, const struct listing *listing,
                         const struct journal *journal)
{
    unsigned tries = 0, next;
    do {
        next = UINT_MAX;
        for (uint32_t i = 0; i < listing->count; i++) {
            const struct message *message = &listing->messages[i];
            if (message->action != PLAN_ALONE)
                continue;
            unsigned own = journal_entry(journal, message->entry).tries;
            if (own == tries)
                queue_push(queue, message->number);
            else if (own > tries && own < next)
                next = own;
        }
        tries = next;
    } while (next != UINT_MAX);
}
