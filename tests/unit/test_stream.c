/* SPDX-License-Identifier: ISC */
/*
 * stream: how many turns a poll takes, what is on its way at once, and whose turn it is.
 */
#include "session/stream.h"

#include "tap.h"

#define KILO ((uint64_t)1024)
#define BATCH 500 /* messages that are committed together, and may then be deleted */

/* A server that answers nothing until the client has no more to say, and then all of it. */
struct line {
    struct stream stream;
    uint64_t size; /* of each message */
    unsigned wanted, delivered, deleted;
    unsigned most_retr, most_both, in_a_row, dele_row;
    bool delete;
};

static bool send_one(struct line *line)
{
    struct stream *stream = &line->stream;
    bool all_came = line->wanted == 0 && stream->retr == 0;
    unsigned done = all_came ? line->delivered : line->delivered / BATCH * BATCH;
    unsigned waiting = line->delete ? done - line->deleted - stream->dele : 0;
    if (waiting > 0 && stream_wants_dele(stream, line->wanted > 0)) {
        stream_dele_sent(stream);
        line->dele_row++;
    } else if (line->wanted > 0 && stream_wants_more(stream) && stream_fits(stream, line->size)) {
        stream_retr_sent(stream, line->size);
        line->wanted--;
        line->dele_row = 0;
    } else {
        return false;
    }
    if (line->dele_row > line->in_a_row && line->wanted > 0)
        line->in_a_row = line->dele_row;
    if (stream->retr > line->most_retr)
        line->most_retr = stream->retr;
    if (stream->retr + stream->dele > line->most_both)
        line->most_both = stream->retr + stream->dele;
    return true;
}

/* After each answer the client may speak again, but what it says then is answered in the next
 * turn. */
static unsigned count_turns(struct line *line, unsigned retr_max)
{
    unsigned turns = 0;
    stream_init(&line->stream, retr_max);
    for (;;) {
        while (send_one(line)) {
        }
        unsigned retr = line->stream.retr, dele = line->stream.dele;
        if (retr + dele == 0)
            return turns;
        for (; retr > 0; retr--) {
            stream_retr_answered(&line->stream, line->size);
            line->delivered++;
            while (send_one(line)) {
            }
        }
        for (; dele > 0; dele--) {
            stream_dele_answered(&line->stream);
            line->deleted++;
        }
        turns++;
    }
}

static void test_turns(void)
{
    static const struct {
        unsigned count, keep, no;
    } rows[] = {{0, 0, 0}, {1, 1, 2}, {1000, 1, 2}, {1001, 2, 3}, {10000, 10, 11}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct line keep = {.size = 100, .wanted = rows[i].count};
        struct line no = {.size = 100, .wanted = rows[i].count, .delete = true};
        is_int(count_turns(&keep, STREAM_RETR), rows[i].keep, "turns with keep = yes");
        is_int(count_turns(&no, STREAM_RETR), rows[i].no, "turns with keep = no");
        is_int(no.deleted, rows[i].count, "each has its DELE");
        ok(no.most_retr <= STREAM_RETR && no.most_both <= STREAM_BOTH, "and none is one too many");
        ok(no.in_a_row <= 1, "while there is more mail, one DELE after each RETR");
    }
}

static unsigned most_at_once(uint64_t size, unsigned count, unsigned retr_max)
{
    struct line line = {.size = size, .wanted = count};
    count_turns(&line, retr_max);
    is_int(line.delivered, count, "all of them came");
    return line.most_retr;
}

static void test_octets(void)
{
    is_int(most_at_once(64 * KILO * KILO, 9, STREAM_RETR), STREAM_LEAST,
           "three messages are on their way, however long");
    is_int(most_at_once(UINT64_MAX, 9, STREAM_RETR), STREAM_LEAST,
           "also when LIST says what cannot be");
    is_int(most_at_once(100 * KILO, 200, STREAM_RETR), 40, "4 MB of longer ones");
    is_int(most_at_once(0, 3000, STREAM_RETR), STREAM_RETR, "a thousand of unknown length");
}

static void test_few(void)
{
    for (unsigned max = 1; max <= 4; max++)
        is_int(most_at_once(100, 20, max), max, "no more at once than there are descriptors for");
}

/* Filled to the brim, and then not touched until a quarter has come. */
static void test_quarters(void)
{
    struct stream stream;
    stream_init(&stream, STREAM_RETR);
    while (stream_wants_more(&stream) && stream_fits(&stream, 1))
        stream_retr_sent(&stream, 1);
    is_int(stream.retr, STREAM_RETR, "filled to the brim");
    unsigned answered = 0;
    while (!stream_wants_more(&stream)) {
        stream_retr_answered(&stream, 1);
        answered++;
    }
    is_int(answered, STREAM_RETR / 4, "a quarter came before more is asked for");
    ok(stream_wants_dele(&stream, true), "then DELE has its turn");
    stream_dele_sent(&stream);
    ok(!stream_wants_dele(&stream, true), "and leaves the next to RETR");
    ok(stream_wants_dele(&stream, false), "unless no more mail is wanted");
}

int main(void)
{
    test_turns();
    test_octets();
    test_few();
    test_quarters();
    return tap_done();
}
