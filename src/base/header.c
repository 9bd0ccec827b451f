/* SPDX-License-Identifier: ISC */
#include "base/header.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/xalloc.h"

#define NAME_MAX_BYTES 32 /* longer than any field name that means something here */

enum field {
    FIELD_RETURN_PATH,
    FIELD_FROM,
    FIELD_DELIVERED_TO,
    FIELD_X_ORIGINAL_TO,
    FIELD_ENVELOPE_TO,
    FIELD_TO,
    FIELD_DATE,
    FIELD_SUBJECT,
    FIELD_MESSAGE_ID,
    FIELDS,
    FIELD_OTHER = FIELDS
};

/* PART_TRACE: what servers write on top when they take a message in, or hand it on. */
enum part { PART_CONTENT, PART_TRACE, PART_CHANGING };

#define NAMED(text) .name = (text), .len = sizeof(text) - 1

/* All fields that are more to us than some octets of the fingerprint. */
static const struct known {
    const char *name;
    size_t len;
    enum part part;
    enum field field;
} known_fields[] = {
    {NAMED("Return-Path"), PART_TRACE, FIELD_RETURN_PATH},
    {NAMED("From"), PART_CONTENT, FIELD_FROM},
    {NAMED("Delivered-To"), PART_TRACE, FIELD_DELIVERED_TO},
    {NAMED("X-Original-To"), PART_TRACE, FIELD_X_ORIGINAL_TO},
    {NAMED("Envelope-To"), PART_TRACE, FIELD_ENVELOPE_TO},
    {NAMED("To"), PART_CONTENT, FIELD_TO},
    {NAMED("Date"), PART_CONTENT, FIELD_DATE},
    {NAMED("Subject"), PART_CONTENT, FIELD_SUBJECT},
    {NAMED("Message-ID"), PART_CONTENT, FIELD_MESSAGE_ID},
    {NAMED("Received"), PART_TRACE, FIELD_OTHER},
    {NAMED("Received-SPF"), PART_TRACE, FIELD_OTHER},
    {NAMED("X-Received"), PART_TRACE, FIELD_OTHER},
    {NAMED("Authentication-Results"), PART_TRACE, FIELD_OTHER},
    {NAMED("X-Envelope-To"), PART_TRACE, FIELD_OTHER},
    {NAMED("X-Envelope-From"), PART_TRACE, FIELD_OTHER},
    {NAMED("X-Fetchpop-Account"), PART_TRACE, FIELD_OTHER}, /* our own, */
    {NAMED("X-Fetchpop-Stub"), PART_TRACE, FIELD_OTHER},    /* too */
    {NAMED("Status"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-Status"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-Keywords"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-UID"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-UIDL"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-IMAP"), PART_CHANGING, FIELD_OTHER},
    {NAMED("X-IMAPbase"), PART_CHANGING, FIELD_OTHER},
    {NAMED("Content-Length"), PART_CHANGING, FIELD_OTHER},
    {NAMED("Lines"), PART_CHANGING, FIELD_OTHER},
};

static const struct known unknown = {.part = PART_CONTENT, .field = FIELD_OTHER};

#define IDENTITY_SHORT 3 /* "<>" and the like identify nothing */

enum where { AT_LINE_START, IN_NAME, IN_REST, AT_END };

struct value {
    struct buf text; /* unfolded */
    bool seen;
    bool cut;
};

struct header {
    struct digest *digest;   /* NULL once the fingerprint was given */
    struct digest *identity; /* of the identifying fields */
    struct digest *body;     /* NULL: nothing of it came, or it does not matter */
    enum where where;
    size_t crs; /* CRs so far on a line of nothing else */
    char name[NAME_MAX_BYTES];
    size_t name_len;
    bool left_out;      /* the field being read is not part of the fingerprint */
    enum field capture; /* the field being read is this one, and the first of its name */
    struct value values[FIELDS];
    enum field identifies;     /* the field being read is this one of the identifying ones */
    size_t identified[FIELDS]; /* visible octets in each of those */
    char *sender;              /* HEADER_ADDRESS_MAX + 1 bytes each */
    char *recipient;
};

struct header *header_new(void)
{
    struct header *header = xcalloc(1, sizeof *header);
    header->digest = digest_new();
    header->identity = digest_new();
    header->identifies = FIELD_OTHER;
    header->capture = FIELD_OTHER;
    for (size_t i = 0; i < FIELDS; i++)
        buf_init(&header->values[i].text, HEADER_VALUE_MAX);
    header->sender = xcalloc(1, HEADER_ADDRESS_MAX + 1);
    header->recipient = xcalloc(1, HEADER_ADDRESS_MAX + 1);
    return header;
}

void header_free(struct header *header)
{
    if (header == NULL)
        return;
    digest_free(header->digest);
    digest_free(header->identity);
    digest_free(header->body);
    for (size_t i = 0; i < FIELDS; i++)
        buf_free(&header->values[i].text);
    free(header->sender);
    free(header->recipient);
    free(header);
}

static void digest_part(struct header *header, const char *bytes, size_t len)
{
    if (!header->left_out)
        digest_add(header->digest, bytes, len);
}

static void identify_part(struct header *header, const char *bytes, size_t len)
{
    if (header->identifies == FIELD_OTHER)
        return;
    digest_add(header->identity, bytes, len);
    for (size_t i = 0; i < len; i++)
        header->identified[header->identifies] += bytes[i] > ' ';
}

/* Unfolding takes only the line end away; a blank in its place is as good. */
static void keep_part(struct header *header, const char *bytes, size_t len)
{
    if (header->capture == FIELD_OTHER)
        return;
    struct value *value = &header->values[header->capture];
    size_t room = value->text.max - value->text.len;
    value->cut = value->cut || len > room;
    size_t from = value->text.len;
    buf_add(&value->text, bytes, len < room ? len : room);
    for (char *at = value->text.data + from; at < value->text.data + value->text.len; at++)
        if (*at == '\r' || *at == '\n')
            *at = ' ';
}

/* Its length tells most names apart; this runs for each field of each message. */
static const struct known *look_up(struct str name)
{
    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++)
        if (known_fields[i].len == name.len &&
            str_equal_nocase(name, str_of(known_fields[i].name, name.len)))
            return &known_fields[i];
    return &unknown;
}

bool header_is_changing(struct str name)
{
    return look_up(name)->part == PART_CHANGING;
}

static bool is_identifying(enum field field)
{
    return field == FIELD_MESSAGE_ID || field == FIELD_DATE;
}

/* A field begins. An empty name is a line without one: an mbox's From_ line, or nonsense. The first
 * of its name is kept, and the first that is not empty identifies. */
static void begin_field(struct header *header, struct str name)
{
    /* RFC 5322, section 4.5: blanks may stand before the colon. */
    const struct known *known = look_up(str_trim(name));
    header->left_out = known->part != PART_CONTENT;
    header->identifies = FIELD_OTHER;
    if (is_identifying(known->field) && header->identified[known->field] == 0)
        header->identifies = known->field;
    header->capture = FIELD_OTHER;
    if (known->field != FIELD_OTHER && !header->values[known->field].seen) {
        header->values[known->field].seen = true;
        header->capture = known->field;
    }
    digest_part(header, header->name, header->name_len);
    header->name_len = 0;
    header->where = IN_REST;
}

static void begin_nameless(struct header *header)
{
    begin_field(header, str_of(NULL, 0));
    for (; header->crs > 0; header->crs--)
        digest_part(header, "\r", 1);
}

/* Each of these three takes some bytes (perhaps none, if it moves on) and returns how many. */

static size_t take_line_start(struct header *header, char c)
{
    if (c == '\n') {
        header->where = AT_END;
        return 1;
    }
    if (c == '\r') {
        header->crs++;
        return 1;
    }
    if (header->crs > 0)
        begin_nameless(header);
    else
        header->where = str_is_blank(c) ? IN_REST : IN_NAME;
    return 0;
}

static size_t take_name(struct header *header, char c)
{
    if (c == ':') {
        begin_field(header, str_of(header->name, header->name_len));
        digest_part(header, ":", 1);
        return 1;
    }
    if (c == '\n' || header->name_len == sizeof header->name) {
        begin_nameless(header);
        return 0;
    }
    header->name[header->name_len++] = c;
    return 1;
}

static size_t take_rest(struct header *header, const char *bytes, size_t len)
{
    const char *end = memchr(bytes, '\n', len);
    if (end != NULL) {
        len = (size_t)(end - bytes) + 1;
        header->where = AT_LINE_START;
    }
    digest_part(header, bytes, len);
    identify_part(header, bytes, len);
    keep_part(header, bytes, len);
    return len;
}

static void take_body(struct header *header, const char *bytes, size_t len)
{
    if (len == 0 || header->digest == NULL || header_kind(header) != HEADER_ANONYMOUS)
        return;
    if (header->body == NULL)
        header->body = digest_new();
    digest_add(header->body, bytes, len);
}

void header_feed(struct header *header, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && header->where != AT_END) {
        switch (header->where) {
        case AT_LINE_START:
            at += take_line_start(header, bytes[at]);
            break;
        case IN_NAME:
            at += take_name(header, bytes[at]);
            break;
        default:
            at += take_rest(header, bytes + at, len - at);
            break;
        }
    }
    take_body(header, bytes + at, len - at);
}

