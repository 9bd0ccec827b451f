/* SPDX-License-Identifier: ISC */
/*
 * doctor: everything between an account and its mail, one line each (--doctor).
 */
#ifndef FP_APP_DOCTOR_H
#define FP_APP_DOCTOR_H

#include "session/checkup.h"
#include "session/run.h"

/* Server, destination, state folder, clock, and what cron's environment lacks. */
void doctor_run(struct session_run *run, const struct checkup *checkup);

#endif
