#include "session/journal_record.h"

#include <string.h>

#include "base/digest.h"

#define CRC_LEN 8
#define UIDL_MAX 255

/* Which fields a verb has, in this order. */
enum { ID = 1, MESSAGE = 2, KEEP = 4, NUMBER = 8, DATE = 16, WORDS = 32 };

#define NAME(text) text, sizeof(text) - 1

static const struct shape {
    const char *name;
    size_t len;
    unsigned fields;
} shapes[RECORD_VERBS] = {
    [RECORD_HEAD] = {NAME("fetchpop-journal"), NUMBER | WORDS},
    [RECORD_TAKE] = {NAME("take"), ID | MESSAGE | KEEP | WORDS},
    [RECORD_DROP] = {NAME("drop"), ID},
    [RECORD_DONE] = {NAME("done"), ID | MESSAGE | KEEP},
    [RECORD_GONE] = {NAME("gone"), ID | MESSAGE},
    [RECORD_FAIL] = {NAME("fail"), ID | MESSAGE | NUMBER | WORDS},
    [RECORD_DOUBT] = {NAME("doubt"), ID | MESSAGE | NUMBER | WORDS},
    [RECORD_HELD] = {NAME("held"), ID | MESSAGE | NUMBER | WORDS},
    [RECORD_PLACE] = {NAME("place"), WORDS},
    [RECORD_DAY] = {NAME("day"), NUMBER | DATE},
    [RECORD_MISS] = {NAME("miss"), ID | NUMBER},
    [RECORD_BACK] = {NAME("back"), ID},
};

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

static size_t write_message(const struct record *record, struct buf *out)
{
    char print[1 + 2 * HEADER_FINGERPRINT + 1] = "n-";
    if (record->print.known)
        digest_hex(record->print.bytes, HEADER_FINGERPRINT, print + 1);
    if (record->print.has_message_id)
        print[0] = 'm';
    write_number(record->size, out);
    write_word(str_from(print), out);
    write_number(record->first_seen, out);
    write_word(record->uidl, out);
    return out->len - record->uidl.len;
}

static void put_crc(char *line, size_t len)
{
    uint32_t crc = digest_crc32(0, line + CRC_LEN + 1, len - CRC_LEN - 1);
    for (int i = CRC_LEN - 1; i >= 0; i--, crc >>= 4)
        line[i] = "0123456789abcdef"[crc & 15];
}

size_t record_write(const struct record *record, struct buf *out)
{
    const struct shape *shape = &shapes[record->verb];
    size_t from = out->len, uidl = 0;
    buf_add(out, "00000000", CRC_LEN);
    write_word(str_of(shape->name, shape->len), out);
    if (shape->fields & ID)
        write_number(record->id, out);
    if (shape->fields & MESSAGE)
        uidl = write_message(record, out);
    if (shape->fields & KEEP)
        write_word(str_from(record->keep ? "keep" : "delete"), out);
    if (shape->fields & NUMBER)
        write_number(record->number, out);
    if (shape->fields & DATE)
        write_number(record->date, out);
    if (shape->fields & WORDS)
        write_word(record->words, out);
    if (out->len < from + CRC_LEN + 1)
        return 0; /* past the buffer's maximum: the caller's bug, caught by its own check */
    put_crc(out->data + from, out->len - from);
    buf_add(out, "\n", 1);
    return uidl;
}

/* 1 + the value of each hex digit. */
static const unsigned char hex_digits[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Two digits to a byte; false if one of them is none. */
static bool read_hex(const char *digits, unsigned char *bytes, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        unsigned high = hex_digits[(unsigned char)digits[2 * i]];
        unsigned low = hex_digits[(unsigned char)digits[2 * i + 1]];
        good = good && high != 0 && low != 0;
        bytes[i] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    return good;
}

static int check_crc(struct str *line)
{
    unsigned char told[CRC_LEN / 2];
    if (line->len < CRC_LEN + 2 || line->ptr[CRC_LEN] != ' ' ||
        !read_hex(line->ptr, told, sizeof told))
        return -1;
    *line = str_of(line->ptr + CRC_LEN + 1, line->len - CRC_LEN - 1);
    uint32_t crc = (uint32_t)told[0] << 24 | (uint32_t)told[1] << 16 | (uint32_t)told[2] << 8 |
                   (uint32_t)told[3];
    return digest_crc32(0, line->ptr, line->len) == crc ? 0 : -1;
}

/* Takes a word off the front. Between words of ours there is one blank. */
static struct str take_word(struct str *line)
{
    const char *end;
    if (line->len > 0 && line->ptr[0] == ' ')
        *line = str_of(line->ptr + 1, line->len - 1);
    end = memchr(line->ptr, ' ', line->len);
    struct str word = str_of(line->ptr, end != NULL ? (size_t)(end - line->ptr) : line->len);
    *line = str_of(line->ptr + word.len, line->len - word.len);
    return word;
}

static bool is_print(struct str word)
{
    return (word.len == 2 && word.ptr[1] == '-') || word.len == 1 + 2 * HEADER_FINGERPRINT;
}

struct journal_print record_print(const struct record *record)
{
    struct str text = record->print_text;
    struct journal_print print = {.known = text.len > 2};
    print.has_message_id = text.len > 0 && text.ptr[0] == 'm';
    if (print.known)
        print.known = read_hex(text.ptr + 1, print.bytes, HEADER_FINGERPRINT);
    return print;
}

/* As it stands in the line, but exactly what str_escape makes of a UIDL. */
static bool is_uidl(struct str word)
{
    char uidl[UIDL_MAX];
    size_t len;
    if (str_is_plain(word))
        return word.len <= UIDL_MAX;
    return str_unescape(word, uidl, sizeof uidl, &len) == 0;
}

static int read_message(struct str *rest, struct record *record)
{
    if (str_take_number(rest, UINT64_MAX, &record->size) < 0)
        return -1;
    record->print_text = take_word(rest);
    if (!is_print(record->print_text) || str_take_number(rest, UINT32_MAX, &record->first_seen) < 0)
        return -1;
    record->uidl = take_word(rest);
    return is_uidl(record->uidl) ? 0 : -1;
}

static int read_keep(struct str word, bool *keep)
{
    *keep = str_equal(word, str_of("keep", 4));
    return *keep || str_equal(word, str_of("delete", 6)) ? 0 : -1;
}

static int find_verb(struct str name)
{
    for (int verb = 0; verb < RECORD_VERBS; verb++)
        if (name.len == shapes[verb].len && name.ptr[0] == shapes[verb].name[0] &&
            memcmp(name.ptr, shapes[verb].name, name.len) == 0)
            return verb;
    return -1;
}

int record_read(struct str line, struct record *record)
{
    uint64_t id = 0;
    *record = (struct record){.id = JOURNAL_NONE};
    if (check_crc(&line) < 0)
        return -1;
    int verb = find_verb(take_word(&line));
    if (verb < 0)
        return -1;
    record->verb = (enum record_verb)verb;
    unsigned fields = shapes[verb].fields;
    if ((fields & ID) && str_take_number(&line, JOURNAL_ID_MAX, &id) < 0)
        return -1;
    record->id = (uint32_t)id;
    if (((fields & MESSAGE) && read_message(&line, record) < 0) ||
        ((fields & KEEP) && read_keep(take_word(&line), &record->keep) < 0) ||
        ((fields & NUMBER) && str_take_number(&line, UINT32_MAX, &record->number) < 0) ||
        ((fields & DATE) && str_take_number(&line, UINT32_MAX, &record->date) < 0))
        return -1;
    if (fields & WORDS)
        record->words = str_trim(line);
    return 0;
}
