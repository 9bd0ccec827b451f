/* SPDX-License-Identifier: ISC */
/*
 * Maildir: what becomes of a message whose rename went unanswered, of one that is nowhere after a
 * crash, of files in tmp/ that are ours and that are not; and what makes a batch durable on which
 * file system.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <time.h>

#include "unit/kit_delivery.h"

#define MESSAGE "From: a@example.org\nSubject: x\n\nbody\n"
#define HOUR 3600

/* ---- calls that answer otherwise ---- */

static bool lose_answer; /* renameat(2) works, and says ENOENT */
static int refuse_rename;
static long fs_magic; /* what statfs(2) says; 0: the truth */
static int fsyncs, syncfss;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (refuse_rename != 0) {
        errno = refuse_rename;
        return -1;
    }
    int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    if (result == 0 && lose_answer) {
        errno = ENOENT;
        return -1;
    }
    return result;
}

int fstatfs(int fd, struct statfs *status)
{
    int result = (int)syscall(SYS_fstatfs, fd, status);
    if (fs_magic != 0)
        status->f_type = (__typeof__(status->f_type))fs_magic;
    return result;
}

int fsync(int fd)
{
    fsyncs++;
    return (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
    syncfss++;
    return (int)syscall(SYS_syncfs, fd);
}

/* ---- a Maildir with messages on their way ---- */

static struct kit kit;
static char *where, *tmp, *new, *cur;

static void begin(size_t messages)
{
    struct err err;
    kit_fresh();
    where = kit_path("Mail");
    tmp = kit_path("Mail/tmp");
    new = kit_path("Mail/new");
    cur = kit_path("Mail/cur");
    kit_settings(&kit, DELIVER_MAILDIR, where, KIT_A);
    for (size_t i = 0; i < messages; i++)
        if (kit_spool(&kit, MESSAGE, strlen(MESSAGE), 7, &err) < 0)
            xdie("no message could be spooled");
}

static void end(void)
{
    kit_free(&kit);
    free(where);
    free(tmp);
    free(new);
    free(cur);
    lose_answer = false;
    refuse_rename = 0;
}

static void publish(void)
{
    struct err err;
    if (deliver_secure(kit.deliver, kit.batch, kit.n, &err) < 0)
        xdie("a batch could not be made durable");
    (void)deliver_publish(kit.deliver, kit.batch, kit.n, &err);
}

static void make(const char *folder, const char *name, int64_t age)
{
    char *path = xasprintf("%s/%s", folder, name);
    struct timeval then[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    kit_write(path, "x", 1, "w");
    utimes(path, then);
    free(path);
}

static bool is_there(const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s", folder, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* ---- publishing ---- */

static void test_lost_answer(void)
{
    begin(2);
    lose_answer = true;
    publish();
    is_int(kit.batch[0]->outcome, PARCEL_DELIVERED,
           "a rename whose answer was lost has delivered its message");
    is_int((int)kit_count(new), 2, "each message of the batch is in new/");
    deliver_release(kit.deliver, kit.batch, kit.n);
    end();
}

static void test_taken_away(void)
{
    begin(1);
    unlinkat(kit.batch[0]->folder, kit.batch[0]->name, 0);
    publish();
    is_int(kit.batch[0]->outcome, PARCEL_LATER,
           "a message that was removed from tmp/ was not delivered");
    deliver_release(kit.deliver, kit.batch, kit.n);
    end();
}

static void test_seen_at_once(void)
{
    begin(1);
    char *from = xasprintf("%s/%s", tmp, kit.batch[0]->name);
    char *to = xasprintf("%s/%s:2,S", cur, kit.batch[0]->name);
    if (rename(from, to) < 0)
        xdie("cannot play the reader");
    publish();
    is_int(kit.batch[0]->outcome, PARCEL_DELIVERED,
           "a message that a reader has marked seen behind a lost answer was delivered");
    free(from);
    free(to);
    deliver_release(kit.deliver, kit.batch, kit.n);
    end();
}

/* ---- recovery ---- */

static void is_found(const char *receipts, const char *want, const char *name)
{
    char answer[65] = "";
    struct err err;
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, want) == 0, "%s (%s)", name,
       answer);
}

static void test_nowhere(void)
{
    begin(2);
    char *receipts = kit_receipts(&kit);
    unlinkat(kit.batch[0]->folder, kit.batch[0]->name, 0);
    deliver_abandon(kit.batch, kit.n);
    is_found(receipts, "LP", "what is nowhere is lost, what is in tmp/ is published");
    is_int((int)kit_count(tmp), 0, "nothing is left in tmp/");
    free(receipts);
    end();
}

static void test_old_receipt(void)
{
    begin(1);
    const char *old = "1.M1P1B1F" KIT_A ".host", *message = "1.M1P1Q2F" KIT_A ".host";
    char *receipt = xasprintf("maildir 5 %s %s %s\n", message, old, where);
    make(tmp, old, 0);
    is_found(receipt, "L", "a marker of an earlier version proves nothing");
    make(tmp, message, 0);
    is_found(receipt, "P", "a receipt with a marker is read");
    ok(is_there(new, message), "its message is published");
    free(receipt);
    deliver_release(kit.deliver, kit.batch, kit.n);
    end();
}

/* ---- the sweep ---- */

static void test_sweep(void)
{
    static const struct {
        const char *name, *what;
        int64_t age;
        bool goes;
    } rows[] = {
        {"1.M1P1Q1F" KIT_A "S" KIT_STATE ".host", "our own, just made", 0, true},
        {"1.M1P1Q1R0123abcdF" KIT_A "S" KIT_STATE ".host", "our own, with a random number", 0,
         true},
        {"1.M1P1Q1Rx123abcdF" KIT_A "S" KIT_STATE ".host", "not one of ours, of today", 0, false},
        {"1.M1P1Q1F" KIT_B "S" KIT_STATE ".host", "another mailbox's of ours", 48 * HOUR, false},
        {"1.M1P1Q1F" KIT_A "S" KIT_B ".host", "another state folder's, of today", 35 * HOUR, false},
        {"1.M1P1Q2F" KIT_A "S" KIT_B ".host", "another state folder's, old", 37 * HOUR, true},
        {"1.M1P1Q1F" KIT_A ".host", "an earlier version's, of today", 35 * HOUR, false},
        {"1.M1P1B2F" KIT_A ".host", "an earlier version's marker, old", 37 * HOUR, true},
        {"1700000001.M1P1.host", "another program's, of today", 35 * HOUR, false},
        {"1700000002.M1P1.host", "another program's, old", 37 * HOUR, true},
        {"1700000003.M1P1", "no host, old", 37 * HOUR, false},
        {"2026.11.report", "no time, old", 37 * HOUR, false},
        {"thesis.odt", "anything else, old", 37 * HOUR, false},
    };
    struct err err;
    begin(1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        make(tmp, rows[i].name, rows[i].age);
    struct buf place;
    buf_init(&place, 4096);
    deliver_place(&kit.settings, &place);
    is_int(deliver_sweep(&kit.settings, buf_str(&place), &err), 0, "tmp/ is swept");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ok(is_there(tmp, rows[i].name) == !rows[i].goes, "%s: %s", rows[i].what,
           rows[i].goes ? "it goes" : "it stays");
    buf_free(&place);
    deliver_abandon(kit.batch, kit.n);
    end();
}

/* Two files stand for the two names that a power cut leaves of one, with one link counted. */
static void test_torn_renames(void)
{
    static const char *const names[] = {
        "1.M1P1Q1F" KIT_A "S" KIT_STATE ".host", "1.M1P1Q2F" KIT_A "S" KIT_STATE ".host",
        "1.M1P1Q3F" KIT_A "S" KIT_STATE ".host", "1.M1P1Q4F" KIT_A "S" KIT_STATE ".host"};
    struct err err;
    struct buf place;
    begin(1);
    for (size_t i = 0; i < 4; i++)
        make(tmp, names[i], 0);
    make(new, names[0], 0);
    make(tmp, "thesis.odt", 0);
    make(new, "thesis.odt", 0);
    char *unread = xasprintf("%s/%s", new, names[3]);
    ok(mkfifo(unread, 0600) == 0, "prepare: a name that cannot be flushed");
    char *seen = xasprintf("%s:2,S", names[1]);
    make(cur, seen, 0);
    char *from = xasprintf("%s/%s", tmp, names[2]), *to = xasprintf("%s/%s", new, names[2]);
    ok(link(from, to) == 0, "prepare: two names that are counted");
    buf_init(&place, 4096);
    deliver_place(&kit.settings, &place);
    fsyncs = 0;
    is_int(deliver_sweep(&kit.settings, buf_str(&place), &err), 0, "tmp/ is swept");
    is_int(fsyncs, 3, "what it would not remove is not looked for");
    ok(is_there(tmp, names[0]), "the other name of what is in new/ stays");
    ok(is_there(tmp, names[1]), "and of what is in cur/");
    ok(is_there(tmp, names[3]), "and of what cannot be read today");
    ok(!is_there(tmp, names[2]), "one of two that are counted goes");
    ok(is_there(new, names[2]), "and the other stays");
    deliver_abandon(kit.batch, kit.n);
    buf_free(&place);
    free(unread);
    free(seen);
    free(from);
    free(to);
    end();
}

/* The clock may stand still, and the process id be that of the run before. */
static void test_names(void)
{
    struct spool_names a, b;
    spool_names_init(&a, KIT_A, KIT_STATE);
    spool_names_init(&b, KIT_A, KIT_STATE);
    ok(a.random != b.random, "names of two runs differ by more than time and process");
    begin(1);
    const char *owner = strstr(kit.batch[0]->name, "F" KIT_A);
    ok(owner != NULL && owner[-9] == 'R' && strspn(owner - 8, "0123456789abcdef") == 8,
       "and say so: %s", kit.batch[0]->name);
    deliver_abandon(kit.batch, kit.n);
    end();
}

/* ---- the disk ---- */

static void is_secured(long magic, size_t messages, bool together, const char *name)
{
    begin(messages);
    struct err err;
#ifndef HAVE_SYNCFS
    together = false;
#endif
    fs_magic = magic;
    fsyncs = syncfss = 0;
    if (deliver_secure(kit.deliver, kit.batch, kit.n, &err) < 0)
        xdie("a batch could not be made durable");
    ok(syncfss == together && fsyncs == (together ? 0 : 1 + (int)messages), "%s: %d fsync", name,
       fsyncs);
    fs_magic = 0;
    deliver_release(kit.deliver, kit.batch, kit.n);
    end();
}

static void test_durable(void)
{
    static const struct {
        long magic;
        const char *name;
        bool together;
    } rows[] = {
        {0xef53, "ext4", true},      {0x58465342, "XFS", true},   {0x9123683e, "btrfs", true},
        {0xf2f52010, "f2fs", true},  {0x01021994, "tmpfs", true}, {0x2fc12fc1, "ZFS", true},
        {0x65735546, "FUSE", false}, {0xff534d42, "CIFS", false}, {0x6969, "NFS", false},
        {0xf15f, "eCryptfs", false}, {0x4d44, "FAT", false},      {0xca451a4e, "bcachefs", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        is_secured(rows[i].magic, 20, rows[i].together, rows[i].name);
    is_secured(0xef53, 8, false, "few messages, on any");
}

int main(void)
{
    test_lost_answer();
    test_taken_away();
    test_seen_at_once();
    test_nowhere();
    test_old_receipt();
    test_sweep();
    test_torn_renames();
    test_names();
    test_durable();
    kit_remove(kit_folder);
    return tap_done();
}
