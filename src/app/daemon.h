/* SPDX-License-Identifier: ISC */
/*
 * daemon: the same accounts again and again, in the foreground, until INT or TERM.
 *
 * HUP reads the configuration file again and opens the log file again, USR1 polls all accounts now;
 * a service manager is told of all this (notify). The passwords that are the parent's task stay in
 * its memory, since each worker gets its own from there.
 */
#ifndef FP_APP_DAEMON_H
#define FP_APP_DAEMON_H

#include <stdbool.h>

#include "app/options.h"
#include "app/outlet.h"
#include "app/report.h"
#include "app/roster.h"

struct daemon_job {
    const struct options *options; /* with which configuration files are read again */
    struct report *report;
    struct outlet *outlet;
    struct roster *roster; /* with its secrets; emptied here */
    bool nohup;            /* we outlive our terminal: HUP was ignored when we were started */
};

/* Polls until it is told to end. HUP and USR1 are listened to from the start of the program on
 * (stop_listen). */
void daemon_run(const struct daemon_job *job);

#endif
