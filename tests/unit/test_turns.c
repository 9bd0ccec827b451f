/* SPDX-License-Identifier: ISC */
/* Moments are the test's own; only turns_add looks at the clock. */
#include "app/turns.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "kit_memory.h"
#include "tap.h"

static struct account *mailbox(const char *title, const char *server, const char *user)
{
    struct account *account = xcalloc(1, sizeof *account);
    account->title = xstrdup(title);
    account->server = xstrdup(server);
    account->user = xstrdup(user);
    secret_set(&account->password, str_from("sesame"));
    return account;
}

static struct account *make(const char *title, int64_t interval)
{
    struct account *account = mailbox(title, title, "u");
    account->interval = interval;
    return account;
}

static bool any(const void *ctx, const struct account *account)
{
    (void)ctx;
    (void)account;
    return true;
}

static const char *due(struct turns *turns, int64_t now)
{
    const struct turn *turn = turns_due(turns, now, any, NULL);
    return turn != NULL ? turn->account->title : "none";
}

static void test_once(void)
{
    struct turns turns;
    turns_init(&turns, 0);
    is_str(due(&turns, CLOCK_NEVER - 1), "none", "without accounts nothing is due");
    int64_t before = clock_ms();
    turns_add(&turns, make("a", 7));
    turns_add(&turns, make("b", 0));
    int64_t now = clock_ms();
    is_str(due(&turns, before - 1), "none", "an account is not due before it was added");
    is_str(due(&turns, now), "a", "the first account is due at once");
    struct turn *first = turns_due(&turns, now, any, NULL);
    turns_begin(&turns, first, now);
    is_int((int)first->account->password.len, 0,
           "without an interval the secret is wiped when the turn begins");
    struct turn *turn = turns_due(&turns, now, any, NULL);
    is_int((int)turn->account->password.len, 6, "the secret of the other account is kept");
    is_str(due(&turns, now), "b", "what runs is not due");
    turns_begin(&turns, turn, now);
    is_str(due(&turns, now), "none", "nothing is due while both run");
    ok(turns_next(&turns, now) == CLOCK_NEVER, "and nothing will be due");
    turns_end(&turns, turn, now + 5);
    is_int((int)turns.count, 1, "an account that had its turn is gone");
    turns_add(&turns, make("c", 0));
    is_int((int)turns.count, 2, "the end of the list is right after the last has gone");
    turns_end(&turns, first, now + 5);
    is_str(due(&turns, now + 1000000), "c",
           "without an interval each account has one turn and no more");
    turns_free(&turns);
    is_int((int)turns.count, 0, "turns_free leaves no account");
}

/* Servers with room: how many may run at each, and who does. */
struct room {
    size_t most, count, asked;
    struct turn *running[8];
};

static bool has_room(const void *ctx, const struct account *account)
{
    /* The counter alone is written. */
    struct room *room = (struct room *)(uintptr_t)ctx;
    size_t same = 0;
    room->asked++;
    for (size_t i = 0; i < room->count; i++)
        same += account_compare_servers(room->running[i]->account, account) == 0;
    return same < room->most;
}

/* The titles of those that are begun now. */
static const char *begin_all(struct turns *turns, struct room *room, int64_t now)
{
    static char text[100];
    struct turn *turn;
    text[0] = '\0';
    while (room->count < 8 && (turn = turns_due(turns, now, has_room, room)) != NULL) {
        strncat(text, turn->account->title, sizeof text - strlen(text) - 1);
        turns_begin(turns, turn, now);
        room->running[room->count++] = turn;
    }
    return text;
}

static void end_first(struct turns *turns, struct room *room, int64_t now)
{
    struct turn *turn = room->running[0];
    memmove(room->running, room->running + 1, --room->count * sizeof *room->running);
    turns_end(turns, turn, now);
}

static void test_room(void)
{
    struct turns turns;
    struct room room = {.most = 2};
    turns_init(&turns, 0);
    turns_add(&turns, mailbox("a", "x", "1"));
    turns_add(&turns, mailbox("b", "X.", "2"));
    turns_add(&turns, mailbox("c", "x", "3"));
    turns_add(&turns, mailbox("d", "x", "4"));
    turns_add(&turns, mailbox("e", "y", "1"));
    turns_add(&turns, mailbox("f", "x", "5"));
    int64_t now = clock_ms();
    is_str(begin_all(&turns, &room, now), "abe", "who is at a full server is passed over");
    is_str(begin_all(&turns, &room, now), "", "as long as it is full");
    end_first(&turns, &room, now);
    is_str(begin_all(&turns, &room, now), "c", "where one has ended, the next one begins");
    end_first(&turns, &room, now);
    end_first(&turns, &room, now);
    is_str(begin_all(&turns, &room, now), "d", "as many as have ended there, and in their order");
    end_first(&turns, &room, now);
    end_first(&turns, &room, now);
    is_str(begin_all(&turns, &room, now), "f", "the last one has its turn, too");
    end_first(&turns, &room, now);
    is_int((int)turns.count, 0, "and all had theirs");
    turns_free(&turns);
}

