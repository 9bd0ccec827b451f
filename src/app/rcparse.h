/* SPDX-License-Identifier: ISC */
/*
 * rcparse: one parse of a configuration file by libconfuse, into sections.
 *
 * Only one at a time: libconfuse's lexer keeps global state. Everything is copied; nothing of
 * libconfuse's is left when rcparse_text returns, and no password in its buffers.
 */
#ifndef FP_APP_RCPARSE_H
#define FP_APP_RCPARSE_H

#include <stddef.h>

#include "app/rctext.h"
#include "app/section.h"
#include "app/shard.h"
#include "base/err.h"
#include "base/log.h"

#define RCPARSE_INCLUDES 10 /* files inside each other */

#define RCPARSE_COMMAND_SECONDS 300 /* that accounts_command may take */

struct rcparse_want {
    struct shard shard;    /* accounts of others may be left out, and are not checked then */
    const struct log *log; /* for what accounts_command says; NULL: nobody */
};

struct rcparse {
    struct section top;
    struct section *defaults; /* NULL: there is none */
    struct section *accounts; /* in the order of the file */
    size_t account_count, account_room;
    size_t other_count; /* accounts of other shards, left out */
    unsigned fault;     /* after a failure: its line, if it is one of the file itself; or 0 */
    struct rctext_part *
        *parts; /* of all texts: places in sections and errors point to their names */
    size_t *part_counts, text_count;
};

/* Parses the text, all it includes, and what its accounts_command prints; takes over the text.
 * ERR_CONFIG "FILE:LINE: what; what to do"; of the command also ERR_LOCAL and ERR_STOPPED. The
 * result has to be freed after a failure, too. */
int rcparse_text(struct rcparse *into, struct rctext *text, const struct rcparse_want *want,
                 struct err *err);

/* Wipes and frees; also what is all zero. */
void rcparse_free(struct rcparse *parsed);

#endif
