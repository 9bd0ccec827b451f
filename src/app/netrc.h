/* SPDX-License-Identifier: ISC */
/*
 * netrc: the password that ~/.netrc has for a host and a user.
 */
#ifndef FP_APP_NETRC_H
#define FP_APP_NETRC_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define NETRC_MAX (256 * 1024) /* octets of the file */

/* Looks for the first `machine HOST` (ASCII case ignored), else `default`, whose login is the user
 * or is not given. 1 and the password set; 0: none; -1: ERR_CONFIG with NAME:LINE. Pure. */
int netrc_find(struct str text, const char *name, const char *host, const char *user,
               struct secret *password, struct err *err);

#endif
