/* SPDX-License-Identifier: ISC */
/*
 * replay: whatever the journal's file went through, what its lines say is known; it is written anew
 * when that is due, and one of version 1 is read right.
 */
#include "state/replay.h"

#include "kit_journal.h"

/* Some of everything. */
static void fill(void)
{
    struct journal *journal = open_journal();
    uint32_t a = add(journal, "a", 10), b = add(journal, "b c", 20), d = add(journal, "d", 40);
    journal_take(journal, a, JOURNAL_KEEP, str_from("maildir 1 n m /p"));
    journal_done(journal, a);
    journal_take(journal, b, JOURNAL_DELETE, str_from("maildir 2 n2 m /p"));
    fail(journal, d, "no such message");
    journal_set_place(journal, str_from("maildir /p"), 1);
    sync_and_close(journal);
}

/* There is a whole line of this verb in the first `len` octets. */
static bool has_line(const struct buf *bytes, size_t len, const char *verb)
{
    struct str text = str_of(bytes->data, len);
    bool found = false;
    while (text.len > 0 && memchr(text.ptr, '\n', text.len) != NULL) {
        struct str line = str_until(&text, '\n');
        str_word(&line);
        found = found || str_is(str_word(&line), verb);
    }
    return found;
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
        /* a new head where there was none, and a word that the names are on the disk */
        bool settled = cut > 0 && has_line(&whole, cut, "names");
        bad += left != lines + 1 + (lines == 0) + !settled;
        journal = open_journal();
        bad += state(journal, "after") != JOURNAL_DONE || warnings != 0;
        journal_close(journal);
        buf_free(&after);
    }
    is_int((long long)bad, 0, "torn at any byte, it keeps its whole lines and takes new ones");
    write_file(whole.data, whole.len);
    buf_free(&whole);
}

static void test_damaged_line(void)
{
    struct err err;
    struct buf whole = read_journal();
    char *line = memchr(whole.data, '\n', whole.len);
    line = memchr(line + 1, '\n', (size_t)(whole.data + whole.len - line - 1));
    line[12] ^= 1; /* one line in the middle */
    write_file(whole.data, whole.len);
    struct journal *journal = open_journal();
    is_int(warnings, 1, "a damaged line is told to the user");
    is_int(state(journal, "d"), JOURNAL_FAILED, "the others count all the same");
    journal_close(journal);
    journal = open_journal();
    is_int(warnings, 1, "and is there still until what it may have named is found");
    is_int(journal_close_gaps(journal, &err), 0, "recovery is over");
    journal_close(journal);
    journal = open_journal();
    is_int(warnings, 0, "it is told once");
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
        is_int(warnings, 1, "a file of junk is told to the user");
        is_int(journal_count(journal), 0, "and counts as nothing");
        is_int(stat(bad_path, &status), 0, "it is kept aside");
        unlink(bad_path);
        sync_and_close(journal);
    }
}

static void test_newer_version(void)
{
    struct buf whole = read_journal();
    static const char newer[] = "00000000 fetchpop-journal 3 pop.example.com alice\n";
    char line[sizeof newer];
    struct journal *journal = NULL;
    struct err err;
    memcpy(line, newer, sizeof newer);
    words_sum(str_of(line + WORDS_SUM + 1, sizeof newer - 1 - WORDS_SUM - 2), line);
    write_file(line, sizeof newer - 1);
    is_int(journal_open(&journal, &settings, &err), -1, "a newer version is refused");
    is_int(err_status(err.kind), 74, "with local file trouble");
    struct buf after = read_journal();
    is_mem(after.data, after.len, line, sizeof newer - 1, "and left alone");
    write_file(whole.data, whole.len);
    buf_free(&after);
    buf_free(&whole);
}

