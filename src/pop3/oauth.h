/* SPDX-License-Identifier: ISC */
/*
 * oauth: the messages of OAUTHBEARER (RFC 7628) and XOAUTH2, and what a refusal says. Pure.
 */
#ifndef FP_POP3_OAUTH_H
#define FP_POP3_OAUTH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* The one message that a client sends. message must be empty; its memory is allocated once and
 * holds the token: the caller wipes and frees it. port 0 and server NULL: left out. */
void oauth_bearer(struct buf *message, struct str user, const char *server, unsigned port,
                  struct str token);
void oauth_xoauth2(struct buf *message, struct str user, struct str token);

/* True if the token has only what RFC 6750 allows in a header: 0x21..0x7e, at least one. */
bool oauth_is_token(struct str token);

/* The text of a field such as "status" in the JSON of a refusal (RFC 7628 section 3.2.2), escapes
 * left as they are; empty if there is none. */
struct str oauth_field(struct str json, const char *name);

#endif
