/* SPDX-License-Identifier: ISC */
#include "app/json.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/header.h"
#include "base/maildate.h"
#include "base/rfc2047.h"
#include "base/str.h"
#include "base/utf8.h"

#define REPLACEMENT 0xfffd

static void add_character(struct buf *out, uint32_t value)
{
    if (value == UTF8_NONE)
        value = REPLACEMENT;
    if (value == '"' || value == '\\') {
        buf_addf(out, "\\%c", (char)value);
    } else if (value >= 0x20 && value < 0x7f) {
        buf_addf(out, "%c", (char)value);
    } else if (value < 0x10000) {
        buf_addf(out, "\\u%04" PRIx32, value);
    } else {
        value -= 0x10000;
        buf_addf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (value >> 10),
                 0xdc00 + (value & 0x3ff));
    }
}

static void add_key(struct buf *out, const char *key)
{
    buf_addf(out, "%s\"%s\": ", out->data[out->len - 1] == '{' ? "" : ", ", key);
}

void json_text(struct buf *out, const char *key, struct str text)
{
    add_key(out, key);
    if (text.len == 0) {
        buf_addf(out, "null");
        return;
    }
    buf_addf(out, "\"");
    while (text.len > 0)
        add_character(out, utf8_take(&text));
    buf_addf(out, "\"");
}

void json_number(struct buf *out, const char *key, uint64_t number)
{
    add_key(out, key);
    buf_addf(out, "%" PRIu64, number);
}

void json_time(struct buf *out, const char *key, bool known, int64_t when)
{
    add_key(out, key);
    if (known)
        buf_addf(out, "%" PRId64, when);
    else
        buf_addf(out, "null");
}

void json_flag(struct buf *out, const char *key, bool flag)
{
    add_key(out, key);
    buf_addf(out, flag ? "true" : "false");
}

void json_result(struct buf *out, const char *title, enum session_mode mode,
                 const struct session_figures *figures, enum err_kind kind, const char *text)
{
    static const char *const modes[] = {
        [SESSION_POLL] = "poll", [SESSION_CHECK] = "check", [SESSION_DRY_RUN] = "dry-run"};
    bool done = mode == SESSION_POLL;
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    json_text(out, "mode", str_from(modes[mode]));
    json_number(out, "status", (uint64_t)err_status(kind));
    json_text(out, "kind", str_from(err_word(kind)));
    json_text(out, "error", str_from(text));
    json_number(out, "listed", figures->listed);
    json_number(out, "new",
                done                    ? figures->fetched
                : mode == SESSION_CHECK ? figures->fresh
                                        : figures->planned);
    json_number(out, "octets", done ? figures->octets : figures->octets_planned);
    json_number(out, "seen", figures->seen);
    json_number(out, "deleted", figures->deleted);
    json_number(out, "failed", figures->failed);
    json_number(out, "held", figures->held);
    json_number(out, "too_large", figures->too_large);
    json_flag(out, "skipped", figures->skipped);
    json_time(out, "next_try", figures->next_try > 0, figures->next_try);
    buf_addf(out, "}");
}

/* As a person reads it. */
static void add_field(struct buf *out, const char *key, const struct header *header,
                      const char *name)
{
    struct buf text;
    buf_init(&text, JSON_FIELD_MAX);
    if (header != NULL)
        rfc2047_decode(header_value(header, name), &text);
    json_text(out, key, buf_str(&text));
    buf_free(&text);
}

void json_message(struct buf *out, const char *title, const struct session_message *message)
{
    struct str where = str_from(message->target.where != NULL ? message->target.where : "");
    where.len = where.len < JSON_WHERE_MAX ? where.len : JSON_WHERE_MAX;
    int64_t date = 0;
    bool dated = message->header != NULL &&
                 maildate_read(header_value(message->header, "Date"), &date) == 0 && date >= 0;
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    json_text(out, "uidl", message->uidl);
    json_number(out, "octets", message->octets);
    add_field(out, "message_id", message->header, "Message-ID");
    add_field(out, "from", message->header, "From");
    add_field(out, "subject", message->header, "Subject");
    json_time(out, "date", dated, date);
    json_text(out, "kind", str_from(deliver_kind_name(message->target.kind)));
    json_text(out, "destination", where);
    json_text(out, "name", str_from(message->name));
    json_number(out, "time", (uint64_t)clock_wall());
    buf_addf(out, "}");
}
