/*
 * apop: the answer to an APOP stamp (RFC 1939 section 7): MD5 (RFC 1321) over stamp and password.
 *
 * Its own small MD5, since OpenSSL refuses MD5 where it is told to be strict (FIPS), and nothing
 * else here needs it.
 */
#ifndef FP_POP3_APOP_H
#define FP_POP3_APOP_H

#include "base/str.h"

#define APOP_HEX 33

/* 32 lower-case hex digits and a NUL. Wipes what it kept of the secret. */
void apop_digest(struct str stamp, struct str secret, char out[APOP_HEX]);

#endif