static void test_compaction(void)
{
    struct err err;
    struct journal *journal = open_journal();
    uint32_t taken = add(journal, "open take", 5), over = add(journal, "over", 6);
    journal_done(journal, over);
    journal_take(journal, taken, JOURNAL_DELETE, str_from("maildir 5 x y /z"));
    journal_take(journal, over, JOURNAL_KEEP, str_from("maildir 6 v w /z"));
    for (int i = 0; i < 3000; i++)
        journal_set_place(journal, str_from("maildir /p"), (uint64_t)i + 1);
    sync_and_close(journal);
    struct buf before = read_journal();
    journal = open_journal();
    struct buf after = read_journal();
    ok(after.len < before.len / 10, "written anew: %zu octets became %zu", before.len, after.len);
    is_int(state(journal, "open take"), JOURNAL_TAKEN, "an open take is still open");
    ok(has_receipt(journal, "open take", "maildir 5 x y /z"), "with its receipt");
    journal_drop(journal, find(journal, "over"));
    is_int(state(journal, "over"), JOURNAL_FAILED, "and is owed once it is dropped");
    is_int(journal_sync(journal, &err), 0, "it can be written to");
    journal_close(journal);
    buf_free(&before);
    buf_free(&after);
}

static unsigned count_lines(const char *verb)
{
    struct buf bytes = read_journal();
    struct str text = buf_str(&bytes);
    unsigned count = 0;
    while (text.len > 0) {
        struct str line = str_until(&text, '\n');
        str_word(&line);
        count += str_is(str_word(&line), verb);
    }
    buf_free(&bytes);
    return count;
}

/* So that the next poll need not do it. */
static void test_compaction_at_end(void)
{
    unlink(path);
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "a", 5);
    journal_take(journal, id, JOURNAL_DELETE, str_from("maildir 5 x y /z"));
    journal_done(journal, id);
    for (int i = 0; i < 100; i++)
        journal_set_place(journal, str_from("maildir /p"), (uint64_t)i + 1);
    sync_and_close(journal);
    is_int(count_lines("sweep"), 1, "what this run made longer than it needs is written anew");
    is_int(count_lines("names"), 1, "and its new name is on the disk");
    journal = open_journal();
    is_int(state(journal, "a"), JOURNAL_DONE, "it says what it said");
    journal_done(journal, add(journal, "c", 7));
    sync_and_close(journal);
    is_int(count_lines("names"), 1, "the name is not flushed again");
}

/* A line that names another file says nothing of this one. */
static void test_names_of_a_copy(void)
{
    struct buf whole = read_journal();
    char *other = xasprintf("%s.old", path);
    rename(path, other);
    write_file(whole.data, whole.len);
    struct journal *journal = open_journal();
    journal_gone(journal, find(journal, "a"));
    ok(journal_sync(journal, &(struct err){.kind = ERR_NONE}) == 0, "the journal is written");
    is_int(count_lines("names"), 1, "what may be lost needs no name");
    journal_done(journal, add(journal, "b", 6));
    sync_and_close(journal);
    is_int(count_lines("names"), 2, "of a copy the names are flushed, and that is noted");
    unlink(other);
    free(other);
    buf_free(&whole);
}

/* Seen by what is written over it. */
static void test_not_read_back(void)
{
    unlink(path);
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "a", 5);
    journal_done(journal, id);
    ok(journal_sync(journal, &(struct err){.kind = ERR_NONE}) == 0, "the journal is written");
    struct buf bytes = read_journal();
    memset(bytes.data, 'x', bytes.len);
    int fd = open(path, O_WRONLY);
    ok(write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len, "something wrote over it");
    close(fd);
    is_int(state(journal, "a"), JOURNAL_DONE, "what was just written is found without the file");
    is_int((long long)journal_record(journal, id).size, 5, "and says what it said");
    buf_free(&bytes);
    journal_close(journal);
    unlink(path);
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
    journal_count_missing(journal, journal_count_day(journal, 20000));
    sync_and_close(journal);
    long before = inode();
    journal_close(open_journal());
    is_int(inode(), before, "what needs its length is not written anew");
}

