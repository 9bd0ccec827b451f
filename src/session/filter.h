/* SPDX-License-Identifier: ISC */
/*
 * filter: asks the account's filter_command about a message, by its header.
 *
 * As mpop asks: the header, with the empty line behind it, is on standard input. The status says
 * what is to be done: 0 fetch, 1 leave it on the server, 2 delete it there unfetched. mpop(1) has
 * 1 and 2 the other way round, but 1 is how a script that fails ends in most languages.
 * In the environment are FETCHPOP_ACCOUNT, FETCHPOP_UIDL, FETCHPOP_SIZE and FETCHPOP_SENDER.
 */
#ifndef FP_SESSION_FILTER_H
#define FP_SESSION_FILTER_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "session/poll.h"
#include "session/rules.h"

struct filter_message {
    struct str header; /* as it came, with LF line ends; what is behind it is not shown */
    struct str uidl;
    uint64_t size; /* 0: not known */
};

/* 0, *action, and *doubtful: it has read nothing of the header, and complained on standard error,
 * as an interpreter does that finds no script; or -1: the command did not say (another status, a
 * signal, its time limit, mda_timeout), ERR_LOCAL with one clean line. ERR_STOPPED: the user
 * interrupts. */
int filter_ask(const struct poll *poll, const struct filter_message *message,
               enum rule_action *action, bool *doubtful, struct err *err);

#endif
