/* SPDX-License-Identifier: ISC */
/*
 * table: each entry is found under its UIDL and under no other, whatever comes and goes, and says
 * all there is to say of it from wherever its line is.
 */
#include "state/table.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/words.h"
#include "base/xalloc.h"

#include "tap.h"

static char path[] = "/tmp/test-table-XXXXXX";
static struct lines *lines;
static struct table *table;

static void begin(void)
{
    struct err err;
    if (truncate(path, 0) < 0 || lines_open(&lines, path, LINES_WRITE, false, &err) < 0 ||
        lines_load(lines, &err) < 0)
        abort();
    table = table_new(lines);
    table_index(table);
}

static void end(void)
{
    table_free(table);
    lines_close(lines);
}

/* A record of a message, its UIDL escaped in static memory. */
static struct record message(const char *uidl, uint64_t size)
{
    static char escaped[WORDS_ESCAPED_MAX(RECORD_UIDL_MAX)];
    size_t len = words_escape(str_from(uidl), escaped, sizeof escaped);
    return (struct record){
        .verb = RECORD_GONE, .size = size, .first_seen = 7, .uidl = str_of(escaped, len)};
}

static uint32_t add(const char *uidl, uint64_t size)
{
    struct record record = message(uidl, size);
    uint32_t id = table_add(table, &record);
    table_entry(table, id)->state = JOURNAL_DONE;
    return id;
}

static void change(uint32_t id, const char *uidl, uint64_t size)
{
    struct record record = message(uidl, size);
    table_change(table, id, &record);
}

/* Its line goes to the file. */
static void write_line(uint32_t id)
{
    struct err err;
    struct buf line;
    struct record record = table_record(table, id);
    uint64_t at;
    buf_init(&line, RECORD_LINE_MAX);
    size_t uidl = record_write(&record, &line);
    if (lines_add(lines, buf_str(&line), &at) < 0)
        abort();
    table_refer(table, id, &record, at + uidl);
    buf_free(&line);
    if (lines_sync(lines, true, &err) < 0)
        abort();
}

static uint32_t find(const char *uidl)
{
    return table_find(table, str_from(uidl), JOURNAL_NONE);
}

static bool is_all(uint32_t id, const char *uidl, uint64_t size)
{
    char room[JOURNAL_UIDL_ROOM];
    struct record record = table_record(table, id);
    return record.id == id && record.verb == RECORD_DONE && record.first_seen == 7 &&
           record.size == size && table_size(table, id) == size &&
           str_is(table_uidl(table, id, room), uidl);
}

static void test_empty(void)
{
    begin();
    is_int(table_count(table), 0, "a new table has no entry");
    is_int(find("a"), JOURNAL_NONE, "nothing is found in it");
    end();
}

static void test_one(void)
{
    begin();
    uint32_t id = add("a b", 5);
    is_int(find("a b"), id, "an entry is found under its UIDL");
    is_int(find("a%20b"), JOURNAL_NONE, "and not under what that is written as");
    ok(is_all(id, "a b", 5), "all is known of an entry that is in memory alone");
    write_line(id);
    ok(is_all(id, "a b", 5), "and of one whose line is written");
    is_int(find("a b"), id, "which is found as before");
    end();
}

static void test_free(void)
{
    begin();
    uint32_t id = add("free", 1);
    table_entry(table, id)->state = JOURNAL_FREE;
    is_int(find("free"), JOURNAL_NONE, "an entry to which nothing happened is not found");
    end();
}

static void test_large(void)
{
    begin();
    uint32_t id = add("large", UINT64_MAX);
    ok(is_all(id, "large", UINT64_MAX), "a size of any length is known");
    end();
}

static void test_no_uidl(void)
{
    begin();
    char room[JOURNAL_UIDL_ROOM];
    uint32_t id = add("", 1);
    ok(table_entry(table, id)->blank, "an entry without a UIDL says so");
    is_int((long long)table_uidl(table, id, room).len, 0, "its UIDL is empty");
    is_int(find(""), id, "and found under nothing");
    is_int(find("%-"), JOURNAL_NONE, "which is another UIDL than how that is written");
    end();
}

static void test_twins(void)
{
    begin();
    uint32_t one = add("twin", 1), two = add("twin", 2), first = find("twin");
    uint32_t second = table_next(table, first);
    ok((first == one && second == two) || (first == two && second == one),
       "two entries of one UIDL are both found");
    is_int(table_next(table, second), JOURNAL_NONE, "and no third");
    table_entry(table, first)->state = JOURNAL_FREE;
    is_int(find("twin"), second, "where one of them is free, the other is found");
    end();
}

static void test_change(void)
{
    begin();
    uint32_t one = add("same", 1), two = add("same", 2);
    change(one, "other", 9);
    is_int(find("other"), one, "an entry is found under the UIDL that it learns");
    is_int(find("same"), two, "the one that had the same keeps it");
    is_int(table_next(table, two), JOURNAL_NONE, "it is the only one of its UIDL");
    ok(is_all(one, "other", 9), "what it learns is known");
    change(one, "same", 9);
    ok(find("other") == JOURNAL_NONE && table_next(table, find("same")) != JOURNAL_NONE,
       "it can go back to its old UIDL");
    end();
}

