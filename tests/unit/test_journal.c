/*
 * journal: what was said is there again after the next open, whatever the file went through.
 */
#include "session/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/xalloc.h"

#include "tap.h"

static char dir[] = "/tmp/test-journal-XXXXXX";
static char *path;
static int warnings;

static void count_warning(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)line;
    warnings += level <= FP_LOG_WARNING;
}

static struct log test_log = {.level = FP_LOG_TRACE, .write = count_warning};

static struct journal *open_journal(void)
{
    struct journal *journal = NULL;
    struct err err;
    warnings = 0;
    if (journal_open(&journal, dir, "Pop.Example.com", "alice", JOURNAL_WRITE, true, &test_log,
                     &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return journal;
}

static void sync_and_close(struct journal *journal)
{
    struct err err;
    ok(journal_sync(journal, &err) == 0, "synced");
    journal_close(journal);
}

static uint32_t add(struct journal *journal, const char *uidl, uint64_t size)
{
    struct journal_subject subject = {.uidl = str_from(uidl), .size = size};
    return journal_add(journal, &subject, 1700000000);
}

static uint32_t find(struct journal *journal, const char *uidl)
{
    uint32_t name;
    return journal_find(journal, str_from(uidl), 0, &name);
}

static int state(struct journal *journal, const char *uidl)
{
    uint32_t id = find(journal, uidl);
    return id == JOURNAL_NONE ? JOURNAL_FREE : journal_entry(journal, id)->state;
}

static void is_words(struct journal *journal, const char *uidl, const char *want, const char *name)
{
    struct str words = journal_facts(journal, find(journal, uidl)).words;
    is_mem(words.ptr, words.len, want, strlen(want), name);
}

static void write_file(const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static struct buf read_journal(void)
{
    struct buf buf;
    struct err err;
    int fd = open(path, O_RDONLY);
    buf_init(&buf, 1 << 24);
    if (file_read(fd, &buf, path, &err) < 0)
        abort();
    close(fd);
    return buf;
}

static void fill(void)
{
    struct journal *journal = open_journal();
    ok(journal_is_new(journal), "a new one says so");
    uint32_t a = add(journal, "a", 10), b = add(journal, "b c", 20), c = add(journal, "", 30);
    uint32_t d = add(journal, "d", 40), e = add(journal, "e", 50);
    journal_take(journal, a, true, str_from("maildir 1 n m /p"));
    journal_done(journal, a);
    journal_take(journal, b, false, str_from("maildir 2 n2 m /p"));
    journal_fail(journal, c, "no such message");
    journal_fail(journal, d, "once");
    journal_fail(journal, d, "twice");
    journal_hold(journal, d, "for good");
    journal_done(journal, e);
    journal_gone(journal, e);
    journal_set_place(journal, str_from("maildir /p"));
    sync_and_close(journal);
}

static void test_states(void)
{
    fill();
    struct journal *journal = open_journal();
    ok(!journal_is_new(journal), "not new any more");
    is_int(state(journal, "a"), JOURNAL_DONE, "done");
    ok(journal_entry(journal, find(journal, "a"))->keep, "and kept");
    is_int(state(journal, "b c"), JOURNAL_TAKEN, "taken");
    is_words(journal, "b c", "maildir 2 n2 m /p", "its receipt");
    is_int(state(journal, ""), JOURNAL_FAILED, "failed, and an empty UIDL");
    is_int(state(journal, "d"), JOURNAL_HELD, "held");
    is_int(journal_entry(journal, find(journal, "d"))->tries, 3, "after three tries");
    is_int(state(journal, "e"), JOURNAL_GONE, "gone");
    ok(str_is(journal_place(journal), "maildir /p"), "the place");
    journal_drop(journal, find(journal, "b c"));
    is_int(state(journal, "b c"), JOURNAL_FREE, "a dropped take is nothing again");
    journal_retry(journal, find(journal, "d"));
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "b c"), JOURNAL_FREE, "also after the next open");
    is_int(state(journal, "d"), JOURNAL_FAILED, "released");
    is_int(journal_entry(journal, find(journal, "d"))->tries, 0, "with no try counted");
    journal_close(journal);
}

static void test_take_over_done(void)
{
    struct journal *journal = open_journal();
    uint32_t a = find(journal, "a");
    journal_take(journal, a, true, str_from("maildir 9 n9 m /p"));
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "a"), JOURNAL_TAKEN, "taken once more (-a)");
    journal_drop(journal, find(journal, "a"));
    is_int(state(journal, "a"), JOURNAL_DONE, "dropped: it is still done");
    journal_close(journal);
}

