/*
 * journal_record: every record comes back as it was written, and no damaged line is believed.
 */
#include "session/journal_record.h"

#include "tap.h"

static struct record sample(enum record_verb verb)
{
    struct record record = {
        .verb = verb,
        .id = 7,
        .size = 1234567890123,
        .first_seen = 1700000000,
        .keep = verb == RECORD_TAKE,
        .number = 3,
        .date = 20000,
        .uidl = str_from("abc%20d"),
        .words = str_from("maildir 12 a.b.c d.e.f /x/y"),
        .print = {.known = true, .has_message_id = true, .bytes = {1, 2, 0xff}},
    };
    return record;
}

static void is_same(const struct record *got, const struct record *want, const char *line)
{
    struct record record = *want;
    is_int(got->verb, want->verb, "the verb");
    bool message =
        want->verb >= RECORD_TAKE && want->verb <= RECORD_HELD && want->verb != RECORD_DROP;
    struct journal_print print = record_print(got);
    if (message) {
        ok(got->id == record.id && got->size == record.size &&
               got->first_seen == record.first_seen && str_equal(got->uidl, record.uidl),
           "the message: %s", line);
        ok(print.known && print.has_message_id &&
               memcmp(print.bytes, record.print.bytes, sizeof print.bytes) == 0,
           "its print");
    }
    if (want->verb == RECORD_TAKE || want->verb == RECORD_DONE)
        ok(got->keep == record.keep, "its policy");
    if (want->verb == RECORD_TAKE || want->verb == RECORD_PLACE || want->verb == RECORD_HELD)
        ok(str_equal(got->words, record.words), "the words");
    if (want->verb == RECORD_DAY)
        ok(got->number == 3 && got->date == 20000, "the day");
}

static void test_round_trip(void)
{
    for (int verb = 0; verb < RECORD_VERBS; verb++) {
        struct record want = sample((enum record_verb)verb), got;
        struct buf line;
        buf_init(&line, 4096);
        record_write(&want, &line);
        ok(line.len > 10 && line.data[line.len - 1] == '\n', "a whole line");
        is_int(record_read(str_of(line.data, line.len - 1), &got), 0, "is read again");
        line.data[line.len - 1] = '\0';
        is_same(&got, &want, line.data);
        buf_free(&line);
    }
}

/* Any one byte changed, and any cut, is noticed. */
static void test_damage(void)
{
    struct record want = sample(RECORD_TAKE), got;
    struct buf line;
    size_t believed = 0;
    buf_init(&line, 4096);
    record_write(&want, &line);
    size_t len = line.len - 1;
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            line.data[i] ^= (char)(1 << bit);
            believed += record_read(str_of(line.data, len), &got) == 0;
            line.data[i] ^= (char)(1 << bit);
        }
        believed += record_read(str_of(line.data, i), &got) == 0;
        believed += record_read(str_of(line.data + i + 1, len - i - 1), &got) == 0;
    }
    is_int((long long)believed, 0, "no damaged line is believed");
    is_int(record_read(str_of(line.data, len), &got), 0, "the whole one still is");
    is_int(record_read(str_of("", 0), &got), -1, "nothing is no record");
    buf_free(&line);
}

static void test_prints(void)
{
    struct record want = sample(RECORD_DONE), got;
    struct buf line;
    buf_init(&line, 4096);
    want.print = (struct journal_print){.known = false};
    record_write(&want, &line);
    is_int(record_read(str_of(line.data, line.len - 1), &got), 0, "without a print");
    struct journal_print print = record_print(&got);
    ok(!print.known && !print.has_message_id, "there is none");
    buf_free(&line);
}

int main(void)
{
    test_round_trip();
    test_damage();
    test_prints();
    return tap_done();
}
