/* SPDX-License-Identifier: ISC */
/*
 * status: --status, how the accounts are doing, by what is on the disk.
 */
#ifndef FP_APP_STATUS_H
#define FP_APP_STATUS_H

#include <stdbool.h>

#include "app/report.h"
#include "app/roster.h"

/* Of each account: its last poll and its messages, then what is held or failing, and what keeps it
 * from being polled. `silent`: only the latter two. With report_json one object for each account;
 * times in it are seconds since 1970, or null. */
void status_show(const struct roster *roster, bool silent, struct report *report);

#endif