static void test_room_again(void)
{
    struct turns turns;
    struct room room = {.most = 1};
    turns_init(&turns, 100);
    turns_add(&turns, mailbox("a", "x", "1"));
    turns_add(&turns, mailbox("b", "x", "2"));
    turns_add(&turns, mailbox("c", "x", "3"));
    int64_t now = clock_ms();
    is_str(begin_all(&turns, &room, now), "a", "one of three begins");
    room.most = 3;
    is_str(begin_all(&turns, &room, now), "", "the others wait for its end");
    turns_hurry(&turns, now);
    is_str(begin_all(&turns, &room, now), "bc", "unless all are due anew");
    room.count = 0;
    struct account *accounts[] = {mailbox("C", "x", "3"), mailbox("d", "x", "4"),
                                  mailbox("e", "x", "5")};
    room.most = 0;
    turns_replace(&turns, accounts, 3);
    now = clock_ms();
    is_str(begin_all(&turns, &room, now), "", "a full server's new accounts wait");
    struct account *others[] = {mailbox("E", "x", "5")};
    turns_replace(&turns, others, 1);
    room.most = 9;
    is_str(begin_all(&turns, &room, now), "E", "and are asked about again after a new file");
    turns_free(&turns);
}

/* One server that is always full, as in a hoster's file. */
static void test_room_cost(void)
{
    enum { COUNT = 3000 };
    struct turns turns;
    struct room room = {.most = 4};
    turns_init(&turns, 0);
    for (int i = 0; i < COUNT; i++)
        turns_add(&turns, mailbox("a", "x", "u"));
    int64_t now = clock_ms();
    do
        begin_all(&turns, &room, now);
    while (end_first(&turns, &room, now), turns.count > 0);
    ok(room.asked <= 3 * COUNT, "how often a server is looked at grows with the accounts (%d)",
       (int)room.asked);
    turns_free(&turns);
}

/* `begun` and `ended` in ms after the start; the moment at which it is due again. */
static int64_t again(struct turns *turns, int64_t begun, int64_t ended)
{
    struct turn *turn = turns->first;
    turns_begin(turns, turn, begun);
    turns_end(turns, turn, ended);
    return turn->due;
}

static void test_next_turn(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, make("a", 0));
    int64_t now = clock_ms();
    int64_t least = CLOCK_NEVER, most = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t wait = again(&turns, now, now + 40) - now;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    ok(least >= 90000 && most <= 110000, "the next turn is due in 100 s, a tenth more or less");
    ok(least < 92000 && most > 108000, "turns are spread over all that range (%d to %d)",
       (int)least, (int)most);
    is_int((int)turns.first->account->password.len, 6, "the secret is kept for the next turn");
    ok(turns_next(&turns, now) == turns.first->due, "the time of the next turn is told");
    ok(turns_next(&turns, turns.first->due) == CLOCK_NEVER, "a turn that is due is not next");
    is_int(again(&turns, now, now + 300000), now + 310000,
           "after a poll longer than the pause the next turn is due ten seconds later");
    turns_free(&turns);
}

static void test_not_before(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, make("a", 0));
    int64_t now = clock_ms();
    struct turn *turn = turns.first;
    turns_begin(&turns, turn, now);
    turn->not_before = now + 500000;
    turns_end(&turns, turn, now + 10);
    ok(turn->due == now + 500000, "no turn is due before the server lets it");
    turns_begin(&turns, turn, now + 500000);
    turn->not_before = now + 500010;
    turns_end(&turns, turn, now + 500005);
    ok(turn->due >= now + 590000, "what the server lets makes no turn due sooner");
    turns_free(&turns);
}

static void test_own_interval(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, make("a", 7200));
    int64_t now = clock_ms();
    int64_t wait = again(&turns, now, now + 40) - now;
    ok(wait >= 6480000 && wait <= 7920000, "an interval of the account's own counts");
    turns_free(&turns);
}

