/* SPDX-License-Identifier: ISC */
/*
 * setupstore: where --setup keeps a password: only what works on this machine.
 */
#ifndef FP_APP_SETUPSTORE_H
#define FP_APP_SETUPSTORE_H

#include "app/dialog.h"
#include "base/err.h"
#include "base/secret.h"
#include "import/sheet.h"

/* Asks, stores the password at once, and puts the key that finds it again into the sheet (whose
 * title names it; none if it is to be asked for). What does not work is told, and asked again.
 * *undo: the command that takes it back, malloced; untouched if there is nothing to take back. */
int setupstore_keep(const struct dialog *dialog, const struct secret *password, struct sheet *sheet,
                    char **undo, struct err *err);

/* Does this command succeed, within a minute? Ctrl-C does not end it. */
bool setupstore_try(const char *command);

/* Is this program in the PATH? */
bool setupstore_has(const char *program);

#endif