/* The place of a batch is said once; a `take` has its number. */
static void test_places(void)
{
    unlink(path);
    struct journal *journal = open_journal();
    char uidl[JOURNAL_UIDL_ROOM], receipt[100];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(uidl, sizeof uidl, "place-%u", i);
        snprintf(receipt, sizeof receipt, "maildir %u n%u m /a%%20folder", i, i);
        journal_take(journal, add(journal, uidl, i), JOURNAL_KEEP, str_from(receipt));
    }
    journal_take(journal, add(journal, "elsewhere", 1), JOURNAL_KEEP, str_from("mbox 7 n /a/file"));
    journal_take(journal, add(journal, "nowhere", 1), JOURNAL_KEEP, str_from("mda"));
    sync_and_close(journal);
    struct buf bytes = read_journal();
    unsigned said = 0;
    for (size_t i = 0; i + 10 < bytes.len; i++)
        said += memcmp(bytes.data + i, "/a%20folder", 11) == 0;
    is_int(said, 1, "the folder of a hundred takes is written once");
    journal = open_journal();
    ok(has_receipt(journal, "place-99", "maildir 99 n99 m /a%20folder"),
       "each take has its whole receipt again");
    ok(has_receipt(journal, "elsewhere", "mbox 7 n /a/file"), "also one with another place");
    ok(has_receipt(journal, "nowhere", "mda"), "and one of a single word");
    journal_close(journal);
    buf_free(&bytes);
}

/* Without its place nobody could look for the message: such a take says nothing. */
static void test_lost_place(void)
{
    struct buf bytes = read_journal();
    char *at = strstr(bytes.data, "place 1 "); /* the first record behind the head */
    at[6] = '7';
    write_file(bytes.data, bytes.len);
    struct journal *journal = open_journal();
    is_int(warnings, 1, "a take whose place is lost is told as damage");
    is_int(state(journal, "place-5"), JOURNAL_FREE, "and its message is fetched again");
    ok(has_receipt(journal, "elsewhere", "mbox 7 n /a/file"), "others are as they were");
    journal_close(journal);
    buf_free(&bytes);
    unlink(path);
}

/* One message to one place, done or not. */
static void deliver_to(unsigned place, bool done)
{
    struct journal *journal = open_journal();
    struct err err;
    char uidl[JOURNAL_UIDL_ROOM], receipt[100];
    snprintf(uidl, sizeof uidl, "to-place-%u", place);
    snprintf(receipt, sizeof receipt, "maildir 1 n%u m /place-%u", place, place);
    uint32_t id = add(journal, uidl, 1);
    journal_take(journal, id, JOURNAL_KEEP, str_from(receipt));
    if (done)
        journal_done(journal, id);
    if (journal_sync(journal, &err) < 0)
        abort();
    journal_close(journal);
}

/* A destination that has another name each day, and a journal that is too long to be written anew
 * for three lines a day. */
static void test_many_places(void)
{
    struct journal *journal = open_journal();
    for (unsigned i = 0; i < 400; i++)
        journal_done(journal, add(journal, "many", i));
    sync_and_close(journal);
    for (unsigned i = 0; i < 90; i++)
        deliver_to(i, i != 10);
    journal = open_journal();
    struct buf bytes = read_journal();
    unsigned said = 0;
    for (size_t i = 0; i + 7 < bytes.len; i++)
        said += memcmp(bytes.data + i, "/place-", 7) == 0;
    ok(said <= 64, "places that nobody needs any more are forgotten: %u are there", said);
    ok(has_receipt(journal, "to-place-10", "maildir 1 n10 m /place-10"),
       "an open take keeps its own");
    journal_close(journal);
    buf_free(&bytes);
    unlink(path);
}

/* A journal as fetchpop wrote it when its format was 1: every kind of line, one that is damaged, a
 * torn end. */
static void load_version_1(void)
{
    const char *top = getenv("top_srcdir");
    char *from = xasprintf("%s/tests/unit/journal-1.txt", top == NULL ? "." : top);
    struct buf bytes;
    struct err err;
    int fd = open(from, O_RDONLY);
    buf_init(&bytes, 1 << 20);
    if (fd < 0 || file_read(fd, &bytes, from, &err) < 0)
        abort();
    close(fd);
    write_file(bytes.data, bytes.len);
    buf_free(&bytes);
    free(from);
}

