/* SPDX-License-Identifier: ISC */
/*
 * pin: the SHA-256 of a server's public key, as a person writes it.
 */
#ifndef FP_NET_PIN_H
#define FP_NET_PIN_H

#include "base/digest.h"

/* Reads base64, or hexadecimal digits with or without colons between two octets. 0, or -1 if it is
 * neither, or not of that length. */
int pin_read(const char *text, unsigned char pin[DIGEST_SIZE]);

#endif
