/* SPDX-License-Identifier: ISC */
/*
 * journal: what was said is there again after the next open, whatever the file went through.
 */
#include "base/clock.h"
#include "state/journal.h"

#include <time.h>

#include "kit_journal.h"

static void fill(void)
{
    struct journal *journal = open_journal();
    ok(journal_is_new(journal), "a new one says so");
    uint32_t a = add(journal, "a", 10), b = add(journal, "b c", 20), c = add(journal, "", 30);
    uint32_t d = add(journal, "d", 40), e = add(journal, "e", 50);
    journal_take(journal, a, JOURNAL_KEEP, str_from("maildir 1 n m /p"));
    journal_done(journal, a);
    journal_take(journal, b, JOURNAL_DELETE, str_from("maildir 2 n2 m /p"));
    fail(journal, c, "no such message");
    fail(journal, d, "once");
    fail(journal, d, "twice");
    journal_hold(journal, d,
                 &(struct journal_failure){.reason = REASON_DESTINATION,
                                           .words = str_from("for good"),
                                           .next_try = 1700003600});
    journal_done(journal, e);
    journal_gone(journal, e);
    journal_set_place(journal, str_from("maildir /p"), 1);
    sync_and_close(journal);
}

static bool has_place(const struct journal *journal, const char *place)
{
    size_t count;
    const struct visit *places = journal_places(journal, &count);
    return count == 1 && strcmp(places[0].place, place) == 0;
}

/* What rules left on the server, and by which they did. */
static void test_left(void)
{
    struct journal *journal = open_journal();
    is_str(journal_rules(journal), "", "at first there are no rules");
    uint32_t id = add(journal, "left", 1);
    journal_leave(journal, id, 1700003600);
    journal_leave(journal, add(journal, "for good", 1), 0);
    journal_set_rules(journal, "0123456789abcdef");
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "left"), JOURNAL_LEFT, "what a rule left is left");
    is_int((long long)journal_record(journal, find(journal, "left")).next_try, 1700003600,
           "with the time when age may make a difference");
    is_int((long long)journal_record(journal, find(journal, "for good")).next_try, 0, "if any");
    is_str(journal_rules(journal), "0123456789abcdef", "the digest of the rules is known");
    journal_set_rules(journal, "");
    sync_and_close(journal);
    journal = open_journal();
    is_str(journal_rules(journal), "", "and may be taken back");
    journal_close(journal);
}

static void test_states(void)
{
    fill();
    struct journal *journal = open_journal();
    ok(!journal_is_new(journal), "a journal is new only once");
    is_int(state(journal, "a"), JOURNAL_DONE, "what was done is done");
    ok(journal_entry(journal, find(journal, "a")).policy == JOURNAL_KEEP,
       "and kept, if that was the policy");
    is_int(state(journal, "b c"), JOURNAL_TAKEN, "an open take is open");
    ok(has_receipt(journal, "b c", "maildir 2 n2 m /p"), "and has its receipt");
    is_int(state(journal, ""), JOURNAL_FAILED, "what failed has failed, also without a UIDL");
    is_int(state(journal, "d"), JOURNAL_HELD, "what is held is held");
    is_int(journal_entry(journal, find(journal, "d")).tries, 3, "and has its three tries");
    is_int(state(journal, "e"), JOURNAL_GONE, "what is gone is gone");
    ok(has_place(journal, "maildir /p"), "the place to sweep is known");
    journal_close(journal);
}

static void test_reason(void)
{
    struct journal *journal = open_journal();
    struct record record = journal_record(journal, find(journal, "d"));
    is_int(record.reason, REASON_DESTINATION, "what is held has its reason");
    ok(str_is(record.words, "for%20good"), "and what was said");
    ok(record.next_try == 1700003600, "and the time of its next try");
    journal_close(journal);
}

static bool has_file(struct journal *journal, const char *uidl, const char *name)
{
    char room[JOURNAL_FILE_MAX];
    uint64_t octets;
    return str_is(journal_file(journal, find(journal, uidl), room, &octets), name) && octets == 77;
}

