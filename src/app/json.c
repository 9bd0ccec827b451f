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

void json_text(struct buf *out, const char *key, struct str text)
{
    buf_addf(out, "\"%s\": ", key);
    if (text.len == 0) {
        buf_addf(out, "null");
        return;
    }
    buf_addf(out, "\"");
    while (text.len > 0)
        add_character(out, utf8_take(&text));
    buf_addf(out, "\"");
}

static void add_number(struct buf *out, const char *key, uint64_t number)
{
    buf_addf(out, ", \"%s\": %" PRIu64, key, number);
}

void json_result(struct buf *out, const char *title, enum session_mode mode,
                 const struct session_figures *figures, enum err_kind kind, const char *text)
{
    static const char *const modes[] = {
        [SESSION_POLL] = "poll", [SESSION_CHECK] = "check", [SESSION_DRY_RUN] = "dry-run"};
    bool done = mode == SESSION_POLL;
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    buf_addf(out, ", \"mode\": \"%s\"", modes[mode]);
    add_number(out, "status", (uint64_t)err_status(kind));
    buf_addf(out, ", \"kind\": \"%s\", ", err_word(kind));
    json_text(out, "error", str_from(text));
    add_number(out, "listed", figures->listed);
    add_number(out, "new",
               done                    ? figures->fetched
               : mode == SESSION_CHECK ? figures->fresh
                                       : figures->planned);
    add_number(out, "octets", done ? figures->octets : figures->octets_planned);
    add_number(out, "seen", figures->seen);
    add_number(out, "deleted", figures->deleted);
    add_number(out, "failed", figures->failed);
    add_number(out, "held", figures->held);
    add_number(out, "too_large", figures->too_large);
    buf_addf(out, ", \"skipped\": %s", figures->skipped ? "true" : "false");
    if (figures->next_try > 0)
        add_number(out, "next_try", (uint64_t)figures->next_try);
    else
        buf_addf(out, ", \"next_try\": null");
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
    buf_addf(out, ", ");
    json_text(out, key, buf_str(&text));
    buf_free(&text);
}

static void add_date(struct buf *out, const struct header *header)
{
    int64_t date;
    if (header != NULL && maildate_read(header_value(header, "Date"), &date) == 0 && date >= 0)
        add_number(out, "date", (uint64_t)date);
    else
        buf_addf(out, ", \"date\": null");
}

void json_message(struct buf *out, const char *title, const struct session_message *message)
{
    struct str where = str_from(message->target.where != NULL ? message->target.where : "");
    where.len = where.len < JSON_WHERE_MAX ? where.len : JSON_WHERE_MAX;
    buf_addf(out, "{");
    json_text(out, "account", str_from(title));
    buf_addf(out, ", ");
    json_text(out, "uidl", message->uidl);
    add_number(out, "octets", message->octets);
    add_field(out, "message_id", message->header, "Message-ID");
    add_field(out, "from", message->header, "From");
    add_field(out, "subject", message->header, "Subject");
    add_date(out, message->header);
    buf_addf(out, ", \"kind\": \"%s\", ", deliver_kind_name(message->target.kind));
    json_text(out, "destination", where);
    buf_addf(out, ", ");
    json_text(out, "name", str_from(message->name));
    add_number(out, "time", (uint64_t)clock_wall());
    buf_addf(out, "}");
}
