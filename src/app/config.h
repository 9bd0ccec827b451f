/* SPDX-License-Identifier: ISC */
/*
 * config: the configuration file, through libconfuse, as accounts.
 *
 * Only one parse at a time: libconfuse's lexer keeps global state. Everything is copied; nothing of
 * libconfuse's is left when these return, and no password in its buffers.
 */
#ifndef FP_APP_CONFIG_H
#define FP_APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "app/keys.h"
#include "app/rcparse.h"
#include "base/buf.h"
#include "base/err.h"
#include "session/account.h"

struct config {
    struct account **accounts; /* in the order of the file; an entry may be NULL once freed */
    size_t count;
    bool complete; /* no account is left out because it is another shard's */
    struct keys_top top;
};

/* Reads path ("-": standard input), all it includes, and what its accounts_command prints.
 * ERR_CONFIG "FILE:LINE: what; what to do"; of the command also ERR_LOCAL and ERR_STOPPED. On
 * failure there is nothing to free. */
int config_read(struct config *config, const char *path, const struct rcparse_want *want,
                struct err *err);

/* All accounts, from memory; `name` is for errors, and its folder is where includes are looked
 * for. */
int config_parse(struct config *config, const char *name, const char *bytes, size_t size,
                 struct err *err);

/* Tells every mistake in the file and all it includes, one call each, and returns how many. */
unsigned config_check(const char *path, void (*to)(void *ctx, const char *text), void *ctx);

/* Appends what the file says of each account, in its own words: all keys, with what is built in,
 * secrets blanked. ERR_CONFIG. */
int config_spell(const char *path, struct buf *out, struct err *err);

void config_free(struct config *config); /* wipes the secrets */

#endif