static void test_longest_wait(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, make("a", 200));
    turns_add(&turns, make("b", 100));
    int64_t now = clock_ms();
    struct turn *a = turns.first, *b = a->next;
    turns_begin(&turns, a, now);
    turns_begin(&turns, b, now);
    turns_end(&turns, a, now);
    turns_end(&turns, b, now);
    ok(turns_next(&turns, now) == b->due, "the next turn is that of the shorter interval");
    is_str(due(&turns, now + 300000), "b", "who waits longest is first, though second in the list");
    turns_begin(&turns, b, now + 300000);
    turns_end(&turns, b, now + 300000);
    is_str(due(&turns, now + 500000), "a", "who waits longest is first, where it is first there");
    turns_free(&turns);
}

/* Each moment in its order, however they were added, and when some have gone. */
static void test_order(void)
{
    enum { COUNT = 500 };
    struct turns turns;
    int64_t now = clock_ms(), last = 0;
    int wrong = 0, seen = 0;
    turns_init(&turns, 100);
    for (int i = 0; i < COUNT; i++) {
        turns_add(&turns, make("a", 1 + i * 7919 % 10000));
        struct turn *turn = turns_due(&turns, clock_ms(), any, NULL);
        turns_begin(&turns, turn, now);
        turns_end(&turns, turn, now);
    }
    for (struct turn *turn = turns.first; turn != NULL; turn = turn->next->next)
        turns_begin(&turns, turn, now);
    for (struct turn *turn; (turn = turns_due(&turns, CLOCK_NEVER - 1, any, NULL)) != NULL;
         seen++) {
        wrong += turn->due < last;
        last = turn->due;
        turns_begin(&turns, turn, now);
    }
    is_int(seen, COUNT / 2, "all that wait have a turn");
    is_int(wrong, 0, "none of them before one that waits longer");
    turns_free(&turns);
}

/* The titles in their order; a * behind one that runs, a ! behind one that is leaving. */
static const char *list(const struct turns *turns)
{
    static char text[100];
    text[0] = '\0';
    for (const struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s%s", turn->account->title,
                 turn->running ? "*" : "", turn->leaving ? "!" : "");
    }
    return text;
}

static void test_replace(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    struct account *first[] = {mailbox("a", "x", "u"), mailbox("b", "x", "v"),
                               mailbox("c", "y", "u"), mailbox("d", "z", "u")};
    turns_replace(&turns, first, 4);
    is_str(list(&turns), "abcd", "four new accounts stand in their order");
    int64_t now = clock_ms();
    struct turn *a = turns.first, *b = a->next, *c = b->next;
    turns_begin(&turns, a, now);
    turns_begin(&turns, c, now);
    turns_begin(&turns, b, now);
    turns_end(&turns, b, now);
    int64_t due_b = b->due;

    struct account *second[] = {mailbox("B", "X.", "v"), mailbox("e", "z", "v"),
                                mailbox("A", "x", "u")};
    const struct account *found = turns_find(&turns, second[0]);
    is_str(found != NULL ? found->title : NULL, "b",
           "the same mailbox is found under another name");
    ok(turns_find(&turns, second[1]) == NULL, "another user is another mailbox");
    turns_replace(&turns, second, 3);
    is_str(list(&turns), "BeA*c*!", "what runs stays till its end, what is gone is gone");
    is_int((int)turns.count, 4, "four, with the one that leaves");
    is_int((int)turns.leaving, 1, "one of them leaves");
    is_int((int)turns.running, 2, "two of them run");
    ok(turns.first->due == due_b, "an account that stays keeps the time of its turn");
    is_str(due(&turns, clock_ms()), "e", "a new account is due at once");

    struct account *third[] = {mailbox("C", "y", "u"), mailbox("B", "x", "v")};
    third[1]->interval = 10;
    turns_replace(&turns, third, 2);
    is_str(list(&turns), "C*BA*!", "back before its end: it was never away");
    ok(turns.first->next->due <= clock_in(11000), "a shorter interval counts from now on");
    turns_end(&turns, a, now);
    is_str(list(&turns), "C*B", "what leaves is gone at its end");
    turns_end(&turns, c, now);
    is_int((int)turns.running, 0, "after both have ended nothing runs");
    turns_replace(&turns, NULL, 0);
    is_str(list(&turns), "", "replaced by none, none is left");
    turns_add(&turns, mailbox("f", "y", "u"));
    is_str(list(&turns), "f", "after that an account can be added");
    turns_free(&turns);
}

