/* SPDX-License-Identifier: ISC */
/*
 * record: every line comes back as it was written, no damaged one is believed, and those of version
 * 1 are understood.
 */
#include "state/record.h"

#include "base/words.h"
#include "tap.h"

static const struct fingerprint print_of_header = {
    .known = true, .kind = HEADER_IDENTIFIED, .bytes = {1, 2, 0xff}, .identity = {3}};
static char fingerprint[RECORD_FINGERPRINT + 1];

static struct record sample(enum record_verb verb)
{
    return (struct record){
        .verb = verb,
        .id = 7,
        .size = 1234567890123,
        .first_seen = 1700000000,
        .policy = verb == RECORD_TAKE ? JOURNAL_KEEP : JOURNAL_DELETE,
        .place = 4,
        .number = 3,
        .date = 20000,
        .next_try = 1700003600,
        .reason = REASON_REFUSED,
        .uidl = str_from("abc%20d"),
        .words = str_from("no%20such"),
        .fingerprint = record_write_fingerprint(&print_of_header, fingerprint),
    };
}

/* The line of a record, its end cut off; in static memory. */
static struct str line_of(const struct record *record)
{
    static char text[4096];
    struct buf line;
    buf_init(&line, sizeof text);
    record_write(record, &line);
    size_t len = line.len - 1;
    memcpy(text, line.data, len);
    text[len] = '\0';
    buf_free(&line);
    return str_of(text, len);
}

static struct record again(const struct record *record)
{
    struct record got = {0};
    struct str line = line_of(record);
    ok(record_read(line, &got) == 0, "it is read: %s", line.ptr);
    ok(got.verb == record->verb && !got.old, "and has the verb that was written");
    return got;
}

static void is_message(const struct record *got, const struct record *want)
{
    struct fingerprint known = record_fingerprint(got);
    ok(got->id == want->id && got->size == want->size && got->first_seen == want->first_seen,
       "number, size and date of the message come back");
    ok(str_equal(got->uidl, want->uidl), "its UIDL comes back");
    ok(known.known && known.kind == HEADER_IDENTIFIED && !known.retrieved &&
           memcmp(known.bytes, print_of_header.bytes, sizeof known.bytes) == 0 &&
           memcmp(known.identity, print_of_header.identity, sizeof known.identity) == 0,
       "its fingerprint comes back");
}

static void test_messages(void)
{
    static const enum record_verb verbs[] = {RECORD_TAKE, RECORD_DONE,    RECORD_GONE,
                                             RECORD_FAIL, RECORD_DOUBT,   RECORD_HELD,
                                             RECORD_KEPT, RECORD_REFUSED, RECORD_LEFT};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct record want = sample(verbs[i]), got = again(&want);
        is_message(&got, &want);
    }
}

static int policy_again(enum journal_policy policy)
{
    struct record want = sample(RECORD_TAKE);
    want.policy = policy;
    struct record got = again(&want);
    return (int)got.policy;
}

static void test_take(void)
{
    struct record want = sample(RECORD_TAKE), got = again(&want);
    ok(got.place == 4 && str_equal(got.words, want.words),
       "a take has the number of its place, and the rest of its receipt");
    is_int(policy_again(JOURNAL_KEEP), JOURNAL_KEEP, "and its policy");
    is_int(policy_again(JOURNAL_DELETE), JOURNAL_DELETE, "another policy is kept too");
    is_int(policy_again(JOURNAL_STUB), JOURNAL_STUB, "and the third");
}

static void test_failures(void)
{
    for (int verb = RECORD_FAIL; verb <= RECORD_LEFT; verb++) {
        struct record want = sample((enum record_verb)verb), got = again(&want);
        ok(got.number == 3 && got.next_try == 1700003600, "a failure has its tries and next time");
        ok(got.reason == REASON_REFUSED && str_equal(got.words, want.words),
           "a failure has its reason, and what was said");
    }
}

static void test_files(void)
{
    static const enum record_verb verbs[] = {RECORD_TAKE, RECORD_KEPT, RECORD_REFUSED};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct record want = sample(verbs[i]);
        want.file = str_from("1.M2P3Q4Fid.host");
        want.octets = 5000000000;
        struct record got = again(&want);
        ok(str_equal(got.file, want.file) && got.octets == want.octets, "its file comes back");
        want.file = str_of("", 0);
        got = again(&want);
        ok(got.file.len == 0, "also that it has none");
        if (verbs[i] == RECORD_TAKE) /* which was less particular once */
            continue;
        want.file = str_from("../journal");
        struct str line = line_of(&want);
        is_int(record_read(line, &got), -1, "a file is in no other folder");
    }
}

static void test_reasons(void)
{
    for (int reason = 0; reason < REASONS; reason++) {
        struct record want = sample(RECORD_HELD);
        want.reason = (enum reason)reason;
        want.words = str_of("", 0);
        struct record got = again(&want);
        ok(got.reason == want.reason && got.words.len == 0,
           "reason \"%s\" comes back, without words", reason_word(want.reason));
    }
}

