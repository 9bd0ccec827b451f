/* SPDX-License-Identifier: ISC */
/*
 * secret: copies, and what is left of them.
 */
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit_heap.h"
#include "kit_memory.h"
#include "tap.h"

static void test_set(void)
{
    struct secret secret = {NULL, 0};
    is_int((long long)secret_str(&secret).len, 0, "a new secret is none");
    is_int(secret_set(&secret, str_of("a\0b", 3)), 0, "a secret may hold a NUL");
    is_mem(secret.data, secret.len, "a\0b", 3, "the NUL is kept");
    is_int(secret.data[3], 0, "a NUL stands behind the secret");
    is_int(secret_set(&secret, str_of(secret.data + 1, 2)), 0,
           "a secret may be set to a part of itself");
    is_mem(secret.data, secret.len, "\0b", 2, "is copied before the wipe");
    is_int(secret_set(&secret, str_from("")), 0, "a secret may be empty");
    ok(secret.data != NULL && secret.len == 0, "an empty secret is one all the same");
    secret_wipe(&secret);
    ok(secret.data == NULL && secret.len == 0, "a wiped secret is none");
    secret_wipe(&secret);
    ok(secret.data == NULL, "a secret may be wiped twice");
}

static void test_limit(void)
{
    struct secret secret = {NULL, 0};
    char *big = calloc(1, SECRET_MAX + 1);
    is_int(secret_set(&secret, str_from("old")), 0, "a secret is set");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX + 1)), -1,
           "a secret longer than the limit is refused");
    is_mem(secret.data, secret.len, "old", 3, "the refused one leaves the first alone");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX)), 0,
           "a secret as long as the limit is taken");
    is_int((long long)secret.len, SECRET_MAX, "it is kept whole");
    secret_wipe(&secret);
    free(big);
}

static void test_wipe_bytes(void)
{
    char bytes[8] = "1234567";
    secret_wipe_bytes(bytes + 2, 3);
    is_mem(bytes, sizeof bytes,
           "12\0\0\0"
           "67",
           8, "wipes what it is told to and no more");
    secret_wipe_bytes(NULL, 0);
}

static char word[80];

/* As many secrets as there may be accounts. The first `wiped` of them are gone in the end. */
static struct secret *many(size_t count, size_t wiped)
{
    struct secret *all = calloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++)
        if (secret_set(&all[i], str_from(word)) < 0)
            abort();
    for (size_t i = 0; i < wiped; i++)
        secret_wipe(&all[i]);
    return all;
}

static void test_many(void)
{
    enum { COUNT = 20000 };
    int before = heap_count(word);
    struct secret *all = many(COUNT, COUNT / 2);
    if (heap_can_tell)
        is_int(heap_count(word) - before, COUNT / 2, "what is wiped is nowhere in memory");
    is_mem(all[COUNT / 2].data, all[COUNT / 2].len, word, strlen(word), "the others are left");
    is_mem(all[COUNT - 1].data, all[COUNT - 1].len, word, strlen(word), "to the last one");
    is_int(secret_set(&all[0], secret_str(&all[COUNT - 1])), 0, "one that was wiped is set again");
    is_mem(all[0].data, all[0].len, word, strlen(word), "and is there");
    for (size_t i = 0; i < COUNT; i++)
        secret_wipe(&all[i]);
    if (heap_can_tell)
        is_int(heap_count(word) - before, 0, "in the end none is in memory");
    free(all);
}

/* In the process that was forked; what is wrong, or 0. */
static int look_at_kept(struct secret *all)
{
    struct secret none = {NULL, 0};
    struct secret *own[] = {&all[7], &none};
    int before = heap_count(word);
    secret_keep(own, 2);
    if (all[7].len != strlen(word) || memcmp(all[7].data, word, strlen(word) + 1) != 0)
        return 1;
    if (none.data != NULL)
        return 2;
    if (heap_can_tell && heap_count(word) != 1)
        return before > 1 ? 3 : 4;
    if (secret_set(&none, str_from("new")) < 0 || memcmp(none.data, "new", 4) != 0)
        return 5;
    secret_wipe(&all[7]);
    if (heap_can_tell && heap_count(word) != 0)
        return 6;
    return 0;
}

static int in_child(int (*what)(struct secret *all), struct secret *all)
{
    int status;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(what(all));
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_keep(void)
{
    struct secret *all = many(300, 0);
    is_int(in_child(look_at_kept, all), 0, "a forked process keeps its own secret and no other");
    is_mem(all[0].data, all[0].len, word, strlen(word), "its parent has all of them");
    for (size_t i = 0; i < 300; i++)
        secret_wipe(&all[i]);
    free(all);
}

/* Pages that were written: each is a copy of one that the parent has, too. */
static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static int count_faults(struct secret *all)
{
    struct secret *own[] = {&all[7]};
    long before = faults();
    secret_keep(own, 1);
    long count = faults() - before;
    return count < 100 ? (int)count : 100;
}

/* 20,000 of them lie in more than 200 pages. */
static void test_keep_cost(void)
{
    struct secret *all = many(20000, 0);
    int count = in_child(count_faults, all);
    ok(count >= 0 && count < 50, "to be rid of 20,000 secrets takes few writes (%d pages)", count);
    for (size_t i = 0; i < 20000; i++)
        secret_wipe(&all[i]);
    free(all);
}

/* As a daemon does that reads its configuration again: the new ones are there before the old ones
 * go. */
static void test_replaced(void)
{
    enum { COUNT = 2000 };
    static struct secret all[2][COUNT];
    long before = mapped_pages();
    for (int turn = 0; turn <= 200; turn++) {
        for (size_t i = 0; i < COUNT; i++)
            secret_set(&all[turn % 2][i], str_from("one of forty octets, as tokens are these."));
        for (size_t i = 0; i < COUNT; i++)
            secret_wipe(&all[(turn + 1) % 2][i]);
    }
    long grown = mapped_pages() - before;
    ok(grown < 200, "2,000 secrets that are replaced 200 times need no more memory (%ld pages)",
       grown);
    for (size_t i = 0; i < COUNT; i++)
        secret_wipe(&all[0][i]);
}

int main(void)
{
    heap_secret("2381-secno-lla-dna-dnuof-eb-ot-drow-eno", word);
    test_set();
    test_limit();
    test_wipe_bytes();
    test_many();
    test_keep();
    test_keep_cost();
    test_replaced();
    return tap_done();
}
