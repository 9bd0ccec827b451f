/* SPDX-License-Identifier: ISC */
#include "app/turns.h"

#include <stdlib.h>
#include <string.h>

#include "app/settings.h"
#include "base/clock.h"
#include "base/random.h"
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
        settings_free(turn->account);
        free(turn);
    }
    turns_init(turns, turns->every);
}

static void append(struct turns *turns, struct turn *turn)
{
    turns->changes++;
    turn->next = NULL;
    *turns->end = turn;
    turns->end = &turn->next;
    turns->count++;
}

void turns_add(struct turns *turns, struct account *account)
{
    struct turn *turn = xcalloc(1, sizeof *turn);
    turn->account = account;
    turn->due = clock_ms();
    append(turns, turn);
}

struct turn *turns_due(const struct turns *turns, int64_t now,
                       bool (*may)(const void *ctx, const struct account *account), const void *ctx)
{
    struct turn *best = NULL;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next)
        if (!turn->running && turn->due <= now && (best == NULL || turn->due < best->due) &&
            may(ctx, turn->account)) {
            best = turn;
            if (turns->every == 0) /* in the order in which they were added */
                break;
        }
    return best;
}

int64_t turns_next(const struct turns *turns, int64_t now)
{
    int64_t next = CLOCK_NEVER;
    if (turns->every == 0) /* all were due when they were added */
        return next;
    for (const struct turn *turn = turns->first; turn != NULL; turn = turn->next)
        if (!turn->running && turn->due > now && turn->due < next)
            next = turn->due;
    return next;
}

void turns_begin(struct turns *turns, struct turn *turn, int64_t now)
{
    turn->running = true;
    turn->again = false;
    turn->hurried = false;
    turn->begun = now;
    turn->not_before = 0;
    turn->slept = false;
    turns->running++;
    if (turns->every == 0)
        account_wipe(turn->account);
}

static void free_turn(struct turn *turn)
{
    settings_free(turn->account);
    free(turn);
}

static void drop(struct turns *turns, struct turn *turn)
{
    struct turn **at = &turns->first;
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
    if (turn->next == NULL)
        turns->end = at;
    turns->count--;
    turns->leaving -= turn->leaving;
    free_turn(turn);
}

static int64_t interval_ms(const struct turns *turns, const struct account *account)
{
    return (account->interval > 0 ? account->interval : turns->every) * 1000;
}

/* A random number from 0 to max; the middle if the system has none. */
static int64_t pick(int64_t max)
{
    uint32_t drawn;
    return random_bytes(&drawn, sizeof drawn) == 0 ? drawn % (max + 1) : max / 2;
}

/* Counted from the beginning of the poll, so that the pace is kept; but one that took long leaves
 * its server a pause, unless it was the machine's sleep that took long. */
static int64_t next_due(const struct turns *turns, const struct turn *turn, int64_t now)
{
    int64_t ms = interval_ms(turns, turn->account);
    int64_t tenth = ms / 10;
    int64_t pause = turn->slept && tenth > TURNS_WAKE_MS ? TURNS_WAKE_MS : tenth;
    int64_t due = turn->begun + ms - tenth + pick(2 * tenth);
    due = due > now + pause ? due : now + pause;
    return due > turn->not_before ? due : turn->not_before;
}

void turns_end(struct turns *turns, struct turn *turn, int64_t now)
{
    turns->changes++;
    turns->running -= turn->running;
    turn->running = false;
    if (turn->again)
        turn->due = now;
    else if (turns->every == 0 || turn->leaving)
        drop(turns, turn);
    else /* hurried: once more */
        turn->due = turn->hurried ? now : next_due(turns, turn, now);
}

void turns_hurry(struct turns *turns, int64_t now)
{
    turns->changes++;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        turn->due = now;
        turn->hurried = true;
    }
}

void turns_slept(struct turns *turns, int64_t ms, int64_t now)
{
    int64_t soonest = now + TURNS_WAKE_MS;
    turns->changes++;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        turn->begun -= ms;
        turn->slept = turn->running;
        if (turn->due > soonest)
            turn->due = turn->due - ms > soonest ? turn->due - ms : soonest;
    }
}

/* --- another configuration file --------------------------------------------------------------- */

static bool is_same(const struct account *a, const struct account *b)
{
    return account_compare_servers(a, b) == 0 && strcmp(a->user, b->user) == 0;
}

/* The pointer to the turn of that mailbox; the end of the list if there is none. */
static struct turn **find_link(struct turn **at, const struct account *like)
{
    while (*at != NULL && !is_same((*at)->account, like))
        at = &(*at)->next;
    return at;
}

const struct account *turns_find(const struct turns *turns, const struct account *like)
{
    const struct turn *turn = turns->first;
    while (turn != NULL && !is_same(turn->account, like))
        turn = turn->next;
    return turn != NULL ? turn->account : NULL;
}

/* Its interval may be shorter now. */
static void change(struct turns *turns, struct turn *turn, struct account *account)
{
    settings_free(turn->account);
    turn->account = account;
    turn->leaving = false;
    int64_t latest = clock_in(interval_ms(turns, account) / 10 * 11);
    turn->due = turn->due < latest ? turn->due : latest;
}

static void leave(struct turns *turns, struct turn *turn)
{
    if (turn->running) {
        turn->leaving = true;
        turns->leaving++;
        append(turns, turn);
    } else {
        free_turn(turn);
    }
}

void turns_replace(struct turns *turns, struct account **accounts, size_t count)
{
    struct turn *old = turns->first;
    turns->changes++;
    turns->first = NULL;
    turns->end = &turns->first;
    turns->count = turns->leaving = 0;
    for (size_t i = 0; i < count; i++) {
        struct turn **at = find_link(&old, accounts[i]);
        struct turn *turn = *at;
        if (turn == NULL) {
            turns_add(turns, accounts[i]);
            continue;
        }
        *at = turn->next;
        change(turns, turn, accounts[i]);
        append(turns, turn);
    }
    while (old != NULL) {
        struct turn *turn = old;
        old = turn->next;
        leave(turns, turn);
    }
}