bool header_is_done(const struct header *header)
{
    return header->where == AT_END;
}

void header_fingerprint(struct header *header, unsigned char out[HEADER_FINGERPRINT])
{
    if (header->where == IN_NAME || header->where == IN_REST)
        header_feed(header, "\n", 1);
    header->where = AT_END;
    unsigned char whole[DIGEST_SIZE];
    digest_end(header->digest, whole);
    header->digest = NULL;
    memcpy(out, whole, HEADER_FINGERPRINT);
}

enum header_kind header_kind(const struct header *header)
{
    if (header->identified[FIELD_MESSAGE_ID] < IDENTITY_SHORT)
        return HEADER_ANONYMOUS;
    return header->identified[FIELD_DATE] < IDENTITY_SHORT ? HEADER_IDENTIFIED : HEADER_DATED;
}

void header_identity(struct header *header, unsigned char out[HEADER_IDENTITY])
{
    unsigned char whole[DIGEST_SIZE];
    struct digest **from =
        header_kind(header) == HEADER_ANONYMOUS ? &header->body : &header->identity;
    if (*from == NULL)
        *from = digest_new();
    digest_end(*from, whole);
    *from = NULL;
    memcpy(out, whole, HEADER_IDENTITY);
}

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
            return false;
    return true;
}