static void test_reason_text(void)
{
    char text[80];
    is_str(reason_text(REASON_REFUSED, str_from("why not"), text, sizeof text),
           "the server refuses it: \"why not\"", "a refusal is told in the server's words");
    is_str(reason_text(REASON_TOO_LONG, str_from("x"), text, sizeof text),
           "it is longer than max_size", "words that say nothing more are not shown");
    is_str(reason_text(REASON_DESTINATION, str_from("status 70"), text, sizeof text), "status 70",
           "what a command said stands for itself");
    is_int(reason_read(str_from("no-such-reason")), REASON_UNKNOWN,
           "a later version's reason is unknown, and no damage");
}

static void test_others(void)
{
    struct record want = sample(RECORD_DAY), got = again(&want);
    ok(got.number == 3 && got.date == 20000, "a day has its number and date");
    want = sample(RECORD_MISS);
    got = again(&want);
    ok(got.id == 7 && got.number == 3, "a miss has its entry and day");
    want = sample(RECORD_PLACE);
    got = again(&want);
    ok(got.number == 3 && str_equal(got.words, want.words), "a place has its number and its words");
    want = sample(RECORD_SWEEP);
    got = again(&want);
    ok(str_equal(got.words, want.words), "the place to sweep has its words");
}

/* Any one bit changed, and any cut. */
static void test_damage(void)
{
    struct record want = sample(RECORD_TAKE), got;
    struct str line = line_of(&want);
    char *text = (char *)(uintptr_t)line.ptr;
    size_t believed = 0;
    for (size_t i = 0; i < line.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= (char)(1 << bit);
            believed += record_read(line, &got) == 0;
            text[i] ^= (char)(1 << bit);
        }
        believed += record_read(str_of(text, i), &got) == 0;
        believed += record_read(str_of(text + i + 1, line.len - i - 1), &got) == 0;
    }
    is_int((long long)believed, 0, "no damaged line is believed");
    is_int(record_read(line, &got), 0, "the whole one still is");
    is_int(record_read(str_of("", 0), &got), -1, "nothing is no record");
}

static void test_no_fingerprint(void)
{
    struct record want = sample(RECORD_DONE);
    want.fingerprint = str_of("", 0);
    struct record got = again(&want);
    struct fingerprint known = record_fingerprint(&got);
    ok(!known.known && known.kind == HEADER_ANONYMOUS, "a message without a fingerprint has none");
}

/* The record's texts are good until the next call. */
static struct record read_old(const char *text)
{
    struct record got = {0};
    static char line[300];
    size_t len = strlen(text);
    words_sum(str_of(text, len), line);
    line[WORDS_SUM] = ' ';
    memcpy(line + WORDS_SUM + 1, text, len);
    ok(record_read(str_of(line, len + WORDS_SUM + 1), &got) == 0, "version 1 is read: %s", text);
    ok(got.old, "and known to be that");
    return got;
}

static void test_old(void)
{
    struct record got = read_old("take 8 109 n- 1790000109 open delete maildir 109 n m /a%20b");
    ok(got.verb == RECORD_TAKE && str_is(got.words, "maildir 109 n m /a%20b"),
       "an old take has its whole receipt");
    got = read_old("fail 3 104 n- 1790000104 fails 2 no%20luck");
    ok(got.verb == RECORD_FAIL && got.number == 2 && got.reason == REASON_UNKNOWN &&
           str_is(got.words, "no%20luck"),
       "an old failure has its tries and its sentence");
    got = read_old("held 5 9 n- 1790106000 long 1 it%20is%20longer%20than%20max_size");
    ok(got.verb == RECORD_HELD && got.reason == REASON_TOO_LONG,
       "what was held for its length still is");
    got = read_old("held 5 9 n- 1790106000 long 1 it%20is%20longer%20than%20max_size,"
                   "%20whatever%20LIST%20says");
    ok(got.reason == REASON_SURPRISE, "also where LIST said otherwise");
    got = read_old("doubt 4 105 n- 1790000105 d 0 7");
    ok(got.verb == RECORD_DOUBT && str_is(got.words, "7"), "an old sentence may be a number");
    got = read_old("place maildir /home/alice");
    ok(got.verb == RECORD_SWEEP && str_is(got.words, "maildir /home/alice"),
       "an old place is the one to sweep");
}

static void test_states(void)
{
    size_t bad = 0;
    for (int state = JOURNAL_FAILED; state <= JOURNAL_GONE; state++)
        bad += record_state(record_verb((enum journal_state)state)) != (enum journal_state)state;
    is_int((long long)bad, 0, "each state has a verb that brings it back");
}

int main(void)
{
    test_messages();
    test_take();
    test_failures();
    test_files();
    test_reasons();
    test_reason_text();
    test_others();
    test_damage();
    test_no_fingerprint();
    test_old();
    test_states();
    return tap_done();
}