static void test_guess(void)
{
    begin();
    uint32_t lone = add("lone", 1), one = add("both", 2), two = add("both", 3);
    struct str uidl = str_from("both");
    uint32_t first = find("both");
    ok(table_find(table, uidl, one) == first && table_find(table, uidl, two) == first,
       "where two have one UIDL, a guess finds the same as none");
    ok(table_find(table, uidl, lone) == first && table_find(table, uidl, 1u << 24) == first,
       "a false guess, or one that is no entry, changes nothing");
    is_int(table_find(table, str_from("lone"), lone), lone, "a right guess finds the entry");
    end();
}

static void test_refers(void)
{
    begin();
    struct uidl_ref ref;
    uint32_t plain = add("plain", 1), odd = add("o d", 1);
    ok(!table_refers(table, plain, str_from("plain"), &ref), "what is in memory has no reference");
    write_line(plain);
    write_line(odd);
    ok(!table_refers(table, plain, str_from("plain"), &ref), "nor has what is not mapped");
    lines_remap(lines);
    ok(table_refers(table, plain, str_from("plain"), &ref) &&
           str_is(table_uidl_at(table, ref), "plain"),
       "a UIDL in the text of the file is read by its reference");
    change(plain, "changed", 1);
    ok(str_is(table_uidl_at(table, ref), "plain"), "also when its entry has another by then");
    ok(!table_refers(table, odd, str_from("o d"), &ref),
       "one that is written otherwise has no reference");
    ok(!table_refers(table, odd, str_from("o%20d"), &ref) || find("o%20d") != odd,
       "and is not taken for what it is written as");
    end();
}

static void test_words_of_another_state(void)
{
    begin();
    struct record record = message("failed", 1);
    record.verb = RECORD_HELD;
    record.reason = REASON_NO_END;
    record.words = str_from("said");
    uint32_t id = table_add(table, &record);
    table_entry(table, id)->state = JOURNAL_HELD;
    ok(table_record(table, id).reason == REASON_NO_END &&
           str_is(table_record(table, id).words, "said"),
       "a held entry has its reason and what was said");
    table_entry(table, id)->state = JOURNAL_FAILED;
    ok(table_record(table, id).reason == REASON_UNKNOWN && table_record(table, id).words.len == 0,
       "what was said of one state is not said of another");
    end();
}

/* Its lines are in no memory while the index grows: UIDLs are read again to be compared. */
static void test_grows(void)
{
    begin();
    uint32_t ids[3000], bad = 0;
    char uidl[JOURNAL_UIDL_ROOM];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(uidl, sizeof uidl, "grows-%06u", i);
        ids[i] = add(uidl, i);
        write_line(ids[i]);
    }
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(uidl, sizeof uidl, "grows-%06u", i);
        bad += find(uidl) != ids[i] || table_next(table, ids[i]) != JOURNAL_NONE ||
               !is_all(ids[i], uidl, i);
    }
    is_int(bad, 0, "each of many is found, alone, and knows what it knew");
    end();
}

/* Whoever comes and goes, searches end: slots that were used are used again. */
static void test_comes_and_goes(void)
{
    begin();
    uint32_t id = add("start", 1), bad = 0;
    char uidl[JOURNAL_UIDL_ROOM] = "start", before[JOURNAL_UIDL_ROOM];
    for (unsigned i = 0; i < 5000; i++) {
        memcpy(before, uidl, sizeof before);
        snprintf(uidl, sizeof uidl, "change-%u", i);
        change(id, uidl, i);
        bad += find(uidl) != id || find(before) != JOURNAL_NONE;
    }
    is_int(bad, 0, "an entry that changes its UIDL often is found under the last alone");
    end();
}

static void test_expect(void)
{
    begin();
    uint32_t bad = 0;
    char uidl[JOURNAL_UIDL_ROOM];
    add("early", 1);
    table_expect(table, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(uidl, sizeof uidl, "expected-%u", i);
        bad += find(uidl) != JOURNAL_NONE || add(uidl, i) != i + 1 || find(uidl) != i + 1;
    }
    is_int(bad, 0, "what was expected finds its room");
    ok(find("early") == 0, "and what was there before is still found");
    end();
}

static enum journal_state before_taken(uint32_t id, enum journal_state state)
{
    table_entry(table, id)->state = state;
    table_take(table, id, true);
    return table_entry(table, id)->before;
}

static void test_taking(void)
{
    begin();
    uint32_t id = add("one", 1);
    is_int(before_taken(id, JOURNAL_HELD), JOURNAL_FAILED, "who takes what was held releases it");
    is_int(before_taken(id, JOURNAL_DONE), JOURNAL_FAILED,
           "what was delivered and is asked for again is owed");
    is_int(before_taken(id, JOURNAL_KEPT), JOURNAL_KEPT, "what is kept stays kept");
    table_take(table, id, true);
    is_int(table_entry(table, id)->before, JOURNAL_KEPT,
           "what is taken twice returns to what it was before both");
    end();
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    test_empty();
    test_one();
    test_free();
    test_large();
    test_no_uidl();
    test_twins();
    test_change();
    test_guess();
    test_refers();
    test_words_of_another_state();
    test_grows();
    test_comes_and_goes();
    test_expect();
    test_taking();
    unlink(path);
    return tap_done();
}
