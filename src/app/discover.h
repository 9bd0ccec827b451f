/* SPDX-License-Identifier: ISC */
/*
 * discover: which POP3 server the DNS names for an address (RFC 6186, RFC 8314), as an account for
 * the configuration file.
 */
#ifndef FP_APP_DISCOVER_H
#define FP_APP_DISCOVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/srv.h"

struct discover_address {
    char *whole;  /* as it was given */
    char *domain; /* in A-labels */
};

#define DISCOVER_TEXT_MAX 16384

/* Checks local@domain. ERR_USAGE; on success the caller frees with discover_free. */
int discover_read(struct discover_address *address, const char *text, struct err *err);
void discover_free(struct discover_address *address);

/* Does the host's name belong to the domain? */
bool discover_is_within(const char *host, const char *domain);

/* Asks the DNS. *secure: as below. ERR_HOST: it names no POP3 server; ERR_AGAIN. */
int discover_find(const struct discover_address *address, struct srv_list *list, bool *secure,
                  struct err *err);

/* The account as a text of the configuration file, with what is to be known about it as comments.
 * secure: the records are those of _pop3s (TLS at once), not of _pop3 (STLS). The list is not
 * empty. Pure. */
void discover_spell(const struct discover_address *address, const struct srv_list *list,
                    bool secure, struct buf *out);

/* Asks the DNS and prints the account on standard output. ERR_USAGE; ERR_HOST: the DNS names no
 * POP3 server; ERR_AGAIN: it gives no answer; ERR_IO. */
int discover_run(const char *text, struct err *err);

#endif
