/* SPDX-License-Identifier: ISC */
#include "state/record.h"

#include <string.h>

#include "base/words.h"

/* Which fields a verb has, in this order. */
enum {
    ID = 1,
    MESSAGE = 2,
    POLICY = 4,
    PLACE = 8,
    NUMBER = 16,
    DATE = 32,
    FAILURE = 64,
    FILE_NAME = 128,
    WORDS = 256
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define FAILED (ID | MESSAGE | NUMBER | FAILURE | WORDS)
#define KEPT (FAILED | FILE_NAME)
#define OLD_FAILED (ID | MESSAGE | NUMBER | WORDS)

/* `old`: the fields in version 1, if they were others. No such line can be read as one of today:
 * where a number stands now, it has a kind or a sentence, and one word where there are three. */
static const struct shape {
    struct str name;
    unsigned fields, old;
    enum journal_state state;
} shapes[RECORD_VERBS] = {
    [RECORD_HEAD] = {NAME("fetchpop-journal"), NUMBER | WORDS, 0, JOURNAL_FREE},
    [RECORD_PLACE] = {NAME("place"), NUMBER | WORDS, WORDS, JOURNAL_FREE},
    [RECORD_SWEEP] = {NAME("sweep"), DATE | WORDS, WORDS, JOURNAL_FREE},
    [RECORD_NAMES] = {NAME("names"), WORDS, 0, JOURNAL_FREE},
    [RECORD_DAY] = {NAME("day"), NUMBER | DATE, 0, JOURNAL_FREE},
    [RECORD_TAKE] = {NAME("take"), ID | MESSAGE | POLICY | PLACE | FILE_NAME | WORDS,
                     ID | MESSAGE | POLICY | WORDS, JOURNAL_TAKEN},
    [RECORD_DROP] = {NAME("drop"), ID, 0, JOURNAL_FREE},
    [RECORD_DONE] = {NAME("done"), ID | MESSAGE | POLICY, 0, JOURNAL_DONE},
    [RECORD_GONE] = {NAME("gone"), ID | MESSAGE, 0, JOURNAL_GONE},
    [RECORD_FAIL] = {NAME("fail"), FAILED, OLD_FAILED, JOURNAL_FAILED},
    [RECORD_DOUBT] = {NAME("doubt"), FAILED, OLD_FAILED, JOURNAL_DOUBTED},
    [RECORD_HELD] = {NAME("held"), FAILED, OLD_FAILED, JOURNAL_HELD},
    [RECORD_KEPT] = {NAME("kept"), KEPT, 0, JOURNAL_KEPT},
    [RECORD_REFUSED] = {NAME("refused"), KEPT, 0, JOURNAL_REFUSED},
    [RECORD_LEFT] = {NAME("left"), FAILED, 0, JOURNAL_LEFT},
    [RECORD_MISS] = {NAME("miss"), ID | NUMBER, 0, JOURNAL_FREE},
    [RECORD_BACK] = {NAME("back"), ID, 0, JOURNAL_FREE},
    [RECORD_DUE] = {NAME("due"), ID | NUMBER, 0, JOURNAL_FREE},
    [RECORD_CLOCK] = {NAME("clock"), DATE, 0, JOURNAL_FREE},
    [RECORD_RULES] = {NAME("rules"), WORDS, 0, JOURNAL_FREE},
};

static const char *const policies[] = {
    [JOURNAL_DELETE] = "delete", [JOURNAL_KEEP] = "keep", [JOURNAL_STUB] = "stub"};

/* This sentence was how a message held for its length was recognized. */
#define OLD_TOO_LONG "it%20is%20longer%20than%20max_size"
#define OLD_SURPRISE OLD_TOO_LONG ",%20whatever%20LIST%20says"

enum record_verb record_verb(enum journal_state state)
{
    for (int verb = 0; verb < RECORD_VERBS; verb++)
        if (shapes[verb].state == state && state != JOURNAL_FREE)
            return (enum record_verb)verb;
    return RECORD_GONE;
}

enum journal_state record_state(enum record_verb verb)
{
    return shapes[verb].state;
}

bool record_is_here(enum journal_state state)
{
    return state == JOURNAL_KEPT || state == JOURNAL_REFUSED;
}

/* ---- out ---- */

/* A blank and a number. printf would be most of the work of writing a journal. */
static void write_number(uint64_t number, struct buf *out)
{
    char digits[21];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    digits[--at] = ' ';
    buf_add(out, digits + at, sizeof digits - at);
}

static void write_word(struct str word, struct buf *out)
{
    buf_add(out, " ", 1);
    buf_add(out, word.ptr, word.len);
}

#define NO_FINGERPRINT "n-"
#define OLD_FINGERPRINT (1 + 2 * HEADER_FINGERPRINT) /* octets */

struct str record_write_fingerprint(const struct fingerprint *fingerprint,
                                    char out[RECORD_FINGERPRINT + 1])
{
    if (!fingerprint->known)
        return str_from(NO_FINGERPRINT);
    out[0] = fingerprint->retrieved ? 'r' : 't';
    out[1] = (char)('0' + fingerprint->kind);
    words_hex(fingerprint->bytes, HEADER_FINGERPRINT, out + 2);
    words_hex(fingerprint->identity, HEADER_IDENTITY, out + 2 + 2 * HEADER_FINGERPRINT);
    return str_from(out);
}

static size_t write_message(const struct record *record, struct buf *out)
{
    write_number(record->size, out);
    write_word(record->fingerprint.len > 0 ? record->fingerprint : str_from(NO_FINGERPRINT), out);
    write_number(record->first_seen, out);
    write_word(record->uidl.len > 0 ? record->uidl : str_from(WORDS_EMPTY), out);
    return out->len - (record->uidl.len > 0 ? record->uidl.len : sizeof WORDS_EMPTY - 1);
}

static void write_failure(const struct record *record, struct buf *out)
{
    write_number(record->next_try, out);
    write_word(str_from(reason_word(record->reason)), out);
}

static void write_file(const struct record *record, struct buf *out)
{
    write_number(record->octets, out);
    write_word(record->file.len > 0 ? record->file : str_from(WORDS_EMPTY), out);
}

size_t record_write(const struct record *record, struct buf *out)
{
    const struct shape *shape = &shapes[record->verb];
    size_t from = out->len, uidl = 0;
    buf_add(out, "00000000", WORDS_SUM);
    write_word(shape->name, out);
    if (shape->fields & ID)
        write_number(record->id, out);
    if (shape->fields & MESSAGE)
        uidl = write_message(record, out);
    if (shape->fields & POLICY)
        write_word(str_from(policies[record->policy]), out);
    if (shape->fields & PLACE)
        write_number(record->place, out);
    if (shape->fields & NUMBER)
        write_number(record->number, out);
    if (shape->fields & DATE)
        write_number(record->date, out);
    if (shape->fields & FAILURE)
        write_failure(record, out);
    if (shape->fields & FILE_NAME)
        write_file(record, out);
    if (shape->fields & WORDS)
        write_word(record->words.len > 0 ? record->words : str_from(WORDS_EMPTY), out);
    if (out->len < from + WORDS_SUM + 1)
        return 0; /* past the buffer's maximum: the caller's bug, caught by its own check */
    words_sum(str_of(out->data + from + WORDS_SUM + 1, out->len - from - WORDS_SUM - 1),
              out->data + from);
    buf_add(out, "\n", 1);
    return uidl;
}

/* ---- in ---- */

static int check_sum(struct str *line)
{
    if (line->len < WORDS_SUM + 2 || line->ptr[WORDS_SUM] != ' ')
        return -1;
    struct str sum = str_of(line->ptr, WORDS_SUM);
    *line = str_of(line->ptr + WORDS_SUM + 1, line->len - WORDS_SUM - 1);
    return words_is_sum(sum, *line) ? 0 : -1;
}

/* Takes a word off the front. Between words of ours there is one blank. */
static struct str take_word(struct str *line)
{
    const char *end;
    if (line->len > 0 && line->ptr[0] == ' ')
        *line = str_behind(*line, 1);
    end = memchr(line->ptr, ' ', line->len);
    struct str word = str_of(line->ptr, end != NULL ? (size_t)(end - line->ptr) : line->len);
    *line = str_behind(*line, word.len);
    return word;
}

static bool is_fingerprint(struct str word)
{
    return (word.len == 2 && word.ptr[1] == '-') || word.len == OLD_FINGERPRINT ||
           word.len == RECORD_FINGERPRINT;
}

struct fingerprint record_fingerprint(const struct record *record)
{
    struct str text = record->fingerprint;
    struct fingerprint fingerprint = {.known = false};
    if (text.len != RECORD_FINGERPRINT || text.ptr[1] < '0' || text.ptr[1] > '0' + HEADER_DATED)
        return fingerprint;
    struct str bytes = str_of(text.ptr + 2, (size_t)2 * HEADER_FINGERPRINT);
    struct str identity = str_of(bytes.ptr + bytes.len, (size_t)2 * HEADER_IDENTITY);
    fingerprint.retrieved = text.ptr[0] == 'r';
    fingerprint.kind = (enum header_kind)(text.ptr[1] - '0');
    fingerprint.known = words_read_hex(bytes, fingerprint.bytes, HEADER_FINGERPRINT) == 0 &&
                        words_read_hex(identity, fingerprint.identity, HEADER_IDENTITY) == 0;
    return fingerprint;
}

/* As it stands in the line, but exactly what words_escape makes of a UIDL. */
static bool is_uidl(struct str word)
{
    char uidl[RECORD_UIDL_MAX];
    size_t len;
    if (words_is_plain(word))
        return word.len <= RECORD_UIDL_MAX;
    return words_unescape(word, uidl, sizeof uidl, &len) == 0;
}

static int read_message(struct str *rest, struct record *record)
{
    if (str_take_number(rest, UINT64_MAX, &record->size) < 0)
        return -1;
    record->fingerprint = take_word(rest);
    if (!is_fingerprint(record->fingerprint) ||
        str_take_number(rest, UINT32_MAX, &record->first_seen) < 0)
        return -1;
    record->uidl = take_word(rest);
    return is_uidl(record->uidl) ? 0 : -1;
}

static int read_policy(struct str word, enum journal_policy *policy)
{
    for (int i = 0; i <= JOURNAL_STUB; i++) {
        *policy = (enum journal_policy)i;
        if (str_is(word, policies[i]))
            return 0;
    }
    return -1;
}

static int read_place(struct str *rest, uint32_t *place)
{
    uint64_t number;
    if (str_take_number(rest, UINT32_MAX, &number) < 0 || number == 0)
        return -1;
    *place = (uint32_t)number;
    return 0;
}

/* An unknown reason is a later version's; the line is not damaged. */
static int read_failure(struct str *rest, struct record *record)
{
    if (str_take_number(rest, UINT32_MAX, &record->next_try) < 0)
        return -1;
    record->reason = reason_read(take_word(rest));
    return str_trim(*rest).len > 0 ? 0 : -1;
}

static int read_file(struct str *rest, struct record *record)
{
    if (str_take_number(rest, UINT64_MAX, &record->octets) < 0)
        return -1;
    record->file = take_word(rest);
    if (str_is(record->file, WORDS_EMPTY))
        record->file = str_of("", 0);
    return memchr(record->file.ptr, '/', record->file.len) == NULL ? 0 : -1;
}

static int read_fields(unsigned fields, struct str rest, struct record *record)
{
    uint64_t id = JOURNAL_NONE;
    if (((fields & ID) && str_take_number(&rest, RECORD_ID_MAX, &id) < 0) ||
        ((fields & MESSAGE) && read_message(&rest, record) < 0) ||
        ((fields & POLICY) && read_policy(take_word(&rest), &record->policy) < 0) ||
        ((fields & PLACE) && read_place(&rest, &record->place) < 0) ||
        ((fields & NUMBER) && str_take_number(&rest, UINT32_MAX, &record->number) < 0) ||
        ((fields & DATE) && str_take_number(&rest, UINT32_MAX, &record->date) < 0) ||
        ((fields & FAILURE) && read_failure(&rest, record) < 0) ||
        ((fields & FILE_NAME) && read_file(&rest, record) < 0))
        return -1;
    record->id = (uint32_t)id;
    if (!(fields & WORDS))
        return 0;
    rest = str_trim(rest);
    if (!str_is(rest, WORDS_EMPTY))
        record->words = rest;
    return memchr(rest.ptr, '\0', rest.len) == NULL ? 0 : -1;
}

/* A line of version 1. */
static int read_old(enum record_verb verb, struct str rest, struct record *record)
{
    *record = (struct record){.verb = verb == RECORD_PLACE ? RECORD_SWEEP : verb, .old = true};
    if (shapes[verb].old == 0 || read_fields(shapes[verb].old, rest, record) < 0)
        return -1;
    if (str_is(record->words, OLD_TOO_LONG))
        record->reason = REASON_TOO_LONG;
    if (str_is(record->words, OLD_SURPRISE))
        record->reason = REASON_SURPRISE;
    return 0;
}

static int find_verb(struct str name)
{
    for (int verb = 0; verb < RECORD_VERBS; verb++)
        if (name.len == shapes[verb].name.len && name.ptr[0] == shapes[verb].name.ptr[0] &&
            memcmp(name.ptr, shapes[verb].name.ptr, name.len) == 0)
            return verb;
    return -1;
}

int record_read(struct str line, struct record *record)
{
    *record = (struct record){.id = JOURNAL_NONE};
    if (check_sum(&line) < 0)
        return -1;
    int verb = find_verb(take_word(&line));
    if (verb < 0)
        return -1;
    record->verb = (enum record_verb)verb;
    if (read_fields(shapes[verb].fields, line, record) == 0)
        return 0;
    return read_old((enum record_verb)verb, line, record);
}

struct record record_read_as(struct str line, enum journal_state state)
{
    struct record record;
    enum record_verb verb = record_verb(state);
    if (record_read(line, &record) < 0)
        record = (struct record){.verb = verb};
    if (record.verb != verb) { /* but the file of one that was taken stays its file */
        record.words = str_of("", 0);
        record.reason = REASON_UNKNOWN;
        record.next_try = record.place = 0;
    }
    record.verb = verb;
    return record;
}
