#include "app/turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

void turns_init(struct turns *turns, int64_t every)
{
    *turns = (struct turns){.every = every, .end = &turns->first};
}

void turns_free(struct turns *turns)
{
    while (turns->first != NULL) {
        struct turn *turn = turns->first;
        turns->first = turn->next;
        account_free(turn->account);
        free(turn);
    }
    turns_init(turns, turns->every);
}

void turns_add(struct turns *turns, struct account *account)
{
    struct turn *turn = xcalloc(1, sizeof *turn);
    turn->account = account;
    turn->due = clock_ms();
    *turns->end = turn;
    turns->end = &turn->next;
    turns->count++;
}

struct turn *turns_due(const struct turns *turns, int64_t now,
                       bool (*may)(const void *ctx, const struct account *account),
                       const void *ctx)
{
    struct turn *best = NULL;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        if (!turn->running && turn->due <= now && (best == NULL || turn->due < best->due) &&
            may(ctx, turn->account)) {
            best = turn;
        }
    }
    return best;
}

int64_t turns_next(const struct turns *turns, int64_t now)
{
    int64_t next = CLOCK_NEVER;
    for (const struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        if (!turn->running && turn->due > now && turn->due < next) {
            next = turn->due;
        }
    }
    return next;
}

void turns_begin(struct turns *turns, struct turn *turn, int64_t now)
{
    turn->running = true;
    turn->begun = now;
    turns->running++;
    if (turns->every == 0) {
        account_wipe(turn->account);
    }
}

static void drop(struct turns *turns, struct turn *turn)
{
    struct turn **at = &turns->first;
    while (*at != turn) {
        at = &(*at)->next;
    }
    *at = turn->next;
    if (turn->next == NULL) {
        turns->end = at;
    }
    turns->count--;
    account_free(turn->account);
    free(turn);
}

/* 0 to max, as chance has it; without any it is the middle. */
static int64_t pick(int64_t max)
{
    uint32_t drawn;
    return getentropy(&drawn, sizeof drawn) == 0 ? drawn % (max + 1) : max / 2;
}

/* Counted from the beginning of the poll, so that the pace is kept; but one that took long leaves
 * its server a pause. */
static int64_t next_due(const struct turns *turns, const struct turn *turn, int64_t now)
{
    int64_t interval = turn->account->interval > 0 ? turn->account->interval : turns->every;
    int64_t ms = interval * 1000;
    int64_t tenth = ms / 10;
    int64_t due = turn->begun + ms - tenth + pick(2 * tenth);
    return due > now + tenth ? due : now + tenth;
}

void turns_end(struct turns *turns, struct turn *turn, int64_t now)
{
    turns->running -= turn->running;
    turn->running = false;
    if (turns->every == 0) {
        drop(turns, turn);
    } else {
        turn->due = next_due(turns, turn, now);
    }
}

void turns_forget_others(struct turns *turns, const struct turn *own)
{
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        if (turn != own) {
            account_free(turn->account);
            turn->account = NULL;
        }
    }
}
