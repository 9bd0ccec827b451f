/* SPDX-License-Identifier: ISC */
/*
 * providers: what is to be known of large providers before a login can work.
 */
#ifndef FP_APP_PROVIDERS_H
#define FP_APP_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>

struct provider {
    const char *domains; /* of addresses, with blanks between them */
    const char *server;  /* TLS on port 995; NULL: it has no POP3 */
    const char *before;  /* what has to be done there first, in one or two sentences */
    bool oauth;          /* it takes tokens, and no password */
};

/* All of them; static. */
const struct provider *providers_all(size_t *count);

/* The one whose address has this domain (in small letters), or NULL. Static. */
const struct provider *providers_find(const char *domain);

#endif
