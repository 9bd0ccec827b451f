/* SPDX-License-Identifier: ISC */
/* Which mailboxes are a shard's: each is exactly one's, and one shard more takes its part and moves
 * nothing else. */
#include "app/shard.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define MAILBOXES 20000

static unsigned owner(unsigned number, unsigned count, unsigned *owners)
{
    char user[40];
    unsigned found = 0;
    snprintf(user, sizeof user, "user%u@example.com", number);
    *owners = 0;
    for (unsigned i = 0; i < count; i++) {
        struct shard shard = {i, count};
        if (!shard_has(&shard, number % 2 == 0 ? "pop.example.com" : "mail.example.org", user))
            continue;
        found = i;
        ++*owners;
    }
    return found;
}

/* From `count` shards to one more. */
static void test_growth(unsigned count)
{
    unsigned moved = 0, astray = 0, shared = 0, sizes[16] = {0};
    for (unsigned i = 0; i < MAILBOXES; i++) {
        unsigned owners, before = owner(i, count, &owners);
        shared += owners != 1;
        unsigned after = owner(i, count + 1, &owners);
        shared += owners != 1;
        sizes[before]++;
        moved += after != before;
        astray += after != before && after != count;
    }
    unsigned smallest = MAILBOXES;
    for (unsigned i = 0; i < count; i++)
        smallest = sizes[i] < smallest ? sizes[i] : smallest;
    unsigned part = MAILBOXES / (count + 1);
    ok(shared == 0, "%u and %u shards: each mailbox is one's", count, count + 1);
    ok(astray == 0, "from %u to %u: what moves goes to the new one", count, count + 1);
    ok(moved > part * 9 / 10 && moved < part * 11 / 10, "and it is a part of %u: %u of %u",
       count + 1, moved, MAILBOXES);
    ok(smallest > MAILBOXES / count * 9 / 10, "the smallest of %u has its part: %u", count,
       smallest);
}

static void test_names(void)
{
    struct shard none = {0, 0};
    struct shard shard = {0, 2}, other = {1, 2};
    ok(shard_has(&none, "s", "u"), "without shards all are ours");
    bool lower = shard_has(&shard, "pop.example.com", "alice");
    ok(shard_has(&shard, "POP.Example.COM", "alice") == lower, "the server's case does not count");
    ok(shard_has(&other, "pop.example.com", "alice") != lower, "it is one of the two");
}

static void taken(const char *text, unsigned index, unsigned count)
{
    struct shard shard = {0};
    struct err err = {0};
    int result = shard_read(&shard, text, &err);
    if (!ok(result == 0 && shard.index == index && shard.count == count, "%s is %u of %u", text,
            index, count))
        printf("# %u of %u, %s\n", shard.index, shard.count, err.text);
}

static void refused(const char *text, const char *words)
{
    struct shard shard = {0};
    struct err err = {0};
    int result = shard_read(&shard, text, &err);
    if (!ok(result < 0 && err.kind == ERR_USAGE && strstr(err.text, words) != NULL,
            "refused: %s: %s", text, words))
        printf("# %d, %s\n", result, err.text);
}

static void test_read(void)
{
    taken("0/1", 0, 1);
    taken("7/8", 7, 8);
    taken("4095/4096", 4095, 4096);
    refused("8/8", "shard 8 of 8 does not exist");
    refused("0/0", "does not exist");
    refused("0/4097", "takes I/N");
    static const char *const bad[] = {"", "3", "/8", "3/", "-1/8", "a/8", "1/8x", " 1/8", "1/8/9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i], "takes I/N");
}

/* Kubernetes: "Indexed" completion mode; Slurm: sbatch(1), job arrays. */
static void test_environment(void)
{
    refused("auto/8", "needs $JOB_COMPLETION_INDEX or $SLURM_ARRAY_TASK_ID");
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    taken("auto/8", 3, 8);
    refused("auto", "needs $SLURM_ARRAY_TASK_COUNT");
    setenv("SLURM_ARRAY_TASK_COUNT", "5", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "1", 1);
    taken("auto", 2, 5);
    setenv("SLURM_ARRAY_TASK_MIN", "0", 1);
    taken("auto", 3, 5);
    setenv("SLURM_ARRAY_TASK_ID", "5", 1);
    refused("auto", "shard 5 of 5 does not exist");
    setenv("JOB_COMPLETION_INDEX", "2", 1);
    taken("auto/4", 2, 4);
    refused("auto", "auto/N");
    setenv("JOB_COMPLETION_INDEX", "two", 1);
    unsetenv("SLURM_ARRAY_TASK_ID");
    refused("auto/4", "needs $JOB_COMPLETION_INDEX");
}

static void is_path(struct shard shard, const char *path, const char *want)
{
    char *got = shard_path(&shard, path);
    is_str(got, want, "a file of the shard's own");
    free(got);
}

static void test_path(void)
{
    is_path((struct shard){0, 0}, "/m/a.prom", "/m/a.prom");
    is_path((struct shard){0, 8}, "/m/a.prom", "/m/a-0.prom");
    is_path((struct shard){12, 16}, "/m.d/a", "/m.d/a-12");
    is_path((struct shard){3, 8}, "a.b.prom", "a.b-3.prom");
}

int main(void)
{
    test_growth(1);
    test_growth(4);
    test_growth(8);
    test_names();
    test_read();
    test_environment();
    test_path();
    return tap_done();
}
