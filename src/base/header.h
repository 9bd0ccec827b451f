/* SPDX-License-Identifier: ISC */
/*
 * header: the head of a message (RFC 5322, section 2.2), read as it streams past.
 *
 * Feed it the message in the form in which it is stored (dots unstuffed, lines ending in LF); it
 * stops by itself at the first empty line (one of nothing but CRs counts as empty). Of each address
 * field, Subject and Message-ID it keeps at most HEADER_VALUE_MAX bytes; everything else is
 * digested as it passes, however long. The digest is the fingerprint by which a message is
 * recognized. It leaves out what servers write into a header (header_is_changing and the trace
 * fields, each with its folded lines). The same bytes from `TOP n 0` and from `RETR n` give the
 * same fingerprint, whether or not an empty line ends them.
 *
 * Beside it there is the identity: a digest of Message-ID and Date, or, in a message without a
 * Message-ID, of its body.
 */
#ifndef FP_BASE_HEADER_H
#define FP_BASE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define HEADER_FINGERPRINT 16 /* bytes of the SHA-256 that are kept */
#define HEADER_IDENTITY 8     /* the same of the identity */
#define HEADER_ADDRESS_MAX 255
#define HEADER_VALUE_MAX 2048

/* True for a field that servers and mail readers change or add: Status, X-Status, X-Keywords,
 * X-UID, X-UIDL, X-IMAP, X-IMAPbase, Content-Length and Lines; ASCII case ignored. */
bool header_is_changing(struct str name);

struct header; /* opaque */

/* Begins; the caller's until header_free. */
struct header *header_new(void);
/* NULL is fine. */
void header_free(struct header *header);
/* Takes the next bytes of the message; behind the header they count for the identity of an
 * anonymous message, and are passed over in others. */
void header_feed(struct header *header, const char *bytes, size_t len);
bool header_is_done(const struct header *header); /* the empty line was seen */

/* Ends the header (also where the message ended without an empty line) and gives the fingerprint.
 * May be called once; header_feed after it does nothing. */
void header_fingerprint(struct header *header, unsigned char out[HEADER_FINGERPRINT]);

/* What there is in it that no other message has. */
enum header_kind {
    HEADER_ANONYMOUS,  /* nothing: no Message-ID, or an empty one */
    HEADER_IDENTIFIED, /* a Message-ID */
    HEADER_DATED       /* a Message-ID and a Date */
};
enum header_kind header_kind(const struct header *header);

/* After header_fingerprint, once: the digest of Message-ID and Date, or of the body so far. */
void header_identity(struct header *header, unsigned char out[HEADER_IDENTITY]);

/* The bare address of Return-Path if there is one (so "" for the empty path of a bounce), else of
 * From; the first of several addresses, and the first of several such fields. "" if there is none,
 * if it is longer than HEADER_ADDRESS_MAX, or if it holds a blank, control or 8-bit byte. What is
 * left may still mean something to a shell. Lives as long as the header. */
const char *header_sender(const struct header *header);

/* As above, of Delivered-To, else X-Original-To, else Envelope-To, else To. */
const char *header_recipient(const struct header *header);

/* The first field of this name, unfolded, cut after HEADER_VALUE_MAX octets, and otherwise as it
 * came: anything may be in it. Of those named above, Date, Subject and Message-ID; "" if there is
 * none. Lives as long as the header. */
struct str header_value(const struct header *header, const char *name);

#endif
