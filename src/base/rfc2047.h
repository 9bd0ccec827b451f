/* SPDX-License-Identifier: ISC */
/*
 * rfc2047: the words of a header field as a person reads them (RFC 2047, and RFC 2231 for the
 * language in an encoded word).
 *
 * Encoded words are decoded and converted by iconv(3); neighbours of one charset are decoded as one
 * text, since some mailers break a character between them. What cannot be decoded stays as it is.
 */
#ifndef FP_BASE_RFC2047_H
#define FP_BASE_RFC2047_H

#include "base/buf.h"
#include "base/str.h"

/* Appends value, a field's body (folded or not), to out as UTF-8, as much of it as fits. Raw octets
 * that are not UTF-8 are taken for Windows-1252; one that its charset lacks becomes U+FFFD.
 * The result may hold any character, controls too: what is shown goes through utf8_show. */
void rfc2047_decode(struct str value, struct buf *out);

/* Appends text in this charset (the name is the sender's: at most 40 letters, digits and marks such
 * as - _ . : + are looked up) to out as UTF-8. -1: the charset is unknown, and nothing is added. */
int rfc2047_convert(struct str charset, struct str text, struct buf *out);

#endif
