/* SPDX-License-Identifier: ISC */
/*
 * report: what a person sees.
 *
 * On a terminal: one status line, redrawn in place while there is work, one summary line for each
 * account, and one for all of several. Elsewhere: nothing unless something is wrong. Lines are
 * written whole, errors and warnings to standard error as `fetchpop: ACCOUNT: text`. With an outlet
 * (a log file, syslog) they go there instead. It also adds up the exit status.
 */
#ifndef FP_APP_REPORT_H
#define FP_APP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/metrics.h"
#include "app/outlet.h"
#include "base/err.h"
#include "base/log.h"
#include "session/session.h"

struct report {
    struct outlet *outlet; /* borrowed; NULL: standard output and error */
    enum log_level level;
    enum session_mode mode;
    bool json;                    /* results alone on standard output, for programs */
    bool json_messages;           /* and records of messages */
    bool attended;                /* somebody is watching: a terminal, or it was asked for */
    bool watched;                 /* there is a terminal */
    bool summaries;               /* one line for each account */
    bool news_only;               /* but none for an account without news */
    bool sums_up;                 /* and a last one for all accounts */
    bool live;                    /* the status line */
    bool shown;                   /* it is on the screen now */
    int64_t begun;                /* clock_ms() of the first progress, 0: none yet */
    int64_t started;              /* clock_ms() of the first figures, 0: none yet */
    int64_t drawn;                /* when the status line was drawn last */
    size_t total, done;           /* accounts */
    size_t troubled;              /* of those that are done */
    struct session_figures ended; /* sums over the accounts that are done */
    bool any_fresh;               /* --check found something */
    bool unwritten;               /* a line could not be written to standard output */
    bool stuck;                   /* nobody reads standard error now */
    int status;
    struct metrics *metrics;         /* borrowed; NULL: nobody wants any */
    struct metrics_account measures; /* of the next result, if */
    bool measured;
};

/* `silent` and `verbose` as on the command line. */
void report_begin(struct report *report, enum session_mode mode, bool silent, bool verbose);

/* Nothing but the accounts' results on standard output, a line of JSON each, and, with `messages`,
 * before it one for each message that was delivered; before report_divert. */
void report_json(struct report *report, bool messages);

/* A line for each account, whoever reads it. */
void report_summarise(struct report *report);

/* Lines and summaries go to this outlet from now on; it gets more than a standard error that nobody
 * watches. */
void report_divert(struct report *report, struct outlet *outlet);

/* Accounts are polled again and again: no status line, and summaries only of what is new. */
void report_repeat(struct report *report);

/* The run ends before it has begun. Also printed on standard error if lines go elsewhere. */
void report_refusal(struct report *report, const struct err *err);

/* One line about an account (title NULL: about the run). */
void report_line(struct report *report, const char *title, enum log_level level, const char *text);

/* A log whose lines are about that account (title NULL: about the run). Both are borrowed. */
struct report_about {
    struct report *report;
    const char *title;
};
struct log report_log(struct report_about *about);

/* A line that the user asked for, always to standard output; with report_json it is only a note. */
void report_answer(struct report *report, const char *title, const char *text);

/* Adds the figures of one account to a sum. */
void report_add_figures(struct session_figures *to, const struct session_figures *more);

/* The sum of the figures of all accounts that are being polled, and how many of those know what
 * they will fetch: redraws the status line, at most ten times a second. */
void report_progress(struct report *report, const struct session_figures *running, size_t known);

/* The moment (clock_ms) at which report_progress wants to be called again, although nothing has
 * happened; CLOCK_NEVER if there is no status line. */
int64_t report_next(const struct report *report);

/* A line of JSON, which gets its end. */
void report_json_line(struct report *report, struct buf *line);

/* What the metrics tell of the account whose result comes next; NULL: nothing is known. */
void report_measures(struct report *report, const struct metrics_account *measures);

/* Writes the metrics if it is time; `all`: at once. */
void report_metrics(struct report *report, bool all);

/* An account is done: its summary or its error (unless figures say told or quiet). */
void report_result(struct report *report, const char *title, const struct session_figures *figures,
                   enum err_kind kind, const char *text);

/* An error beside the accounts' own results; counts for the exit status. */
void report_error(struct report *report, const char *title, const struct err *err);

/* Removes the status line, and sums up; returns the exit status of the run. */
int report_end(struct report *report);

#endif
