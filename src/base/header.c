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

static const char *const kept[FIELDS] = {
    [FIELD_RETURN_PATH] = "Return-Path",
    [FIELD_FROM] = "From",
    [FIELD_DELIVERED_TO] = "Delivered-To",
    [FIELD_X_ORIGINAL_TO] = "X-Original-To",
    [FIELD_ENVELOPE_TO] = "Envelope-To",
    [FIELD_TO] = "To",
    [FIELD_DATE] = "Date",
    [FIELD_SUBJECT] = "Subject",
    [FIELD_MESSAGE_ID] = "Message-ID",
};

/* The two fields that identify a message. */
enum identity { IDENTITY_MESSAGE_ID, IDENTITY_DATE, IDENTITIES, IDENTITY_NONE = IDENTITIES };

static const char *const identifying[IDENTITIES] = {
    [IDENTITY_MESSAGE_ID] = "Message-ID", [IDENTITY_DATE] = "Date"};

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
    enum identity identifies;      /* the field being read */
    size_t identified[IDENTITIES]; /* visible octets in each of them */
    char *sender;                  /* HEADER_ADDRESS_MAX + 1 bytes each */
    char *recipient;
};

struct header *header_new(void)
{
    struct header *header = xcalloc(1, sizeof *header);
    header->digest = digest_new();
    header->identity = digest_new();
    header->identifies = IDENTITY_NONE;
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
    if (header->identifies == IDENTITY_NONE)
        return;
    digest_add(header->identity, bytes, len);
    for (size_t i = 0; i < len; i++)
        header->identified[header->identifies] += bytes[i] > ' ';
}

static void keep_part(struct header *header, const char *bytes, size_t len)
{
    if (header->capture == FIELD_OTHER)
        return;
    struct value *value = &header->values[header->capture];
    for (size_t i = 0; i < len && !value->cut; i++) {
        /* Unfolding takes only the line end away; a blank in its place is as good. */
        char c = bytes[i] == '\r' || bytes[i] == '\n' ? ' ' : bytes[i];
        value->cut = buf_add(&value->text, &c, 1) < 0;
    }
}

bool header_is_changing(struct str name)
{
    return str_is_among_nocase(name, "Status X-Status X-Keywords X-UID X-UIDL X-IMAP X-IMAPbase "
                                     "Content-Length Lines");
}

/* What servers write on top when they take a message in, or hand it on; the last one is ours. */
static bool is_trace(struct str name)
{
    return str_is_among_nocase(name,
                               "Received Received-SPF X-Received Return-Path "
                               "Authentication-Results Delivered-To X-Original-To Envelope-To "
                               "X-Envelope-To X-Envelope-From X-Fetchpop-Account");
}

/* The first of its name counts. */
static enum identity identity_of(const struct header *header, struct str name)
{
    for (int i = 0; i < IDENTITIES; i++)
        if (str_is_nocase(name, identifying[i]))
            return header->identified[i] == 0 ? (enum identity)i : IDENTITY_NONE;
    return IDENTITY_NONE;
}

/* A field begins. An empty name is a line without one: an mbox's From_ line, or nonsense. */
static void begin_field(struct header *header, struct str name)
{
    name = str_trim(name); /* RFC 5322, section 4.5: blanks may stand before the colon */
    header->left_out = header_is_changing(name) || is_trace(name);
    header->identifies = identity_of(header, name);
    header->capture = FIELD_OTHER;
    for (int i = 0; i < FIELDS; i++) {
        if (str_is_nocase(name, kept[i]) && !header->values[i].seen) {
            header->values[i].seen = true;
            header->capture = (enum field)i;
        }
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
        header->where = c == ' ' || c == '\t' ? IN_REST : IN_NAME;
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
    if (header->identified[IDENTITY_MESSAGE_ID] < IDENTITY_SHORT)
        return HEADER_ANONYMOUS;
    return header->identified[IDENTITY_DATE] < IDENTITY_SHORT ? HEADER_IDENTIFIED : HEADER_DATED;
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
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(kept[i], name) == 0)
            return str_trim(buf_str(&header->values[i].text));
    return str_of(NULL, 0);
}
