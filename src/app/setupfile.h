/* SPDX-License-Identifier: ISC */
/*
 * setupfile: the configuration file that --setup adds to. It is never rewritten: what was there is
 * what the new one begins with, and that is written only if it is a good one as a whole.
 */
#ifndef FP_APP_SETUPFILE_H
#define FP_APP_SETUPFILE_H

#include <stdbool.h>

#include "app/config.h"
#include "app/options.h"
#include "base/buf.h"
#include "base/err.h"
#include "import/sheet.h"

struct setupfile {
    char *path;
    struct buf before; /* as it is; empty: there is none yet */
    char *state_dir;   /* where it wants the journals; NULL: it does not say */
    char *command;     /* "fetchpop", with the options that find this file and the journals */
    bool usual;        /* fetchpop alone finds them, and so does a timer */
};

/* The one that -f names, else the one there is, else ~/.fetchpoprc. ERR_CONFIG: it has a mistake.
 * The caller frees in any case. */
int setupfile_read(struct setupfile *file, const struct options *options, struct err *err);
void setupfile_free(struct setupfile *file);

/* Would it be a good one with this behind it? ERR_CONFIG. */
int setupfile_check(const struct setupfile *file, const struct buf *added, struct err *err);

/* True if it has an account of this title. */
bool setupfile_has(const struct setupfile *file, const char *title);

/* The account that this sheet would become, with what the file says for all accounts. What it still
 * lacks is made up: user, and a destination that takes nothing. *account is part of config, which
 * the caller frees. ERR_CONFIG. */
int setupfile_try(const struct setupfile *file, const struct sheet *sheet, struct config *config,
                  struct account **account, struct err *err);

/* Checks, and writes it with mode 0600, behind what it is by now. */
int setupfile_write(struct setupfile *file, const struct buf *added, struct err *err);

#endif
