/* SPDX-License-Identifier: ISC */
/*
 * folder: the state folder's own id, so that what lies in a Maildir that several machines, or
 * several state folders, deliver to can be told apart.
 */
#ifndef FP_STATE_FOLDER_H
#define FP_STATE_FOLDER_H

#include <stdbool.h>

#include "base/err.h"

#define FOLDER_ID 16 /* hex digits */

/* A run that was killed may have left its id in memory alone: whoever goes on with that id, and has
 * nothing durable yet that proves it older, flushes it. */
enum folder_flush { FOLDER_NO_FLUSH, FOLDER_FLUSH_MADE, FOLDER_FLUSH };

/* Reads the id from state_dir/id; if there is none yet, or what is there is no id, one is drawn and
 * written. `flush`: an id just drawn (FOLDER_FLUSH_MADE) or any id (FOLDER_FLUSH) is on the disk
 * before this returns. state_dir exists. ERR_CREATE, ERR_IO; ERR_LOCKED: another process has been
 * writing it for ten seconds. */
int folder_id(const char *state_dir, enum folder_flush flush, char out[FOLDER_ID + 1],
              struct err *err);

#endif
