/*
 * header: the head of a message (RFC 5322, section 2.2), read as it streams past.
 *
 * Feed it the message in the form in which it is stored (dots unstuffed, lines ending in LF); it
 * stops by itself at the first empty line (one of nothing but CRs counts as empty). Of each address
 * field it keeps at most HEADER_VALUE_MAX bytes; everything else is digested as it passes, however
 * long. The digest is the fingerprint by which a message is recognized. It leaves out what servers
 * change between two sessions (header_is_changing, each field with its folded lines). The same
 * bytes from `TOP n 0` and from `RETR n` give the same fingerprint, whether or not an empty line
 * ends them.
 */
#ifndef FP_BASE_HEADER_H
#define FP_BASE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define HEADER_FINGERPRINT 16 /* bytes of the SHA-256 that are kept */
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
/* Takes the next bytes of the message; what comes behind the header is passed over. */
void header_feed(struct header *header, const char *bytes, size_t len);
bool header_is_done(const struct header *header); /* the empty line was seen */

/* Ends the header (also where the message ended without an empty line) and gives the fingerprint.
 * May be called once; header_feed after it does nothing. */
void header_fingerprint(struct header *header, unsigned char out[HEADER_FINGERPRINT]);

/* A Message-ID field was there. */
bool header_has_message_id(const struct header *header);

/* The bare address of Return-Path if there is one (so "" for the empty path of a bounce), else of
 * From; of several addresses the first, of several such fields too. "" if there is none, if it is
 * longer than HEADER_ADDRESS_MAX, or if it holds a blank, control or 8-bit byte. What is left may
 * still mean something to a shell. Lives as long as the header. */
const char *header_sender(const struct header *header);

/* As above, of Delivered-To, else X-Original-To, else Envelope-To, else To. */
const char *header_recipient(const struct header *header);

#endif
