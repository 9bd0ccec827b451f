/* SPDX-License-Identifier: ISC */
/*
 * dates: what is decided by the clock, which may be wrong: how old a message is, and since when it
 * is old enough to be deleted (keep = 30d, or a rule).
 */
#ifndef FP_SESSION_DATES_H
#define FP_SESSION_DATES_H

#include "base/err.h"
#include "session/listing.h"
#include "session/plan.h"
#include "session/run.h"
#include "state/journal.h"

/* Before the first listing: is rules->now a date that ages can be counted by? Sets
 * rules->clock_doubted. A clock that has jumped is reported, and if it is right, impossible dates
 * are corrected, and what rules left by age is to be judged anew; all in a poll only. */
int dates_begin(struct journal *journal, struct plan_rules *rules, const struct session_run *run,
                struct err *err);

/* The first day (since 1970) that found an entry with this `due` old enough: that, or today. */
int64_t dates_first_due(const struct plan_rules *rules, int64_t due);

/* Notes the first day on which a delivered message was planned to be PLAN_DUE, or that it is not
 * due any more. `known`: what it was planned by. */
void dates_note_due(struct journal *journal, const struct plan_rules *rules,
                    const struct message *message, const struct plan_message *known);

#endif
