/* SPDX-License-Identifier: ISC */
/*
 * tty: asking a person on the terminal, and how wide it is.
 */
#ifndef FP_APP_TTY_H
#define FP_APP_TTY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

/* Asks on /dev/tty without echo. 1 and the secret set; 0: there is no terminal; -1: ERR_STOPPED
 * after INT or TERM, ERR_LOGIN if nothing was typed. The terminal's settings are always
 * restored. */
int tty_ask(const char *prompt, struct secret *secret, struct err *err);

/* Asks a question on /dev/tty, which shows the answer. TTY_YES: it begins with y or Y; TTY_NO: any
 * other, or none; TTY_NONE: there is no terminal. */
enum tty_answer { TTY_NO, TTY_YES, TTY_NONE };
enum tty_answer tty_confirm(const char *question);

/* Has this process a terminal that it can open? A window that is closed takes it away. */
bool tty_is_there(void);

/* Columns of the terminal that standard output is; 79 if it does not say. One more stays free: a
 * full line would make some terminals go on to the next. */
size_t tty_columns(void);

#endif