/* Kept, taken and dropped, taken and done: its file is known as long as it is wanted. */
static void test_kept(void)
{
    struct journal *journal = open_journal();
    const struct journal_file file = {.name = str_from("1.M2P3Q4Fid.host"), .octets = 77};
    const struct journal_failure why = {.reason = REASON_DESTINATION, .words = str_from("busy")};
    uint32_t id = add(journal, "kept", 5);
    journal_take(journal, id, JOURNAL_KEEP, str_from("mda 5 n /s"));
    journal_keep(journal, id, JOURNAL_KEPT, false, &file, &why);
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "kept"), JOURNAL_KEPT, "what is kept is kept");
    ok(has_file(journal, "kept", "1.M2P3Q4Fid.host"), "in its file");
    journal_take(journal, find(journal, "kept"), JOURNAL_KEEP, str_from("mda 5 n /s"));
    sync_and_close(journal);
    journal = open_journal();
    ok(has_file(journal, "kept", "1.M2P3Q4Fid.host"), "an open take has the file");
    journal_drop(journal, find(journal, "kept"));
    ok(state(journal, "kept") == JOURNAL_KEPT && has_file(journal, "kept", "1.M2P3Q4Fid.host"),
       "dropped, it is kept again");
    journal_keep(journal, find(journal, "kept"), JOURNAL_REFUSED, true, NULL, &why);
    sync_and_close(journal);
    journal = open_journal();
    ok(state(journal, "kept") == JOURNAL_REFUSED && has_file(journal, "kept", "1.M2P3Q4Fid.host"),
       "refused, it stays in its file");
    journal_take(journal, find(journal, "kept"), JOURNAL_KEEP, str_from("mda 5 n /s"));
    journal_done(journal, find(journal, "kept"));
    sync_and_close(journal);
    journal = open_journal();
    ok(state(journal, "kept") == JOURNAL_DONE && !has_file(journal, "kept", "1.M2P3Q4Fid.host"),
       "done, it has none");
    journal_close(journal);
}

static void test_drop(void)
{
    struct journal *journal = open_journal();
    journal_drop(journal, find(journal, "b c"));
    is_int(state(journal, "b c"), JOURNAL_FREE, "a dropped take is nothing again");
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "b c"), JOURNAL_FREE, "also after the next open");
    journal_close(journal);
}

static void test_retry(void)
{
    struct journal *journal = open_journal();
    journal_retry(journal, find(journal, "d"));
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "d"), JOURNAL_FAILED, "what was held is released");
    is_int(journal_entry(journal, find(journal, "d")).tries, 0, "with no try counted");
    is_int(journal_record(journal, find(journal, "d")).reason, REASON_RELEASED, "and says so");
    journal_close(journal);
}

static void test_take_over_done(void)
{
    struct journal *journal = open_journal();
    uint32_t a = find(journal, "a");
    journal_take(journal, a, JOURNAL_KEEP, str_from("maildir 9 n9 m /p"));
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "a"), JOURNAL_TAKEN, "taken once more (-a)");
    journal_drop(journal, find(journal, "a"));
    is_int(state(journal, "a"), JOURNAL_FAILED, "dropped: it is owed");
    journal_close(journal);
}

/* Held for its length, taken under another limit, and killed there: it is not held for good. */
static void test_take_over_held(void)
{
    struct journal *journal = open_journal();
    uint32_t id = add(journal, "was held", 10), now = add(journal, "is dropped", 10);
    hold(journal, id, REASON_TOO_LONG);
    hold(journal, now, REASON_TOO_LONG);
    journal_take(journal, id, JOURNAL_KEEP, str_from("mda"));
    journal_take(journal, now, JOURNAL_KEEP, str_from("mda"));
    journal_drop(journal, now);
    is_int(state(journal, "is dropped"), JOURNAL_FAILED, "what was taken is held no more");
    sync_and_close(journal);
    journal = open_journal();
    is_int(state(journal, "is dropped"), JOURNAL_FAILED, "nor after the next open");
    journal_drop(journal, find(journal, "was held"));
    is_int(state(journal, "was held"), JOURNAL_FAILED, "nor when only recovery drops it");
    sync_and_close(journal);
}

