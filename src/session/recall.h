/* SPDX-License-Identifier: ISC */
/*
 * recall: the server's capabilities, from one run to the next, so that a login needs no CAPA before
 * it: one round trip less for each poll.
 *
 * What is kept in the account's note is the answer to CAPA under TLS before a successful login,
 * word for word. It counts for 24 hours, with implicit TLS only, and for one port and one public
 * key of the server: another server behind the same name is asked again. What may be wrong with it
 * is found out by a login that is refused (session/connect.c): then CAPA is asked, and only if the
 * server now says something else of what was used, there is one more login. A refusal of what it
 * still offers stands: no secret is refused twice in a poll.
 *
 * So for a day a server that has begun to offer more gets what was right the day before. Nothing
 * weaker can come of it: the list was the server's own, over TLS with the same key, and with a list
 * from the wire that server could have had the same login. SCRAM tells the server whether -PLUS was
 * in the list; one that offers it since then refuses (RFC 5802 section 6), CAPA is asked, and the
 * next login has the right list. See doc/security.md.
 */
#ifndef FP_SESSION_RECALL_H
#define FP_SESSION_RECALL_H

#include <stdbool.h>

#include "base/clock.h"
#include "pop3/pop3.h"
#include "session/account.h"
#include "state/note.h"

#define RECALL_SECONDS ((int64_t)CLOCK_DAY)

/* TLS is up, the greeting was read: if the note has capabilities for this server, pop3 gets them
 * and true is returned. A list that cannot be read counts as none. note may be NULL: false. */
bool recall_capa(const struct note *note, const struct account *account, struct pop3 *pop3);

/* Keeps what pop3 was told in answer to CAPA (the caller knows that it was before the login) in the
 * note, which is written by note_save if it says something new. note may be NULL. */
void recall_keep(struct note *note, const struct account *account, struct pop3 *pop3);

/* The next connection asks. note may be NULL. */
void recall_forget(struct note *note);

#endif
