/*
 * moving: moving in from another fetcher, and from another machine.
 */
#ifndef FP_APP_MOVING_H
#define FP_APP_MOVING_H

#include "app/options.h"
#include "app/report.h"
#include "app/roster.h"
#include "base/err.h"

/* --import: prints the configuration files of another program (none named: where that one has it)
 * as one of fetchpop's. ERR_USAGE, ERR_CONFIG: also if what was printed is not complete yet; what
 * is missing is said. */
int moving_import(const struct options *options, struct err *err);

/* --import-seen: takes the list into the journals of the roster's accounts: of those whose server
 * and user it names, or, if it names none, of the one there is. Reports what was done. */
void moving_import_seen(const struct options *options, const struct roster *roster,
                        struct report *report);

/* --export-state, --import-state: the journal of the roster's account, to standard output or from
 * standard input. */
void moving_export_state(const struct roster *roster, struct report *report);
void moving_import_state(const struct roster *roster, struct report *report);

#endif