/* What another process is told that wants the journal as well: a kind of error. */
static int ask_for_it(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *second = NULL;
        struct err err = {.kind = ERR_NONE};
        (void)journal_open(&second, &settings, &err);
        _exit((int)err.kind);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The holder's last progress, so many seconds from now. */
static void note_progress(long long seconds)
{
    char *lock = xstrdup(path), text[24];
    memcpy(strrchr(lock, '.'), ".lock", 6);
    int fd = open(lock, O_WRONLY);
    int len = snprintf(text, sizeof text, "%020lld\n", (long long)time(NULL) + seconds);
    if (pwrite(fd, text, (size_t)len, 0) != len)
        abort();
    close(fd); /* and no lock of ours is left: another process has it */
    free(lock);
}

static void test_lock(void)
{
    static const struct {
        int seconds;
        enum err_kind want;
        const char *name;
    } rows[] = {{-3500, ERR_BUSY, "an hour ago, not quite: it gets on"},
                {-3700, ERR_LOCKED, "more than an hour ago: it hangs"},
                {+90, ERR_BUSY, "its clock is ahead by a minute: it gets on"},
                {+7200, ERR_LOCKED, "by two hours: nothing is known"}};
    struct journal *journal = open_journal();
    is_int(ask_for_it(), ERR_BUSY, "a second process is told that the first has it");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            note_progress(rows[i].seconds);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        is_int(ask_for_it(), rows[i].want, rows[i].name);
    }
    struct err err;
    uint32_t id = journal_add(journal, &(struct journal_subject){.size = 1}, clock_wall());
    journal_fail(journal, id, &(struct journal_failure){.reason = REASON_NO_ROOM});
    is_int(journal_sync(journal, &err), -1, "where another run has written into the lock file");
    is_int(err.kind, ERR_LOCKED, "nothing is written any more");
    journal_close(journal);
    journal = open_journal();
    ok(journal != NULL, "and it is free again");
    journal_close(journal);
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
            journal_count_missing(journal, journal_count_day(journal, 20000 + day));
        journal_count_missing(
            journal,
            journal_count_day(journal, 19000 + day)); /* a clock that jumps back counts nothing */
        if (journal_sync(journal, &err) < 0)
            abort();
        /* Enough lines to make the next open write it anew. */
        for (int i = 0; i < 20; i++)
            journal_set_place(journal, str_from("maildir /p"), (uint64_t)i + 1);
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
    ok(find(journal, "late") == JOURNAL_NONE || state(journal, "late") == JOURNAL_DONE,
       "the late one is done or not there");
    journal_close(journal);
}

/* The same in a journal too short to be written anew, where its lines stay. */
static void test_forgetting_in_short_journal(void)
{
    struct err err;
    for (int day = 1; day <= 33; day++) {
        struct journal *journal = open_journal();
        if (day == 1) {
            journal_done(journal, add(journal, "brief", 1));
            journal_keep(journal, add(journal, "kept", 1), JOURNAL_KEPT, false,
                         &(struct journal_file){.name = str_from("file"), .octets = 1},
                         &(struct journal_failure){.reason = REASON_WAITING});
        }
        if (day == 32) {
            is_int(state(journal, "kept"), JOURNAL_KEPT, "short journal: what is in a file stays");
            ok(find(journal, "brief") == JOURNAL_NONE, "short journal: the other is forgotten");
            journal_done(journal, add(journal, "brief", 2));
        }
        if (day == 33)
            is_int(state(journal, "brief"), JOURNAL_DONE, "short journal: and comes as a new one");
        journal_count_missing(journal, journal_count_day(journal, 20860 + day));
        if (journal_sync(journal, &err) < 0)
            abort();
        journal_close(journal);
    }
}

/* What was in the last listing, or in one on the day of the last, and is not in this one. */
static void test_vanished(void)
{
    settings.user = "vanished";
    struct journal *journal = open_journal();
    uint32_t done = add(journal, "done", 1), gone = add(journal, "gone", 1);
    journal_done(journal, done);
    journal_gone(journal, gone);
    ok(journal_has_vanished(journal, done), "not listed: it has vanished");
    ok(!journal_has_vanished(journal, gone), "what was deleted has not");
    journal_list(journal, done);
    ok(!journal_has_vanished(journal, done), "nor what is listed");
    journal_unlist(journal, done);
    journal_count_missing(journal, journal_count_day(journal, 20000));
    ok(journal_has_vanished(journal, done), "first missed on the last day: it has");
    journal_count_missing(journal, journal_count_day(journal, 20001));
    ok(!journal_has_vanished(journal, done), "long missed: no more");
    sync_and_close(journal);
    settings.user = "alice";
}

#define NOW ((int64_t)20800 * CLOCK_DAY)

