/* SPDX-License-Identifier: ISC */
#include "app/turns.h"

#include <stdlib.h>
#include <string.h>

#include "app/settings.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/xalloc.h"

#define FREED_MOST ((size_t)64 * 1024) /* octets */

void turns_init(struct turns *turns, int64_t every)
{
    *turns = (struct turns){.every = every,
                            .end = &turns->first,
                            .memory = {.withheld = true},
                            .accounts = {.withheld = true}};
}

void turns_share(struct turns *turns)
{
    turns->memory.withheld = turns->accounts.withheld = false;
}

/* --- those that wait: a heap ------------------------------------------------------------------ */

/* Who waits longest comes first; of those that wait equally long, the first that was added. */
static bool is_before(const struct turn *a, const struct turn *b)
{
    return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void put_at(struct turns *turns, size_t place, struct turn *turn)
{
    turns->waiting[place - 1] = turn;
    turn->place = place;
}

static void move_up(struct turns *turns, struct turn *turn)
{
    size_t place = turn->place;
    for (; place > 1 && is_before(turn, turns->waiting[place / 2 - 1]); place /= 2)
        put_at(turns, place, turns->waiting[place / 2 - 1]);
    put_at(turns, place, turn);
}

static void move_down(struct turns *turns, struct turn *turn)
{
    size_t place = turn->place;
    for (size_t child; (child = place * 2) <= turns->waiting_count; place = child) {
        if (child < turns->waiting_count &&
            is_before(turns->waiting[child], turns->waiting[child - 1]))
            child++;
        if (is_before(turn, turns->waiting[child - 1]))
            break;
        put_at(turns, place, turns->waiting[child - 1]);
    }
    put_at(turns, place, turn);
}

static void set_room(struct turns *turns, size_t room)
{
    struct turn **old = turns->waiting;
    size_t size = sizeof *old;
    turns->waiting = room > 0 ? chunks_take(&turns->memory, room * size) : NULL;
    if (old != NULL && turns->waiting != NULL)
        memcpy(turns->waiting, old, turns->waiting_count * size);
    if (old != NULL)
        chunks_give_back(&turns->memory, old, turns->waiting_room * size);
    turns->waiting_room = room;
}

static void wait_for_turn(struct turns *turns, struct turn *turn)
{
    if (turns->waiting_count == turns->waiting_room)
        set_room(turns, turns->waiting_room * 2 + 16);
    turn->place = ++turns->waiting_count;
    move_up(turns, turn);
}

static void stop_waiting(struct turns *turns, struct turn *turn)
{
    if (turn->place == 0)
        return;
    struct turn *last = turns->waiting[--turns->waiting_count];
    if (last != turn) {
        put_at(turns, turn->place, last);
        move_up(turns, last);
        move_down(turns, last);
    }
    turn->place = 0;
}

/* --- those whose server has no room ----------------------------------------------------------- */

/* Turns that are due at one full server, in the order in which they were found so. Only a full
 * server has a lot, while a turn is in it: so there are no more lots than workers. */
struct lot {
    struct lot *next;
    struct turn *first, **end;
};

/* The pointer to the lot of the account's server; the end of the list if there is none. */
static struct lot **find_lot(struct turns *turns, const struct account *account)
{
    struct lot **at = &turns->lots;
    while (*at != NULL && account_compare_servers((*at)->first->account, account) != 0)
        at = &(*at)->next;
    return at;
}

static void park(struct turns *turns, struct turn *turn)
{
    struct lot **at = find_lot(turns, turn->account);
    if (*at == NULL) {
        *at = xcalloc(1, sizeof **at);
        (*at)->end = &(*at)->first;
    }
    stop_waiting(turns, turn);
    turn->parked = NULL;
    *(*at)->end = turn;
    (*at)->end = &turn->parked;
}

/* The first of those that are parked in this lot waits for its turn again. */
static void leave_lot(struct turns *turns, struct lot **at)
{
    struct lot *lot = *at;
    struct turn *turn = lot->first;
    lot->first = turn->parked;
    if (lot->first == NULL) {
        *at = lot->next;
        free(lot);
    }
    wait_for_turn(turns, turn);
}

/* Called when `due` of turns, or how many a server may have, has changed: all of them wait anew. */
static void wait_anew(struct turns *turns)
{
    while (turns->lots != NULL)
        leave_lot(turns, &turns->lots);
    for (size_t place = turns->waiting_count; place > 0; place--)
        move_down(turns, turns->waiting[place - 1]);
}

/* --- all -------------------------------------------------------------------------------------- */

/* From here on the account is not in the memory that workers inherit. */
static struct account *take_account(struct turns *turns, struct account *account)
{
    size_t size = settings_size(account);
    struct account *moved = settings_move(account, chunks_take(&turns->accounts, size));
    turns->freed += size;
    if (turns->freed > FREED_MOST) {
        xtrim();
        turns->freed = 0;
    }
    return moved;
}

static void free_account(struct turns *turns, struct account *account)
{
    size_t size = settings_size(account);
    rules_free(&account->rules);
    account_wipe(account);
    chunks_give_back(&turns->accounts, account, size);
}

static void free_turn(struct turns *turns, struct turn *turn)
{
    stop_waiting(turns, turn);
    free_account(turns, turn->account);
    chunks_give_back(&turns->memory, turn, sizeof *turn);
}

void turns_free(struct turns *turns)
{
    wait_anew(turns);
    while (turns->first != NULL) {
        struct turn *turn = turns->first;
        turns->first = turn->next;
        free_turn(turns, turn);
    }
    set_room(turns, 0);
    turns_init(turns, turns->every);
}

static void append(struct turns *turns, struct turn *turn)
{
    turns->changes++;
    turn->number = turns->numbers++;
    turn->next = NULL;
    turn->link = turns->end;
    *turns->end = turn;
    turns->end = &turn->next;
    turns->count++;
}

void turns_add(struct turns *turns, struct account *account)
{
    struct turn *turn = chunks_take(&turns->memory, sizeof *turn);
    turn->account = take_account(turns, account);
    turn->due = clock_ms();
    append(turns, turn);
    wait_for_turn(turns, turn);
}

struct turn *turns_due(struct turns *turns, int64_t now,
                       bool (*has_room)(const void *ctx, const struct account *account),
                       const void *ctx)
{
    while (turns->waiting_count > 0 && turns->waiting[0]->due <= now) {
        struct turn *turn = turns->waiting[0];
        if (has_room(ctx, turn->account))
            return turn;
        park(turns, turn);
    }
    return NULL;
}

int64_t turns_next(const struct turns *turns, int64_t now)
{
    bool none = turns->waiting_count == 0 || turns->waiting[0]->due <= now;
    return none ? CLOCK_NEVER : turns->waiting[0]->due;
}

void turns_begin(struct turns *turns, struct turn *turn, int64_t now)
{
    stop_waiting(turns, turn);
    turn->running = true;
    turn->again = false;
    turn->hurried = false;
    turn->begun = now;
    turn->not_before = 0;
    turn->slept = false;
    turns->running++;
    if (turns->every == 0 && !turn->account->password_typed) /* which may have to be typed again */
        account_wipe(turn->account);
}

static void drop(struct turns *turns, struct turn *turn)
{
    *turn->link = turn->next;
    if (turn->next != NULL)
        turn->next->link = turn->link;
    else
        turns->end = turn->link;
    turns->count--;
    turns->leaving -= turn->leaving;
    free_turn(turns, turn);
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
    struct lot **lot = find_lot(turns, turn->account);
    turns->changes++;
    turns->running -= turn->running;
    turn->running = false;
    stop_waiting(turns, turn); /* one that was polled in place waits still */
    if (*lot != NULL)
        leave_lot(turns, lot);
    if (!turn->again && (turns->every == 0 || turn->leaving)) {
        drop(turns, turn);
        return;
    }
    if (!turn->again) /* then `due` stays: it is the earliest of all. hurried: due at once */
        turn->due = turn->hurried ? now : next_due(turns, turn, now);
    wait_for_turn(turns, turn);
}

void turns_hurry(struct turns *turns, int64_t now)
{
    turns->changes++;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        turn->due = now;
        turn->hurried = true;
    }
    wait_anew(turns);
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
    wait_anew(turns);
}

