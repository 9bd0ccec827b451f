/* SPDX-License-Identifier: ISC */
/*
 * checkup: each step on the way to an account's mail, one after the other, for a person (--doctor).
 * Nothing is fetched, delivered or remembered.
 */
#ifndef FP_SESSION_CHECKUP_H
#define FP_SESSION_CHECKUP_H

#include "base/err.h"
#include "session/run.h"

/* One line for each step: text says what was found, or, with a kind other than ERR_NONE, what is
 * wrong and what to do. */
struct checkup {
    void (*step)(void *ctx, const char *what, enum err_kind kind, const char *text);
    void *ctx;
};

/* Name, connection, TLS and greeting, and then, with the secret, login and listing. A step that
 * fails ends it: those behind it need it. run->mode is SESSION_CHECK. */
void checkup_server(struct session_run *run, const struct checkup *checkup);

/* Can files be made there, and made durable? For an mbox its folder counts. path need not be there
 * yet: then the first folder above it that is counts. -1: ERR_CREATE, ERR_IO or ERR_LOCAL. */
int checkup_folder(const char *path, struct err *err);

#endif
