/* SPDX-License-Identifier: ISC */
/*
 * address: the addresses of a header field, one by one (RFC 5322, section 3.4, and section 4.4).
 */
#ifndef FP_BASE_ADDRESS_H
#define FP_BASE_ADDRESS_H

#include <stdbool.h>

#include "base/str.h"

/* Takes the first address off the front of *rest, an unfolded field or what is left of one, and
 * gives it bare: without name, comments, <, > and route. Any octet may be in it; it is empty where
 * there is none. scratch holds as many octets as *rest has; the result is in it, or in the field.
 * *ended: false if it stands bare at the end, so that a field that was cut may have had more of
 * it. */
struct str address_take(struct str *rest, char *scratch, bool *ended);

#endif
