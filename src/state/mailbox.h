/* SPDX-License-Identifier: ISC */
/*
 * mailbox: what a mailbox (server and user) is called in the state folder.
 */
#ifndef FP_STATE_MAILBOX_H
#define FP_STATE_MAILBOX_H

#define MAILBOX_ID 16 /* hex digits of an id */

/* The id of a mailbox: hex digits of a digest over server (case ignored) and user. Ports do not
 * count: 110 and 995 are one mailbox. */
void mailbox_id(const char *server, const char *user, char out[MAILBOX_ID + 1]);

/* The name of its files without their endings: user@server for people, and the id; malloced. */
char *mailbox_stem(const char *server, const char *user);

#endif