/* Held for its length, taken under another limit, and killed there: it is not held for good. */
static void test_take_over_held(void)
{
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "was held", 10), now = add(journal, "is dropped", 10);
    journal_hold(journal, id, "it is longer than max_size");
    journal_hold(journal, now, "it is longer than max_size");
    journal_take(journal, id, true, str_from("mda"));
    journal_take(journal, now, true, str_from("mda"));
    journal_drop(journal, now);
    is_int(state(journal, "is dropped"), JOURNAL_FAILED, "what was taken is held no more");
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "is dropped"), JOURNAL_FAILED, "nor after the next open");
    journal_drop(journal, find(journal, "was held"));
    is_int(state(journal, "was held"), JOURNAL_FAILED, "nor when only recovery drops it");
    sync_and_close(journal);
}

static void test_lock(void)
{
    struct journal *journal = open_journal();
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *second = NULL;
        struct err err;
        int result =
            journal_open(&second, dir, "pop.example.com", "alice", JOURNAL_WRITE, true, NULL, &err);
        _exit(result < 0 && err.kind == ERR_LOCKED ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    is_int(status, 0, "a second process is told that the first has it");
    journal_close(journal);
    journal = open_journal();
    ok(journal != NULL, "and it is free again");
    journal_close(journal);
}

/* Cut anywhere: what was whole before the cut is there, and the next append does no harm. */
static void test_torn(void)
{
    struct buf whole = read_journal();
    size_t bad = 0;
    for (size_t cut = 0; cut < whole.len; cut++) {
        size_t lines = 0, left = 0;
        for (size_t i = 0; i < cut; i++)
            lines += whole.data[i] == '\n';
        write_file(whole.data, cut);
        struct journal *journal = open_journal();
        struct err err;
        bad += journal == NULL || warnings != 0;
        uint32_t id = add(journal, "after", 1);
        journal_done(journal, id);
        bad += journal_sync(journal, &err) < 0;
        journal_close(journal);
        struct buf after = read_journal();
        for (size_t i = 0; i < after.len; i++)
            left += after.data[i] == '\n';
        bad += left != lines + (lines == 0 ? 2 : 1); /* a new head where there was none */
        journal = open_journal();
        bad += state(journal, "after") != JOURNAL_DONE || warnings != 0;
        journal_close(journal);
        buf_free(&after);
    }
    is_int((long long)bad, 0, "torn at every byte");
    write_file(whole.data, whole.len);
    buf_free(&whole);
}

static void test_damaged_line(void)
{
    struct buf whole = read_journal();
    char *line = memchr(whole.data, '\n', whole.len);
    line = memchr(line + 1, '\n', (size_t)(whole.data + whole.len - line - 1));
    line[12] ^= 1; /* one line in the middle */
    write_file(whole.data, whole.len);
    struct journal *journal = open_journal();
    is_int(warnings, 1, "a damaged line is told");
    is_int(state(journal, "d"), JOURNAL_FAILED, "the others count");
    journal_close(journal);
    journal = open_journal();
    is_int(warnings, 0, "and told once");
    journal_close(journal);
    buf_free(&whole);
}

static void test_junk(void)
{
    char junk[5000], bad_path[256];
    struct stat status;
    memset(junk, 'x', sizeof junk);
    snprintf(bad_path, sizeof bad_path, "%s.bad", path);
    for (int lines = 0; lines < 2; lines++) {
        if (lines == 1)
            junk[100] = junk[sizeof junk - 1] = '\n';
        write_file(junk, sizeof junk);
        struct journal *journal = open_journal();
        is_int(warnings, 1, "junk is told");
        is_int(journal_count(journal), 0, "and counts as nothing");
        is_int(stat(bad_path, &status), 0, "it is kept aside");
        unlink(bad_path);
        sync_and_close(journal);
    }
}

static void test_newer_version(void)
{
    struct buf whole = read_journal();
    /* Version 2, with a sum that is right. */
    static const char newer[] = "00000000 fetchpop-journal 2 pop.example.com alice\n";
    char line[sizeof newer];
    struct journal *journal = NULL;
    struct err err;
    memcpy(line, newer, sizeof newer);
    uint32_t crc = digest_crc32(0, line + 9, sizeof newer - 1 - 10);
    char hex[9];
    snprintf(hex, sizeof hex, "%08lx", (unsigned long)crc);
    memcpy(line, hex, 8);
    write_file(line, sizeof newer - 1);
    is_int(journal_open(&journal, dir, "pop.example.com", "alice", JOURNAL_WRITE, true, NULL, &err),
           -1, "a newer version is refused");
    is_int(err_status(err.kind), 74, "with local file trouble");
    struct buf after = read_journal();
    is_mem(after.data, after.len, line, sizeof newer - 1, "and left alone");
    write_file(whole.data, whole.len);
    buf_free(&after);
    buf_free(&whole);
}

static void test_twins(void)
{
    struct journal *journal = open_journal();
    uint32_t x = add(journal, "twin", 1), y = add(journal, "twin", 2);
    journal_done(journal, x);
    journal_done(journal, y);
    uint32_t first = find(journal, "twin");
    uint32_t second = journal_next(journal, first);
    ok((first == x && second == y) || (first == y && second == x), "two entries of one UIDL");
    is_int(journal_next(journal, second), JOURNAL_NONE, "and no third");
    struct journal_subject subject = {.uidl = str_from("other"), .size = 3};
    journal_learn(journal, x, &subject);
    is_int(find(journal, "other"), x, "one learns another UIDL");
    is_int(find(journal, "twin"), y, "the other keeps it");
    subject.uidl = str_from("twin");
    journal_learn(journal, x, &subject);
    first = find(journal, "twin");
    second = journal_next(journal, first);
    ok(second != JOURNAL_NONE && journal_next(journal, second) == JOURNAL_NONE,
       "and back: two again, not three");
    journal_close(journal);
}

/* Absent from 30 listings on 30 days: forgotten. Present once in between: not. */
static void test_forgetting(void)
{
    struct err err;
    for (int day = 1; day <= 80; day++) {
        struct journal *journal = open_journal();
        if (day == 1) {
            journal_done(journal, add(journal, "stays", 1));
            journal_done(journal, add(journal, "leaves", 1));
            journal_done(journal, add(journal, "returns", 1));
            journal_done(journal, add(journal, "late", 1));
        }
        journal_list(journal, find(journal, "stays"));
        if (day == 1 || day == 25)
            journal_list(journal, find(journal, "returns"));
        if (day < 45)
            journal_list(journal, find(journal, "late"));
        for (int again = 0; again < 3; again++)
            journal_listed_all(journal, 20000 + day);
        journal_listed_all(journal, 19000 + day); /* a clock that jumps back counts nothing */
        if (journal_sync(journal, &err) < 0)
            abort();
        /* Enough lines to make the next open write it anew. */
        for (int i = 0; i < 20; i++)
            journal_set_place(journal, str_from("maildir /p"));
        if (journal_sync(journal, &err) < 0)
            abort();
        bool leaves = find(journal, "leaves") != JOURNAL_NONE;
        bool returns = find(journal, "returns") != JOURNAL_NONE;
        if (day == 30)
            ok(leaves, "absent on 29 days: still known");
        if (day == 40)
            ok(!leaves && returns, "forgotten; the one that came back is not");
        if (day == 53)
            ok(returns, "28 days after it was there");
        if (day == 63)
            ok(!returns, "and in the end forgotten as well");
        journal_close(journal);
    }
    struct journal *journal = open_journal();
    is_int(state(journal, "stays"), JOURNAL_DONE, "what is listed stays known");
    ok(find(journal, "late") == JOURNAL_NONE || state(journal, "late") == JOURNAL_DONE, "late");
    journal_close(journal);
}

static void test_compaction(void)
{
    struct err err;
    struct journal *journal = open_journal();
    uint32_t taken = add(journal, "open take", 5), over = add(journal, "over", 6);
    journal_done(journal, over);
    journal_take(journal, taken, false, str_from("maildir 5 x y /z"));
    journal_take(journal, over, true, str_from("maildir 6 v w /z"));
    for (int i = 0; i < 3000; i++)
        journal_set_place(journal, str_from("maildir /p"));
    sync_and_close(journal);
    struct buf before = read_journal();
    journal = open_journal();
    struct buf after = read_journal();
    ok(after.len < before.len / 10, "written anew: %zu octets became %zu", before.len, after.len);
    is_int(state(journal, "open take"), JOURNAL_TAKEN, "an open take is still open");
    is_words(journal, "open take", "maildir 5 x y /z", "with its receipt");
    journal_drop(journal, find(journal, "over"));
    is_int(state(journal, "over"), JOURNAL_DONE, "and remembers what it was before");
    is_int(journal_sync(journal, &err), 0, "it can be written to");
    journal_close(journal);
    buf_free(&before);
    buf_free(&after);
}

static long inode(void)
{
    struct stat status;
    return stat(path, &status) < 0 ? -1 : (long)status.st_ino;
}

/* With keep = no all that was ever delivered is absent: two lines for each. */
static void test_no_compaction(void)
{
    unlink(path);
    struct journal *journal = open_journal();
    char uidl[JOURNAL_UIDL_ROOM];
    for (unsigned i = 0; i < 200; i++) {
        snprintf(uidl, sizeof uidl, "absent-%u", i);
        journal_gone(journal, add(journal, uidl, 10));
    }
    journal_listed_all(journal, 20000);
    sync_and_close(journal);
    long before = inode();
    journal_close(open_journal());
    is_int(inode(), before, "what needs its length is not written anew");
}

/* Everything is known of an entry, wherever its line is by now. */
static void is_known(struct journal *journal, uint32_t a, uint32_t b, const char *where)
{
    char room[JOURNAL_UIDL_ROOM];
    uint32_t name;
    struct journal_facts facts = journal_facts(journal, a);
    ok(facts.size == 1ull << 40 && facts.first_seen == 1700000000 && facts.print.known &&
           facts.print.bytes[15] == 7 && facts.words.len == 0,
       "%s: the facts", where);
    ok(journal_size(journal, a) == 1ull << 40 && journal_size(journal, b) == 12, "%s: sizes",
       where);
    ok(journal_find(journal, str_from("reach %"), 0, &name) == a && name == 0 &&
           str_is(journal_uidl(journal, a, room), "reach %"),
       "%s: an odd UIDL", where);
    ok(journal_find(journal, str_from("reach"), 0, &name) == b &&
           (name == 0 || str_is(journal_named(journal, name), "reach")) &&
           str_is(journal_uidl(journal, b, room), "reach"),
       "%s: a plain one", where);
    ok(str_is(journal_facts(journal, b).words, "no%20luck"), "%s: the reason", where);
}

/* A guess makes it quick, and never another answer. */
static void test_guess(void)
{
    struct journal *journal = open_journal();
    uint32_t name, lone = add(journal, "guess lone", 1), one = add(journal, "guess", 2),
                   two = add(journal, "guess", 3);
    journal_fail(journal, lone, "no luck");
    journal_fail(journal, one, "no luck");
    journal_fail(journal, two, "no luck");
    struct str uidl = str_from("guess"), uidl_lone = str_from("guess lone");
    uint32_t first = journal_find(journal, uidl, JOURNAL_NONE, &name);
    ok(first == one || first == two, "no guess: one of the two");
    ok(journal_find(journal, uidl, one, &name) == first &&
           journal_find(journal, uidl, two, &name) == first,
       "two of one UIDL: the guess does not count");
    ok(journal_find(journal, uidl, lone, &name) == first, "a false guess");
    ok(journal_find(journal, uidl_lone, lone, &name) == lone &&
           journal_find(journal, uidl_lone, 1u << 24, &name) == lone,
       "a right guess, and one that is no entry");
    ok(journal_find(journal, str_from("guess none"), lone, &name) == JOURNAL_NONE,
       "nothing for a UIDL that is not there");
    journal_close(journal);
}

static void test_reach(void)
{
    struct journal *journal = open_journal();
    struct err err;
    struct journal_subject subject = {.uidl = str_from("reach %"),
                                      .size = 1ull << 40,
                                      .print = {.known = true, .bytes = {[15] = 7}}};
    uint32_t a = journal_add(journal, &subject, 1700000000), b = add(journal, "reach", 12);
    journal_take(journal, a, true, str_from("maildir 1 n m /p"));
    journal_fail(journal, b, "no luck");
    is_known(journal, a, b, "taken, gathered");
    ok(journal_sync(journal, &err) == 0, "synced");
    is_known(journal, a, b, "taken, written");
    journal_done(journal, a);
    is_known(journal, a, b, "done, gathered");
    ok(journal_sync(journal, &err) == 0, "synced");
    is_known(journal, a, b, "written");
    journal_reread(journal);
    is_known(journal, a, b, "mapped");
    journal_fail(journal, b, "no luck");
    journal_learn(journal, b, &(struct journal_subject){.uidl = str_from("reach"), .size = 12});
    is_known(journal, a, b, "gathered once more");
    sync_and_close(journal);
    journal = open_journal();
    is_known(journal, find(journal, "reach %"), find(journal, "reach"), "opened");
    journal_close(journal);
}

/* Somebody writes over the file while it is open: nonsense, but with an end. */
static void test_written_over(void)
{
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "over", 10);
    journal_fail(journal, id, "why");
    sync_and_close(journal);
    journal = open_journal();
    id = find(journal, "over");
    struct buf bytes = read_journal();
    memset(bytes.data, 'x', bytes.len);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len)
        abort();
    close(fd);
    char room[JOURNAL_UIDL_ROOM];
    ok(journal_uidl(journal, id, room).len < JOURNAL_UIDL_ROOM, "a UIDL is no longer than one");
    journal_fail(journal, id, "why");
    ok(journal_is_dirty(journal), "and what is written of it has its bounds");
    journal_close(journal);
    buf_free(&bytes);
    unlink(path);
}

