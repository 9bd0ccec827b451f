/* SPDX-License-Identifier: ISC */
/*
 * url: an account without a configuration file, from a URL on the command line (RFC 2384):
 * pop3s://alice@pop.example.com, and pop3:// or pop:// for STLS.
 */
#ifndef FP_APP_URL_H
#define FP_APP_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "app/config.h"
#include "base/err.h"

/* The length of its scheme ("pop3s://", in any case), and what that says of the key tls; 0: it is
 * no URL. */
size_t url_scheme(const char *text, const char **tls);

/* Is this argument one? */
bool url_is(const char *text);

/* The account that a command line describes; NULL: it does not say that. */
struct url_account {
    const char *url, *maildir, *mbox, *mda, *password_command;
    bool no_destination; /* none is needed */
};

/* ERR_USAGE; on success the caller frees with config_free. */
int url_config(struct config *config, const struct url_account *account, struct err *err);

#endif
