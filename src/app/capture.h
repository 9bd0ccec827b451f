/* SPDX-License-Identifier: ISC */
/*
 * capture: what a command of the configuration file prints.
 */
#ifndef FP_APP_CAPTURE_H
#define FP_APP_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

struct capture {
    const char *key; /* of the configuration file, for errors */
    const char *command;
    const char *const *env; /* as in struct spawn */
    int64_t seconds;        /* that it may take */
    struct buf *output;     /* begun by the caller; may hold secrets, see struct child_job */
    bool secret;            /* its first line is one: that is blanked in what it says */
    const char *wanted;     /* "the secret alone": what it must print if it printed too much */
    enum err_kind failed;   /* of a command that says that it failed */
};

/* Runs it; INT and TERM to us end it, too. What it says on standard error becomes part of the
 * error if it fails, else it is told as warnings; where somebody looks on, each line is told as it
 * comes, but for the last (of a secret's command, only on a terminal: before the secret is known it
 * cannot be blanked). ERR_STOPPED, ERR_LOCAL (too slow), ERR_CONFIG (no such command, too
 * much output), or `failed`. */
int capture_run(const struct capture *capture, const struct log *log, struct err *err);

#endif
