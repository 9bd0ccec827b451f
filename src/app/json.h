/* SPDX-License-Identifier: ISC */
/*
 * json: one account's result, or one message, as a line of JSON, for programs.
 */
#ifndef FP_APP_JSON_H
#define FP_APP_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "session/session.h"

/* Longer than any result: title and text with each octet escaped as six. */
#define JSON_MAX 8192

/* Octets of one field of a header, decoded, and of a destination; and longer than any message's
 * record with its line end. */
#define JSON_FIELD_MAX 2048
#define JSON_WHERE_MAX 4096
#define JSON_MESSAGE_MAX 131072

/* Adds one object, without a line end. ASCII alone: control characters and what is not UTF-8 are
 * escaped too, the latter as U+FFFD. An empty text is null. The buffer's maximum is JSON_MAX. */
void json_result(struct buf *out, const char *title, enum session_mode mode,
                 const struct session_figures *figures, enum err_kind kind, const char *text);

/* Adds one message that was delivered, as above, with what its sender wrote decoded (RFC 2047): the
 * record that after_new and --json=messages have. The buffer's maximum is JSON_MESSAGE_MAX. */
void json_message(struct buf *out, const char *title, const struct session_message *message);

/* Each adds a member to the object that is open in out, from its "{" on: a text as above, a number,
 * a moment (seconds since 1970; null if it is not known), true or false. */
void json_text(struct buf *out, const char *key, struct str text);
void json_number(struct buf *out, const char *key, uint64_t number);
void json_time(struct buf *out, const char *key, bool known, int64_t when);
void json_flag(struct buf *out, const char *key, bool flag);

#endif
