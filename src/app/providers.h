/* SPDX-License-Identifier: ISC */
/*
 * providers: what is to be known of large providers before a login can work.
 */
#ifndef FP_APP_PROVIDERS_H
#define FP_APP_PROVIDERS_H

struct provider {
    const char *domains; /* of addresses, with blanks between them */
    const char *server;  /* TLS on port 995; NULL: it has no POP3 */
    const char *before;  /* what has to be done there first, in one or two sentences */
};

/* The one whose address has this domain (in small letters), or NULL. Static. */
const struct provider *providers_find(const char *domain);

#endif
