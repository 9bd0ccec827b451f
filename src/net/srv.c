/* SPDX-License-Identifier: ISC */
#include "net/srv.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"

/* RFC 1035, 3.2 and 4.1; RFC 2782 */
#define HEAD_LEN 12    /* of a message */
#define QUESTION_LEN 4 /* behind its name */
#define RECORD_LEN 10  /* behind its name: type, class, time to live, length */
#define TARGET_AT 6    /* behind priority, weight and port */
#define LABEL_MAX 63
#define NAME_LEN 254 /* with a dot for each length: 255 octets, but for the root's */
#define POINTER 0xc0 /* in the place of a length: the rest of the name is elsewhere */

/* A label of the DNS may hold other bytes, too; a host name in a configuration file may not. */
static bool is_host(struct str name)
{
    return str_is_made_of(name, "-._") && name.len > 0 && name.ptr[0] != '.' && name.ptr[0] != '-';
}

static bool is_better(const struct srv *a, const struct srv *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->weight > b->weight;
}

static void insert(struct srv_list *list, const struct srv *record)
{
    size_t at = list->count;
    if (list->count == SRV_MAX && !is_better(record, &list->records[SRV_MAX - 1]))
        return;
    if (list->count == SRV_MAX)
        at = --list->count;
    while (at > 0 && is_better(record, &list->records[at - 1]))
        at--;
    memmove(&list->records[at + 1], &list->records[at],
            (list->count - at) * sizeof list->records[0]);
    list->records[at] = *record;
    list->count++;
}

static unsigned read16(const unsigned char *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

/* A message, and how far it is read. The C library's own parser is not everywhere (OpenBSD). */
struct reader {
    const unsigned char *bytes;
    size_t len, at;
};

/* The next octets, or NULL if there are not that many. */
static const unsigned char *read_octets(struct reader *reader, size_t count)
{
    if (count > reader->len - reader->at)
        return NULL;
    reader->at += count;
    return reader->bytes + reader->at - count;
}

/* Appends a label and a dot. A dot within the label would look like two labels, so it becomes a
 * blank, which is_host refuses. */
static int add_label(char *name, size_t *used, const unsigned char *label, size_t len)
{
    if (len > LABEL_MAX || *used + len + 1 > NAME_LEN)
        return -1;
    for (size_t i = 0; i < len; i++)
        name[(*used)++] = (char)(label[i] == '.' || label[i] == '\0' ? ' ' : label[i]);
    name[(*used)++] = '.';
    return 0;
}

/* With a dot at its end; the root is "". A pointer leads to an earlier place (RFC 1035, 4.1.4), and
 * a next one to a still earlier one, so there is an end. */
static int read_name(struct reader *reader, char name[SRV_TARGET_MAX])
{
    struct reader part = *reader;
    size_t first = part.at, used = 0;
    bool jumped = false;
    for (const unsigned char *size; (size = read_octets(&part, 1)) != NULL;) {
        const unsigned char *more = *size >= POINTER ? read_octets(&part, 1) : NULL;
        if (more == NULL && *size != 0) {
            const unsigned char *label = read_octets(&part, *size);
            if (label == NULL || add_label(name, &used, label, *size) < 0)
                return -1;
            continue;
        }
        if (!jumped)
            reader->at = part.at;
        jumped = true;
        name[used] = '\0';
        if (*size == 0)
            return 0;
        assert(more != NULL); /* else it was taken for a label */
        part.at = (*size & ~(unsigned)POINTER) << 8 | *more;
        if (part.at >= first)
            return -1;
        first = part.at;
    }
    return -1;
}

static int take(struct reader *reader, size_t data_len, struct srv_list *list)
{
    size_t end = reader->at + data_len;
    const unsigned char *data = read_octets(reader, TARGET_AT);
    if (data == NULL || data_len <= TARGET_AT)
        return -1;
    struct srv record = {
        .priority = read16(data), .weight = read16(data + 2), .port = read16(data + 4)};
    if (read_name(reader, record.target) < 0 || reader->at != end)
        return -1;
    struct str target = str_from(record.target);
    if (target.len > 0)
        record.target[--target.len] = '\0';
    if (target.len == 0)
        list->refused = true;
    else if (is_host(target) && record.port != 0)
        insert(list, &record);
    return 0;
}

/* Of the records behind the answers only the length counts: a message that was cut is broken. */
static int read_record(struct reader *reader, bool is_answer, struct srv_list *list)
{
    char name[SRV_TARGET_MAX];
    const unsigned char *fixed = NULL;
    if (read_name(reader, name) < 0 || (fixed = read_octets(reader, RECORD_LEN)) == NULL)
        return -1;
    size_t len = read16(fixed + 8);
    if (len > reader->len - reader->at)
        return -1;
    if (is_answer && read16(fixed) == SRV_TYPE && read16(fixed + 2) == SRV_CLASS)
        return take(reader, len, list);
    reader->at += len;
    return 0;
}

int srv_parse(const unsigned char *bytes, size_t len, struct srv_list *list)
{
    struct reader reader = {bytes, len, 0};
    const unsigned char *head = read_octets(&reader, HEAD_LEN);
    char name[SRV_TARGET_MAX];
    *list = (struct srv_list){.count = 0};
    if (head == NULL)
        return -1;
    unsigned questions = read16(head + 4), answers = read16(head + 6);
    unsigned records = answers + read16(head + 8) + read16(head + 10);
    for (unsigned i = 0; i < questions; i++)
        if (read_name(&reader, name) < 0 || read_octets(&reader, QUESTION_LEN) == NULL)
            return -1;
    for (unsigned i = 0; i < records; i++)
        if (read_record(&reader, i < answers, list) < 0)
            return -1;
    return reader.at == len ? 0 : -1;
}