/* Which day a message was found old enough, and which date was doubted, is known to the next run. */
static void test_due(void)
{
    int64_t last;
    for (int i = 0; i < 2; i++) {
        struct journal *journal = open_journal();
        uint32_t id = i == 0 ? add(journal, "due", 10) : find(journal, "due");
        if (i == 0) {
            journal_done(journal, id);
            journal_find_due(journal, id, 20799);
            journal_count_missing(journal, journal_count_day(journal, 20900));
        }
        is_int(journal_entry(journal, id).due, 20799, "it was found old enough on a day");
        is_int(journal_look_at_clock(journal, NOW, &last),
               i == 0 ? CALENDAR_BEHIND : CALENDAR_STILL_BEHIND, "a date long past is doubted");
        is_int(last, 20900, "it is before the last listing's");
        sync_and_close(journal);
    }
    struct journal *journal = open_journal();
    is_int(journal_look_at_clock(journal, NOW + CLOCK_DAY, &last), CALENDAR_TAKEN_BACK,
           "a day later it is believed");
    journal_take(journal, find(journal, "due"), JOURNAL_KEEP, str_from("mda"));
    is_int(journal_entry(journal, find(journal, "due")).due, 0, "taken again, it is not due");
    sync_and_close(journal);
    journal = open_journal();
    is_int(journal_entry(journal, find(journal, "due")).due, 0, "nor for the next run");
    is_int(journal_look_at_clock(journal, NOW + CLOCK_DAY, &last), CALENDAR_RIGHT,
           "and the date is the last listing's");
    journal_done(journal, find(journal, "due"));
    sync_and_close(journal);
}

static uint64_t seen(struct journal *journal, const char *uidl)
{
    return journal_record(journal, find(journal, uidl)).first_seen;
}

static void test_dates(void)
{
    static const char *const names[] = {"1970", "this year", "in ten years"};
    const int64_t dates[] = {5, NOW - 1000, NOW + 3650 * (int64_t)CLOCK_DAY};
    struct err err;
    struct journal *journal = open_journal();
    for (int i = 0; i < 3; i++) {
        struct journal_subject subject = {.uidl = str_from(names[i]), .size = 1};
        journal_done(journal, journal_add(journal, &subject, dates[i]));
    }
    struct journal_subject left = {.uidl = str_from("left in 1970"), .size = 1};
    uint32_t id = journal_add(journal, &left, 5);
    journal_leave(journal, id, 0);
    journal_find_due(journal, id, 20799);
    sync_and_close(journal);
    journal = open_journal();
    is_int(journal_mend_dates(journal, NOW, &err), 0, "dates are mended");
    sync_and_close(journal);
    journal = open_journal();
    is_int((long)seen(journal, "left in 1970"), (long)NOW, "also of what a rule left");
    is_int(journal_entry(journal, find(journal, "left in 1970")).due, 20799,
           "which stays what a rule found old enough");
    is_int((long)seen(journal, "1970"), (long)NOW, "what an unset clock saw ages from now on");
    is_int((long)seen(journal, "this year"), (long)dates[1],
           "what was seen this year keeps its date");
    is_int((long)seen(journal, "in ten years"), (long)NOW, "the future is taken back");
    journal_close(journal);
}

/* Everything is known of an entry, wherever its line is by now. */
static void is_known(struct journal *journal, uint32_t a, uint32_t b, const char *where)
{
    char room[JOURNAL_UIDL_ROOM];
    struct uidl_ref ref;
    struct str odd = str_from("reach %"), plain = str_from("reach");
    struct record record = journal_record(journal, a);
    struct fingerprint fingerprint = record_fingerprint(&record);
    ok(record.size == 1ull << 40 && record.first_seen == 1700000000 && fingerprint.known &&
           fingerprint.bytes[15] == 7,
       "all is known of a message whose line is %s", where);
    ok(journal_size(journal, a) == 1ull << 40 && journal_size(journal, b) == 12,
       "its size, however long, is known where it is %s", where);
    ok(journal_find(journal, odd, 0) == a && !journal_refers(journal, a, odd, &ref) &&
           str_equal(journal_uidl(journal, a, room), odd),
       "a UIDL that is written otherwise is found where it is %s, and not referred to", where);
    ok(journal_find(journal, plain, 0) == b && str_equal(journal_uidl(journal, b, room), plain),
       "a plain UIDL is found where it is %s", where);
    ok(!journal_refers(journal, b, plain, &ref) || str_equal(journal_uidl_at(journal, ref), plain),
       "and read there, if it can be, where it is %s", where);
    record = journal_record(journal, b);
    ok(record.reason == REASON_REFUSED && str_is(record.words, "no%20luck"),
       "the reason is known where it is %s", where);
}