/* The index grows while what is in it is in no memory: UIDLs that are read again to be compared. */
static void test_index_grows(void)
{
    struct journal *journal = open_journal();
    struct err err;
    uint32_t ids[2000], lost = 0;
    char uidl[JOURNAL_UIDL_ROOM];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(uidl, sizeof uidl, "grows-%06u", i);
        ids[i] = add(journal, uidl, 10);
        journal_done(journal, ids[i]);
        if (journal_sync(journal, &err) < 0)
            abort();
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(uidl, sizeof uidl, "grows-%06u", i);
        uint32_t id = find(journal, uidl);
        lost += id != ids[i] || journal_next(journal, id) != JOURNAL_NONE;
    }
    is_int(lost, 0, "each is found, and alone");
    journal_close(journal);
}

static void test_read_only(void)
{
    struct journal *journal = NULL;
    struct err err;
    is_int(journal_open(&journal, "/nonexistent/x", "s", "u", JOURNAL_READ, true, NULL, &err), 0,
           "reading what is not there is fine");
    is_int(journal_count(journal), 0, "and empty");
    journal_close(journal);
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        return 1;
    char mailbox[JOURNAL_MAILBOX + 1], other[JOURNAL_MAILBOX + 1];
    journal_mailbox("Pop.Example.com", "alice", mailbox);
    journal_mailbox("pop.example.COM", "alice", other);
    is_str(mailbox, other, "a server's name has no case");
    journal_mailbox("pop.example.com", "Alice", other);
    ok(strcmp(mailbox, other) != 0, "a user's has");
    path = xasprintf("%s/alice@pop.example.com-%s.journal", dir, mailbox);
    test_states();
    test_take_over_done();
    test_take_over_held();
    test_lock();
    test_torn();
    test_damaged_line();
    test_newer_version();
    test_twins();
    test_compaction();
    test_no_compaction();
    test_guess();
    test_reach();
    test_junk();
    test_forgetting();
    test_written_over();
    test_index_grows();
    test_read_only();
    char *command = xasprintf("%s/alice@pop.example.com-%s.lock", dir, mailbox);
    unlink(command);
    unlink(path);
    rmdir(dir);
    free(command);
    free(path);
    return tap_done();
}
