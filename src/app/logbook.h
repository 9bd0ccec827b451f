/* SPDX-License-Identifier: ISC */
/*
 * logbook: one line for a person, or for grep, about each message that was delivered.
 */
#ifndef FP_APP_LOGBOOK_H
#define FP_APP_LOGBOOK_H

#include "base/err.h"
#include "base/log.h"
#include "session/run.h"

/* Logs it as a note, secrets blanked: UIDL, octets, Message-ID, From and Subject (decoded, each cut
 * to LOGBOOK_FIELD octets), and where it went; of a Maildir's message also the name of its file. */
#define LOGBOOK_FIELD 120
void logbook_delivered(const struct log *log, const struct session_message *message);

#endif
