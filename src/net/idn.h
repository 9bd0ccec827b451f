/* SPDX-License-Identifier: ISC */
/*
 * idn: internationalised host names. From what a person writes to what DNS, SNI and certificates
 * have (A-labels, RFC 5890; UTS #46 without the transitional rules).
 */
#ifndef FP_NET_IDN_H
#define FP_NET_IDN_H

#include "base/err.h"

/* A name in UTF-8 as ASCII, malloced; one that is ASCII already comes back as it is. NULL with
 * ERR_CONFIG: it is not UTF-8, or not a name (the text is libidn2's reason alone). */
char *idn_ascii(const char *name, struct err *err);

#endif