static void is_version_1(struct journal *journal)
{
    static const struct {
        const char *uidl;
        enum journal_state state;
        unsigned tries;
        enum reason reason;
        const char *words;
    } rows[] = {
        {"kept", JOURNAL_DONE, 0, REASON_UNKNOWN, NULL},
        {"to delete", JOURNAL_DONE, 0, REASON_UNKNOWN, NULL},
        {"gone", JOURNAL_GONE, 0, REASON_UNKNOWN, NULL},
        {"fails", JOURNAL_FAILED, 2, REASON_UNKNOWN,
         "the%20server%20refuses%20it:%20\"still%20no%20such%20message\""},
        {"doubted", JOURNAL_DOUBTED, 0, REASON_UNKNOWN,
         "pop.example.com%20closed%20the%20connection"},
        {"too long", JOURNAL_HELD, 1, REASON_TOO_LONG, NULL},
        {"lies of its length", JOURNAL_HELD, 1, REASON_SURPRISE, NULL},
        {"held", JOURNAL_HELD, 5, REASON_UNKNOWN,
         "the%20command%20\"deliver\"%20ended%20with%20status%2070"},
        {"open", JOURNAL_TAKEN, 0, REASON_UNKNOWN, NULL},
        {"open over done", JOURNAL_TAKEN, 0, REASON_UNKNOWN, NULL},
        {"dropped", JOURNAL_FREE, 0, REASON_UNKNOWN, NULL},
        {"", JOURNAL_DONE, 0, REASON_UNKNOWN, NULL},
        {"absent", JOURNAL_DONE, 0, REASON_UNKNOWN, NULL},
        {"back", JOURNAL_DONE, 0, REASON_UNKNOWN, NULL},
        {"damaged", JOURNAL_TAKEN, 0, REASON_UNKNOWN, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t id = find(journal, rows[i].uidl);
        ok(state(journal, rows[i].uidl) == (int)rows[i].state, "\"%s\" is what it was",
           rows[i].uidl);
        if (id == JOURNAL_NONE)
            continue;
        struct record record = journal_record(journal, id);
        ok(record.number == rows[i].tries && record.reason == rows[i].reason &&
               (rows[i].words == NULL || str_is(record.words, rows[i].words)),
           "\"%s\" has its tries, its reason and what was said", rows[i].uidl);
        ok(rows[i].reason == REASON_TOO_LONG || record.first_seen == 1790000000 + record.size,
           "\"%s\" has its size and its date", rows[i].uidl);
    }
}

static void is_rest_of_version_1(struct journal *journal)
{
    static const char receipt[] = "maildir 109 1790000109.M1P2.host,S=1 1790000100.B1P2.host "
                                  "/home/alice/Mail%20box";
    static const char other[] =
        "mbox 110 ab00000000000000000000000000000000000000000000000000000000000012 "
        "1790000110.M1P3.host /var/mail/alice";
    struct record record = journal_record(journal, find(journal, "kept"));
    struct fingerprint fingerprint = record_fingerprint(&record);
    ok(!fingerprint.known && record.fingerprint.len > 2,
       "a fingerprint of other fields is kept, and says nothing");
    ok(record.policy == JOURNAL_KEEP &&
           journal_entry(journal, find(journal, "to delete")).policy == JOURNAL_DELETE,
       "so are both policies");
    ok(has_receipt(journal, "open", receipt), "an open take has its receipt");
    ok(has_receipt(journal, "open over done", other), "another one has its own");
    is_int(journal_entry(journal, find(journal, "absent")).absent, 1, "what is absent has its day");
    is_int(journal_entry(journal, find(journal, "back")).absent, 0, "what came back has none");
    size_t count;
    const struct visit *places = journal_places(journal, &count);
    ok(count == 1 && strcmp(places[0].place, "maildir /home/alice/Mail%20box") == 0,
       "the place to sweep is the one that messages went to");
}

/* Nothing is wrong with it but its age. */
static void test_old_lines(void)
{
    static const char *const lines[] = {"fetchpop-journal 2 pop.example.com alice",
                                        "held 0 9 n- 1790106000 long 1 no%20luck"};
    struct buf text;
    buf_init(&text, 1000);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char sum[WORDS_SUM];
        words_sum(str_from(lines[i]), sum);
        buf_addf(&text, "%.*s %s\n", WORDS_SUM, sum, lines[i]);
    }
    write_file(text.data, text.len);
    struct journal *journal = open_journal();
    is_int(warnings, 0, "an old line is no damage");
    is_int(state(journal, "long"), JOURNAL_HELD, "a long failure counts all the same");
    journal_close(journal);
    struct buf bytes = read_journal();
    ok(!str_equal(buf_str(&text), buf_str(&bytes)), "and is written anew");
    buf_free(&bytes);
    buf_free(&text);
    unlink(path);
}

