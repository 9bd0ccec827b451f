/* SPDX-License-Identifier: ISC */
/*
 * capa: what a server's answer to CAPA said (RFC 2449), and its text, by which another session can
 * have it without asking. Pure.
 */
#ifndef FP_POP3_CAPA_H
#define FP_POP3_CAPA_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"
#include "pop3/reply.h"

#define CAPA_TEXT_MAX 4000 /* octets of an answer whose text is kept */
#define CAPA_LINES_MAX 500 /* of an answer */

struct capa {
    struct reply_capa said;
    struct buf text; /* the lines of that, an LF behind each ... */
    bool cut;        /* ... but not all of them */
};

/* Nothing was asked, or nothing is known any more. */
void capa_init(struct capa *capa);
void capa_forget(struct capa *capa);
void capa_free(struct capa *capa);

/* An answer begins, and each of its lines. */
void capa_begin(struct capa *capa);
void capa_learn(struct capa *capa, struct str line);

/* The lines as they came; empty if there were none, or more than are kept. A view that lives until
 * the next call that changes something. */
struct str capa_text(const struct capa *capa);

/* Learns such a text, which may come from anywhere. -1: it cannot be one; nothing is known then. */
int capa_read(struct capa *capa, struct str text);

#endif