static void test_hurry(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, make("a", 0));
    int64_t now = clock_ms() + 10;
    struct turn *turn = turns.first;
    turns_begin(&turns, turn, now);
    turns_hurry(&turns, now);
    turns_hurry(&turns, now);
    is_str(due(&turns, now), "none", "an account that runs is not due however often it is hurried");
    turns_end(&turns, turn, now + 5);
    is_str(due(&turns, now + 5), "a", "a hurried account is due again at the end of its turn");
    ok(turn->hurried, "that turn is marked as hurried");
    turns_begin(&turns, turn, now + 5);
    turns_end(&turns, turn, now + 6);
    is_str(due(&turns, now + 6), "none", "two hurries make one more turn");
    turns_hurry(&turns, now + 7);
    is_str(due(&turns, now + 7), "a", "a hurried account that waits is due at once");
    turns_free(&turns);
}

static void test_slept(void)
{
    struct turns turns;
    turns_init(&turns, 1000);
    turns_add(&turns, make("a", 0));
    turns_add(&turns, make("b", 0));
    int64_t now = clock_ms() + 10;
    struct turn *a = turns.first, *b = a->next;
    a->due = now + 900000;
    turns_begin(&turns, b, now);
    uint64_t changes = turns.changes;
    turns_slept(&turns, 100000, now);
    is_int(a->due - now, 800000, "what is not due yet is due as much earlier");
    ok(turns.changes != changes, "and is looked at again");
    turns_slept(&turns, 28800000, now);
    is_int(a->due - now, TURNS_WAKE_MS, "what became due in the sleep is due a moment after it");
    turns_slept(&turns, 28800000, now);
    is_int(a->due - now, TURNS_WAKE_MS, "and not at once for another sleep");
    a->due = now - 5;
    turns_slept(&turns, 1000, now);
    is_int(a->due - now, -5, "what was due before stays so");
    turns_end(&turns, b, now + 5);
    is_int(b->due - now, TURNS_WAKE_MS + 5, "after a poll that went through the sleep, as soon");
    turns_begin(&turns, b, now);
    turns_end(&turns, b, now + 2000000);
    is_int(b->due - now, 2100000, "the next one that takes long leaves a pause again");
    turns_free(&turns);
}

#if defined MADV_DONTFORK && !defined FP_PORTABLE
/* What a fork would copy, or would not. */
static bool child_has(const void *piece)
{
    int status;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(msync((void *)((uintptr_t)piece / page * page), 1, MS_ASYNC) == 0 ? 1 : 0);
    return waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void test_withheld(void)
{
    struct turns turns;
    turns_init(&turns, 100);
    turns_add(&turns, mailbox("a", "x", "1"));
    ok(!child_has(turns.first), "a forked process has no turn");
    ok(!child_has(turns.first->account), "and no account");
    struct account *again[] = {mailbox("a", "x", "1"), mailbox("b", "x", "2")};
    turns_replace(&turns, again, 2);
    ok(!child_has(turns.first->account), "nor has it after the accounts were replaced");
    ok(!child_has(turns.first->next->account), "and others were added");
    turns_free(&turns);
}
#else
static void test_withheld(void)
{
    tap_skip("a forked process has no turn", "no system call here withholds memory");
}
#endif

/* As with each new configuration of a daemon, in which one account is new, and stays. */
static void test_replaced_often(void)
{
    enum { COUNT = 2000 };
    static struct account *all[COUNT];
    struct turns turns;
    long before = 0;
    turns_init(&turns, 100);
    for (int round = 0; round <= 100; round++) {
        for (int i = 0; i < COUNT; i++) {
            char user[20];
            snprintf(user, sizeof user, "%d", i <= round ? -1 - i : i);
            all[i] = mailbox("a", "x", user);
        }
        turns_replace(&turns, all, COUNT);
        if (round == 10)
            before = mapped_pages();
    }
    long grown = mapped_pages() - before;
    is_int((long long)turns.count, COUNT, "2,000 accounts that are replaced 100 times are as many");
    ok(grown < 500, "and need no more memory (%ld pages)", grown);
    turns_free(&turns);
}

int main(void)
{
    test_once();
    test_room();
    test_room_again();
    test_room_cost();
    test_next_turn();
    test_not_before();
    test_own_interval();
    test_longest_wait();
    test_order();
    test_replace();
    test_hurry();
    test_slept();
    test_withheld();
    test_replaced_often();
    return tap_done();
}