/* --- another configuration file --------------------------------------------------------------- */

const struct account *turns_find(const struct turns *turns, const struct account *like)
{
    const struct turn *turn = turns->first;
    while (turn != NULL && account_compare_mailboxes(turn->account, like) != 0)
        turn = turn->next;
    return turn != NULL ? turn->account : NULL;
}

static int order_turns(const void *a, const void *b)
{
    const struct turn *const *left = a, *const *right = b;
    return account_compare_mailboxes((*left)->account, (*right)->account);
}

static int order_account(const void *account, const void *turn)
{
    const struct turn *const *at = turn;
    return account_compare_mailboxes(account, (*at)->account);
}

/* All turns by their mailboxes, so that each is found quickly. */
static struct turn **sort_all(const struct turns *turns)
{
    struct turn **all = xcalloc(turns->count, sizeof *all);
    size_t count = 0;
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next)
        all[count++] = turn;
    qsort(all, count, sizeof *all, order_turns);
    return all;
}

/* Its interval may be shorter now. */
static void change(struct turns *turns, struct turn *turn, struct account *account)
{
    free_account(turns, turn->account);
    turn->account = take_account(turns, account);
    turn->leaving = false;
    int64_t latest = clock_in(interval_ms(turns, turn->account) / 10 * 11);
    turn->due = turn->due < latest ? turn->due : latest;
}

static void leave(struct turns *turns, struct turn *turn)
{
    if (turn->running) {
        turns->leaving++;
        append(turns, turn);
    } else {
        free_turn(turns, turn);
    }
}

void turns_replace(struct turns *turns, struct account **accounts, size_t count)
{
    size_t old_count = turns->count;
    struct turn **old = sort_all(turns);
    wait_anew(turns);
    for (size_t i = 0; i < old_count; i++)
        old[i]->leaving = true;
    turns->changes++;
    turns->first = NULL;
    turns->end = &turns->first;
    turns->count = turns->leaving = 0;
    for (size_t i = 0; i < count; i++) {
        struct turn **at = bsearch(accounts[i], old, old_count, sizeof *old, order_account);
        if (at == NULL) {
            turns_add(turns, accounts[i]);
            continue;
        }
        change(turns, *at, accounts[i]);
        append(turns, *at);
    }
    for (size_t i = 0; i < old_count; i++)
        if (old[i]->leaving)
            leave(turns, old[i]);
    free(old);
    wait_anew(turns);
    xtrim();
}
