/* SPDX-License-Identifier: ISC */
#include "base/fields.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/rfc2047.h"
#include "base/xalloc.h"

#define LINE_MAX_OCTETS 998 /* RFC 5322, section 2.1.1 */
#define GROWTH 8 /* an octet of any charset is at most this many of UTF-8, a replacement included */

enum where { AT_LINE_START, IN_NAME, IN_VALUE, IN_NOTHING, AT_END };

/* A field's place in the text; name and value stand one behind the other. */
struct place {
    size_t at, name_len, value_len;
    char *decoded; /* NULL: not yet */
    size_t decoded_len;
};

struct fields {
    enum where where;
    struct buf text;
    struct place *places;
    size_t count;
    size_t name_at; /* of the name that is being read */
    bool open;      /* the last field may go on in the next line */
    bool crs;       /* nothing but CRs in this line so far, one at least */
    bool cut;
};

struct fields *fields_new(void)
{
    struct fields *fields = xcalloc(1, sizeof *fields);
    buf_init(&fields->text, FIELDS_MAX);
    return fields;
}

void fields_free(struct fields *fields)
{
    if (fields == NULL)
        return;
    for (size_t i = 0; i < fields->count; i++)
        free(fields->places[i].decoded);
    free(fields->places);
    buf_free(&fields->text);
    free(fields);
}

/* As much as fits; returns how much that is. */
static size_t keep(struct fields *fields, const char *bytes, size_t len)
{
    size_t room = FIELDS_MAX - fields->text.len;
    fields->cut = fields->cut || len > room;
    len = len < room ? len : room;
    (void)buf_add(&fields->text, bytes, len);
    return len;
}

/* Forgets the name that is being read: the line is not a field. */
static void give_up(struct fields *fields)
{
    fields->text.len = fields->name_at;
    fields->open = false;
    fields->where = IN_NOTHING;
}

bool fields_is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~' || name.ptr[i] == ':')
            return false;
    return name.len > 0;
}

/* At the colon. */
static void begin_value(struct fields *fields)
{
    struct str name = str_behind(buf_str(&fields->text), fields->name_at);
    name = str_of(name.ptr, str_trim(name).len); /* RFC 5322, section 4.5: "Name :" */
    bool full = fields->count == FIELDS_COUNT || fields->text.len == FIELDS_MAX;
    fields->cut = fields->cut || full;
    if (full || !fields_is_name(name)) {
        give_up(fields);
        return;
    }
    if ((fields->count & (fields->count - 1)) == 0)
        fields->places = xreallocarray(fields->places, fields->count == 0 ? 1 : 2 * fields->count,
                                       sizeof *fields->places);
    fields->places[fields->count++] = (struct place){.at = fields->name_at, .name_len = name.len};
    fields->text.len = fields->name_at + name.len;
    fields->open = true;
    fields->where = IN_VALUE;
}

/* Each of these takes some bytes (perhaps none, if it moves on) and returns how many. */

static size_t take_line_start(struct fields *fields, char c)
{
    if (c == '\n') {
        fields->where = AT_END;
        return 1;
    }
    if (c == '\r') {
        fields->crs = true;
        return 1;
    }
    bool folded = str_is_blank(c);
    fields->name_at = fields->text.len;
    fields->where = folded && fields->open ? IN_VALUE : IN_NAME;
    if (fields->crs || (folded && !fields->open))
        give_up(fields);
    fields->crs = false;
    return 0;
}

static size_t take_name(struct fields *fields, char c)
{
    if (c == ':') {
        begin_value(fields);
        return 1;
    }
    bool endless = fields->text.len - fields->name_at == LINE_MAX_OCTETS;
    if (c == '\n' || endless || keep(fields, &c, 1) == 0) {
        give_up(fields);
        return 0;
    }
    return 1;
}

/* Of a folded line the blanks stay, and all line ends go. */
static void keep_value(struct fields *fields, struct str part)
{
    struct place *place = &fields->places[fields->count - 1];
    while (part.len > 0) {
        struct str piece = str_until(&part, '\r');
        place->value_len += keep(fields, piece.ptr, piece.len);
    }
}

static size_t take_rest(struct fields *fields, const char *bytes, size_t len)
{
    const char *end = memchr(bytes, '\n', len);
    len = end != NULL ? (size_t)(end - bytes) : len;
    if (fields->where == IN_VALUE)
        keep_value(fields, str_of(bytes, len));
    if (end != NULL)
        fields->where = AT_LINE_START;
    return end != NULL ? len + 1 : len;
}

void fields_feed(struct fields *fields, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len && fields->where != AT_END;) {
        switch (fields->where) {
        case AT_LINE_START:
            at += take_line_start(fields, bytes[at]);
            break;
        case IN_NAME:
            at += take_name(fields, bytes[at]);
            break;
        default:
            at += take_rest(fields, bytes + at, len - at);
            break;
        }
    }
}

void fields_end(struct fields *fields)
{
    fields->where = AT_END;
}

bool fields_is_done(const struct fields *fields)
{
    return fields->where == AT_END;
}

bool fields_is_cut(const struct fields *fields)
{
    return fields->cut;
}

bool fields_next(const struct fields *fields, const char *name, struct field *field)
{
    for (size_t i = field->number; i < fields->count; i++) {
        const struct place *place = &fields->places[i];
        struct str found = str_of(fields->text.data + place->at, place->name_len);
        if (name != NULL && !str_is_nocase(found, name))
            continue;
        struct str value = str_of(found.ptr + found.len, place->value_len);
        *field = (struct field){found, str_trim(value), i + 1};
        return true;
    }
    return false;
}

struct str fields_text(const struct fields *fields, const struct field *field)
{
    assert(field->number > 0 && field->number <= fields->count);
    struct place *place = &fields->places[field->number - 1];
    if (place->decoded == NULL) {
        size_t len = field->value.len < FIELDS_TEXT_MAX ? field->value.len : FIELDS_TEXT_MAX;
        struct buf text;
        buf_init(&text, GROWTH * len + 1);
        rfc2047_decode(str_of(field->value.ptr, len), &text);
        place->decoded_len = text.len;
        place->decoded = xmemdup0(text.len > 0 ? text.data : "", text.len);
        buf_free(&text);
    }
    return str_of(place->decoded, place->decoded_len);
}
