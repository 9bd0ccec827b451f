/* SPDX-License-Identifier: ISC */
/*
 * dot: the body of a multi-line answer (RFC 1939 section 3), as it streams past.
 *
 * Only CRLF . CRLF ends it (LF . LF too, if the answer's own status line ended in LF alone). A dot
 * at the start of a line is taken away. Line start is a state, so a boundary of a read or a buffer
 * means nothing. For storing, CRLF becomes LF; a bare CR and a bare LF stay.
 */
#ifndef FP_POP3_DOT_H
#define FP_POP3_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct dot {
    unsigned char state; /* where in a line it is: dot.c */
    bool lf_only;
    bool ended;
    uint64_t octets; /* of content so far, as the server counts: dots unstuffed, a line end as
                            the octets that came (two, or one for LF alone), no terminator */
};

/* At the start of a body. */
void dot_init(struct dot *dot, bool lf_only);

/* Takes bytes of `in` and appends what shall be stored to out (cap octets). Returns how many bytes
 * of in it took; *written says how many octets went to out. It stops at the end of the body (ended
 * is then true, what follows is untouched), or when out is full. With cap >= in.len + 3 all of `in`
 * is taken. */
size_t dot_decode(struct dot *dot, struct str in, char *out, size_t cap, size_t *written);

#endif
