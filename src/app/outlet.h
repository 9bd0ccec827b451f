/* SPDX-License-Identifier: ISC */
/*
 * outlet: where lines go instead of standard output and error: a log file, syslog, or both.
 *
 * A line in the file is "TIME [PROCESS] KIND: TEXT" with the time as in ISO 8601, and written whole
 * in one write(2), so that several runs can share a file. Whatever goes wrong with a line costs
 * that line (a full disk must not stop mail); only opening can fail. An error or a warning that the
 * file does not take, and each line for a syslog that is not there, goes to standard error; the
 * next line that the file takes is preceded by one that says how many it did not.
 */
#ifndef FP_APP_OUTLET_H
#define FP_APP_OUTLET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"

struct outlet {
    const char *path; /* borrowed; NULL: no file */
    int fd;           /* -1: none */
    bool syslog;
    bool missed;        /* it was not there for the last line */
    bool torn;          /* the last line was cut short by a full disk */
    unsigned long lost; /* lines in a row that the file did not take */
};

/* Does this path stand for standard output: "-", or its name in /dev? */
bool outlet_is_standard(const char *path);

/* Appends to `path` (made with mode 0600 if it is missing; NULL: no file), or to standard output if
 * it stands for that, and to syslog if asked. ERR_CREATE: it cannot be opened, is a link or not a
 * regular file, or belongs to somebody else. */
int outlet_open(struct outlet *outlet, const char *path, bool to_syslog, struct err *err);

/* Opens the file by its name again, after it was moved away (log rotation). If that fails, the old
 * one is still written to. */
int outlet_reopen(struct outlet *outlet, struct err *err);

/* Nothing is written after this. */
void outlet_close(struct outlet *outlet);

/* False: lines go to standard output and error. outlet may be NULL. */
bool outlet_is_open(const struct outlet *outlet);

/* One line, without its end. A summary counts as a note. */
void outlet_line(struct outlet *outlet, enum log_level level, const char *text);

#endif
