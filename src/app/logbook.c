/* SPDX-License-Identifier: ISC */
#include "app/logbook.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/header.h"
#include "base/rfc2047.h"
#include "base/str.h"

/* Between quotes, so that what a sender writes does not look like the next field. */
static void add_quoted(struct buf *out, const struct log *log, const char *key, struct str text)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (text.len == 0)
        return;
    buf_addf(out, ", %s \"", key);
    for (const char *at = log_quote(log, text, shown); *at != '\0'; at++)
        buf_addf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
    buf_addf(out, "\"");
}

static void add_field(struct buf *out, const struct log *log, const struct header *header,
                      const char *key, const char *name)
{
    struct buf text;
    if (header == NULL)
        return;
    buf_init(&text, LOGBOOK_FIELD);
    rfc2047_decode(header_value(header, name), &text);
    add_quoted(out, log, key, buf_str(&text));
    buf_free(&text);
}

static void add_target(struct buf *out, const struct session_message *message)
{
    const struct account_target *target = &message->target;
    bool path = target->kind == DELIVER_MAILDIR || target->kind == DELIVER_MBOX;
    buf_addf(out, ", to %s%s%s", deliver_kind_name(target->kind), path ? " " : "",
             path ? target->where : "");
    if (target->kind == DELIVER_MAILDIR)
        buf_addf(out, " as %s", message->name);
}

void logbook_delivered(const struct log *log, const struct session_message *message)
{
    struct buf line;
    if (!log_wants(log, FP_LOG_NOTE))
        return;
    buf_init(&line, ERR_TEXT_MAX);
    buf_addf(&line, "delivered %" PRIu64 " octets", message->octets);
    /* What is ours comes first: a line that is too long loses the sender's end. */
    add_target(&line, message);
    add_quoted(&line, log, "UIDL", message->uidl);
    add_field(&line, log, message->header, "id", "Message-ID");
    add_field(&line, log, message->header, "from", "From");
    add_field(&line, log, message->header, "subject", "Subject");
    log_line(log, FP_LOG_NOTE, "%.*s", (int)line.len, line.data);
    buf_free(&line);
}
