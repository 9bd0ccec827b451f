/* SPDX-License-Identifier: ISC */
/*
 * dialog: questions on the terminal, each with an answer that Enter gives.
 */
#ifndef FP_APP_DIALOG_H
#define FP_APP_DIALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/log.h"

#define DIALOG_ANSWER_MAX 512

struct dialog {
    int fd; /* the terminal; -1: there is none */
};

/* ERR_USAGE: there is no terminal. */
int dialog_open(struct dialog *dialog, struct err *err);
void dialog_close(struct dialog *dialog);

/* A line for the person. */
void dialog_say(const struct dialog *dialog, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A log whose warnings and errors the person sees; the dialog is borrowed. */
struct log dialog_log(struct dialog *dialog);

/* Asks; an empty answer is `otherwise` (NULL: it is asked again). The answer is printable.
 * ERR_STOPPED after INT, TERM, or the end of input. */
int dialog_ask(const struct dialog *dialog, const char *question, const char *otherwise,
               char answer[DIALOG_ANSWER_MAX], struct err *err);

/* Yes or no. */
int dialog_confirm(const struct dialog *dialog, const char *question, bool otherwise, bool *yes,
                   struct err *err);

/* One of these, by its number; *choice: an index, at first the one that Enter gives. */
int dialog_choose(const struct dialog *dialog, const char *question, const char *const *choices,
                  size_t count, size_t *choice, struct err *err);

#endif
