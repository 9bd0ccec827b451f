/* SPDX-License-Identifier: ISC */
/*
 * fields: every field of a message's header, kept as it streams past (RFC 5322, section 2.2), for
 * whoever has to look at fields that base/header does not know.
 *
 * Lines end in LF or CRLF; it stops by itself at the first empty line (one of nothing but CRs
 * counts as empty). Lines that are not fields are passed over. At most FIELDS_COUNT fields and
 * FIELDS_MAX octets of them are kept; what is beyond is passed over, and fields_is_cut says so.
 */
#ifndef FP_BASE_FIELDS_H
#define FP_BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define FIELDS_MAX (256 * 1024)
#define FIELDS_COUNT 1000
#define FIELDS_TEXT_MAX 8192 /* octets of a value that are decoded */

struct fields; /* opaque */

/* Begins; the caller's until fields_free. */
struct fields *fields_new(void);
/* NULL is fine. */
void fields_free(struct fields *fields);
/* Takes the next bytes of the message; those behind the header are passed over. */
void fields_feed(struct fields *fields, const char *bytes, size_t len);
/* The message ended, with or without an empty line. */
void fields_end(struct fields *fields);
bool fields_is_done(
    const struct fields *fields);                /* the empty line was seen, or fields_end called */
bool fields_is_cut(const struct fields *fields); /* not all of the header is kept */

/* True for what may be a field's name: printable ASCII without blanks and colon. */
bool fields_is_name(struct str name);

struct field {
    struct str name;
    struct str value; /* unfolded, without blanks around it, else as it came: NULs, any octets */
    size_t number;    /* 1 for the first field of the header; 0 before the first fields_next */
};

/* Goes on from *field (all zero: from the top) to the next field of this name, ASCII case ignored,
 * or of any name if it is NULL. False behind the last one. Views live until fields_feed. */
bool fields_next(const struct fields *fields, const char *name, struct field *field);

/* The field's value with encoded words decoded (base/rfc2047.h), as UTF-8; of a long value the
 * first FIELDS_TEXT_MAX octets. After fields_is_done only. Lives as long as the fields. */
struct str fields_text(const struct fields *fields, const struct field *field);

#endif