static const char *address(const struct header *header, const enum field *fields, size_t count,
                           char *out)
{
    size_t i = 0;
    while (i < count && !header->values[fields[i]].seen)
        i++;
    out[0] = '\0';
    if (i == count)
        return out;
    const struct value *value = &header->values[fields[i]];
    char scratch[HEADER_VALUE_MAX];
    struct str rest = buf_str(&value->text);
    bool ended;
    struct str found = address_take(&rest, scratch, &ended);
    if ((ended || !value->cut) && found.len <= HEADER_ADDRESS_MAX && is_printable(found)) {
        memcpy(out, found.ptr, found.len);
        out[found.len] = '\0';
    }
    return out;
}

const char *header_sender(const struct header *header)
{
    static const enum field fields[] = {FIELD_RETURN_PATH, FIELD_FROM};
    return address(header, fields, 2, header->sender);
}

const char *header_recipient(const struct header *header)
{
    static const enum field fields[] = {FIELD_DELIVERED_TO, FIELD_X_ORIGINAL_TO, FIELD_ENVELOPE_TO,
                                        FIELD_TO};
    return address(header, fields, 4, header->recipient);
}

struct str header_value(const struct header *header, const char *name)
{
    enum field field = look_up(str_from(name))->field;
    return field != FIELD_OTHER ? str_trim(buf_str(&header->values[field].text)) : str_of(NULL, 0);
}