/* A guess makes it quick, and never another answer. */
static void test_guess(void)
{
    struct journal *journal = open_journal();
    uint32_t lone = add(journal, "guess lone", 1), one = add(journal, "guess", 2),
             two = add(journal, "guess", 3);
    fail(journal, lone, "no luck");
    fail(journal, one, "no luck");
    fail(journal, two, "no luck");
    struct str uidl = str_from("guess"), uidl_lone = str_from("guess lone");
    uint32_t first = journal_find(journal, uidl, JOURNAL_NONE);
    ok(first == one || first == two, "without a guess one of two entries of a UIDL is found");
    ok(journal_find(journal, uidl, one) == first && journal_find(journal, uidl, two) == first,
       "where two have one UIDL the guess does not count");
    ok(journal_find(journal, uidl, lone) == first, "a false guess changes nothing");
    ok(journal_find(journal, uidl_lone, lone) == lone &&
           journal_find(journal, uidl_lone, 1u << 24) == lone,
       "a right guess, and one that is no entry, find the same");
    ok(journal_find(journal, str_from("guess none"), lone) == JOURNAL_NONE,
       "nothing is found for a UIDL that is not there");
    journal_close(journal);
}

static void test_reach(void)
{
    struct journal *journal = open_journal();
    struct err err;
    struct journal_subject subject = {.uidl = str_from("reach %"),
                                      .size = 1ull << 40,
                                      .fingerprint = {.known = true, .bytes = {[15] = 7}}};
    uint32_t a = journal_add(journal, &subject, 1700000000), b = add(journal, "reach", 12);
    journal_take(journal, a, JOURNAL_KEEP, str_from("maildir 1 n m /p"));
    fail(journal, b, "no luck");
    is_known(journal, a, b, "taken, gathered");
    ok(journal_sync(journal, &err) == 0, "the first part is written");
    is_known(journal, a, b, "taken, written");
    journal_done(journal, a);
    is_known(journal, a, b, "done, gathered");
    ok(journal_sync(journal, &err) == 0, "the second part is written");
    is_known(journal, a, b, "written");
    journal_reread(journal);
    is_known(journal, a, b, "mapped");
    fail(journal, b, "no luck");
    journal_learn(journal, b, &(struct journal_subject){.uidl = str_from("reach"), .size = 12});
    is_known(journal, a, b, "gathered once more");
    sync_and_close(journal);
    journal = open_journal();
    is_known(journal, find(journal, "reach %"), find(journal, "reach"), "opened");
    journal_close(journal);
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

/* The line of each of many is wanted again, in order, after it was written (QUIT), or while it is
 * only gathered. */
static void test_many_gone(bool written)
{
    struct journal *journal = open_journal();
    struct err err;
    char uidl[JOURNAL_UIDL_ROOM];
    uint32_t ids[3000], bad = 0;
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(uidl, sizeof uidl, "many-%u", i);
        ids[i] = add(journal, uidl, i);
        journal_done(journal, ids[i]);
    }
    ok(!written || journal_sync(journal, &err) == 0, "many are done");
    for (unsigned i = 0; i < 3000; i++)
        journal_gone(journal, ids[i]);
    sync_and_close(journal);
    journal = open_journal();
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(uidl, sizeof uidl, "many-%u", i);
        uint32_t id = find(journal, uidl);
        bad += id == JOURNAL_NONE || journal_size(journal, id) != i ||
               journal_entry(journal, id).state != JOURNAL_GONE;
    }
    is_int(bad, 0, "each of them is gone, and has its own facts");
    journal_close(journal);
    unlink(path);
}

static void test_read_only(void)
{
    struct journal *journal = NULL;
    struct err err;
    is_int(journal_open(
               &journal,
               &(struct journal_settings){
                   .state_dir = "/nonexistent/x", .server = "s", .user = "u", .mode = JOURNAL_READ},
               &err),
           0, "reading what is not there is fine");
    is_int(journal_count(journal), 0, "it counts as empty");
    journal_close(journal);
}

static void test_mailbox(void)
{
    char mailbox[MAILBOX_ID + 1], other[MAILBOX_ID + 1];
    mailbox_id("Pop.Example.com", "alice", mailbox);
    mailbox_id("pop.example.COM", "alice", other);
    is_str(mailbox, other, "the name of a server has no case");
    mailbox_id("pop.example.com", "Alice", other);
    ok(strcmp(mailbox, other) != 0, "the name of a user has");
}

int main(void)
{
    if (!begin())
        return 1;
    test_mailbox();
    test_states();
    test_reason();
    test_kept();
    test_drop();
    test_retry();
    test_take_over_done();
    test_take_over_held();
    test_lock();
    test_twins();
    test_forgetting();
    test_forgetting_in_short_journal();
    test_vanished();
    test_due();
    test_dates();
    test_guess();
    test_reach();
    test_index_grows();
    test_left();
    test_many_gone(true);
    test_many_gone(false);
    test_read_only();
    return end();
}