static void test_version_1(void)
{
    struct err err;
    load_version_1();
    settings.mode = JOURNAL_READ;
    struct journal *journal = open_journal();
    is_version_1(journal);
    is_rest_of_version_1(journal);
    journal_close(journal);
    settings.mode = JOURNAL_WRITE;
    journal = open_journal();
    is_int(warnings, 1, "its damaged line is told");
    is_version_1(journal);
    is_rest_of_version_1(journal);
    ok(!journal_is_new(journal), "it is not taken for a new one");
    is_int(journal_close_gaps(journal, &err), 0, "recovery is over");
    journal_close(journal);
    struct buf bytes = read_journal();
    ok(memcmp(bytes.data + WORDS_SUM, " fetchpop-journal 2 ", 20) == 0, "it is written anew");
    journal = open_journal();
    is_int(warnings, 0, "and then has nothing to complain of");
    is_version_1(journal);
    is_rest_of_version_1(journal);
    journal_drop(journal, find(journal, "open over done"));
    is_int(state(journal, "open over done"), JOURNAL_FAILED,
           "a dropped take of what was delivered is owed, too");
    journal_close(journal);
    struct buf after = read_journal();
    ok(str_equal(buf_str(&bytes), buf_str(&after)), "it is written anew once");
    buf_free(&after);
    buf_free(&bytes);
    unlink(path);
}

/* Where it cannot be written anew, an older fetchpop is told by a head of ours behind its lines. */
static void test_version_1_stays(void)
{
    char *fresh = xasprintf("%s.new", path);
    load_version_1();
    if (mkdir(fresh, 0700) < 0)
        abort();
    struct journal *journal = open_journal();
    is_version_1(journal);
    journal_done(journal, find(journal, "open"));
    sync_and_close(journal);
    struct buf bytes = read_journal();
    buf_add(&bytes, "", 1);
    ok(strstr(bytes.data, " fetchpop-journal 1 ") != NULL &&
           strstr(bytes.data, " fetchpop-journal 2 ") != NULL,
       "what cannot be written anew gets a second head");
    journal = open_journal();
    is_int(state(journal, "open"), JOURNAL_DONE, "new lines behind old ones count");
    ok(has_receipt(journal, "open over done",
                   "mbox 110 ab000000000000000000000000000000000000000000"
                   "00000000000000000012 1790000110.M1P3.host "
                   "/var/mail/alice"),
       "and old ones still do");
    journal_close(journal);
    buf_free(&bytes);
    rmdir(fresh);
    free(fresh);
    unlink(path);
}

/* Somebody writes over the file while it is open: nonsense, but with an end. */
static void test_written_over(void)
{
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "over", 10);
    fail(journal, id, "why");
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
    fail(journal, id, "why");
    ok(journal_is_dirty(journal), "and what is written of it has its bounds");
    journal_close(journal);
    buf_free(&bytes);
    unlink(path);
}

int main(void)
{
    if (!begin())
        return 1;
    fill();
    test_torn();
    test_damaged_line();
    test_junk();
    test_newer_version();
    test_compaction();
    test_compaction_at_end();
    test_names_of_a_copy();
    test_not_read_back();
    test_no_compaction();
    test_places();
    test_lost_place();
    test_many_places();
    test_old_lines();
    test_version_1();
    test_version_1_stays();
    test_written_over();
    return end();
}
