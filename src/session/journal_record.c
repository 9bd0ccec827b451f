#include "session/journal_record.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"

#define CRC_LEN 8

/* Which fields a verb has, in this order. */
enum { ID = 1, MESSAGE = 2, KEEP = 4, NUMBER = 8, DATE = 16, WORDS = 32 };

static const struct shape {
    const char *name;
    unsigned fields;
} shapes[RECORD_VERBS] = {
    [RECORD_HEAD] = {"fetchpop-journal", NUMBER | WORDS},
    [RECORD_TAKE] = {"take", ID | MESSAGE | KEEP | WORDS},
    [RECORD_DROP] = {"drop", ID},
    [RECORD_DONE] = {"done", ID | MESSAGE | KEEP},
    [RECORD_GONE] = {"gone", ID | MESSAGE},
    [RECORD_FAIL] = {"fail", ID | MESSAGE | NUMBER | WORDS},
    [RECORD_DOUBT] = {"doubt", ID | MESSAGE | NUMBER | WORDS},
    [RECORD_HELD] = {"held", ID | MESSAGE | NUMBER | WORDS},
    [RECORD_PLACE] = {"place", WORDS},
    [RECORD_DAY] = {"day", NUMBER | DATE},
    [RECORD_MISS] = {"miss", ID | NUMBER},
    [RECORD_BACK] = {"back", ID},
};

static void write_message(const struct record *record, struct buf *out)
{
    char hex[2 * HEADER_FINGERPRINT + 1] = "-";
    if (record->print.known)
        digest_hex(record->print.bytes, HEADER_FINGERPRINT, hex);
    buf_addf(out, " %llu %s%s %llu ", (unsigned long long)record->size,
             record->print.has_message_id ? "m" : "n", hex, (unsigned long long)record->first_seen);
    buf_add(out, record->uidl.ptr, record->uidl.len);
}

void record_write(const struct record *record, struct buf *out)
{
    const struct shape *shape = &shapes[record->verb];
    size_t from = out->len;
    char crc[CRC_LEN + 1];
    buf_addf(out, "%0*d %s", CRC_LEN, 0, shape->name);
    if (shape->fields & ID)
        buf_addf(out, " %lu", (unsigned long)record->id);
    if (shape->fields & MESSAGE)
        write_message(record, out);
    if (shape->fields & KEEP)
        buf_addf(out, " %s", record->keep ? "keep" : "delete");
    if (shape->fields & NUMBER)
        buf_addf(out, " %llu", (unsigned long long)record->number);
    if (shape->fields & DATE)
        buf_addf(out, " %llu", (unsigned long long)record->date);
    if (shape->fields & WORDS) {
        buf_add(out, " ", 1);
        buf_add(out, record->words.ptr, record->words.len);
    }
    if (out->len < from + CRC_LEN + 1)
        return; /* past the buffer's maximum: the caller's bug, caught by its own check */
    snprintf(crc, sizeof crc, "%08lx",
             (unsigned long)digest_crc32(0, out->data + from + CRC_LEN + 1,
                                         out->len - from - CRC_LEN - 1));
    memcpy(out->data + from, crc, CRC_LEN);
    buf_add(out, "\n", 1);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int check_crc(struct str *line)
{
    uint32_t told = 0;
    if (line->len < CRC_LEN + 2 || line->ptr[CRC_LEN] != ' ')
        return -1;
    for (size_t i = 0; i < CRC_LEN; i++) {
        int digit = hex_digit(line->ptr[i]);
        if (digit < 0)
            return -1;
        told = told << 4 | (uint32_t)digit;
    }
    *line = str_of(line->ptr + CRC_LEN + 1, line->len - CRC_LEN - 1);
    return digest_crc32(0, line->ptr, line->len) == told ? 0 : -1;
}

static int read_print(struct str word, struct journal_print *print)
{
    if (word.len < 2 || (word.ptr[0] != 'm' && word.ptr[0] != 'n'))
        return -1;
    print->has_message_id = word.ptr[0] == 'm';
    print->known = !(word.len == 2 && word.ptr[1] == '-');
    if (!print->known)
        return 0;
    if (word.len != 1 + 2 * HEADER_FINGERPRINT)
        return -1;
    for (size_t i = 0; i < HEADER_FINGERPRINT; i++) {
        int high = hex_digit(word.ptr[1 + 2 * i]), low = hex_digit(word.ptr[2 + 2 * i]);
        if (high < 0 || low < 0)
            return -1;
        print->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

static int read_message(struct str *rest, struct record *record)
{
    if (str_number(str_word(rest), UINT64_MAX, &record->size) < 0 ||
        read_print(str_word(rest), &record->print) < 0 ||
        str_number(str_word(rest), UINT32_MAX, &record->first_seen) < 0)
        return -1;
    record->uidl = str_word(rest);
    return record->uidl.len > 0 ? 0 : -1;
}

static int read_keep(struct str word, bool *keep)
{
    *keep = str_is(word, "keep");
    return *keep || str_is(word, "delete") ? 0 : -1;
}

static int find_verb(struct str name)
{
    for (int verb = 0; verb < RECORD_VERBS; verb++)
        if (str_is(name, shapes[verb].name))
            return verb;
    return -1;
}

int record_read(struct str line, struct record *record)
{
    uint64_t id = 0;
    *record = (struct record){.id = JOURNAL_NONE};
    if (check_crc(&line) < 0)
        return -1;
    int verb = find_verb(str_word(&line));
    if (verb < 0)
        return -1;
    record->verb = (enum record_verb)verb;
    unsigned fields = shapes[verb].fields;
    if ((fields & ID) && str_number(str_word(&line), JOURNAL_ID_MAX, &id) < 0)
        return -1;
    record->id = (uint32_t)id;
    if (((fields & MESSAGE) && read_message(&line, record) < 0) ||
        ((fields & KEEP) && read_keep(str_word(&line), &record->keep) < 0) ||
        ((fields & NUMBER) && str_number(str_word(&line), UINT32_MAX, &record->number) < 0) ||
        ((fields & DATE) && str_number(str_word(&line), UINT32_MAX, &record->date) < 0))
        return -1;
    if (fields & WORDS)
        record->words = str_trim(line);
    return 0;
}
