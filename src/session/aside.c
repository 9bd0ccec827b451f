/* SPDX-License-Identifier: ISC */
#include "session/aside.h"

#include <string.h>

static void on_line(void *ctx, enum log_level level, const char *line)
{
    struct aside *aside = ctx;
    char first = (char)level;
    size_t len = strlen(line) + 1;
    if (aside->waits && aside->lines.len + len + 1 > ASIDE_MAX) {
        aside_tell(aside);
        aside->waits = false;
    }
    if (!aside->waits) {
        log_line(aside->to, level, "%s", line);
        return;
    }
    buf_add(&aside->lines, &first, 1);
    buf_add(&aside->lines, line, len);
}

void aside_begin(struct aside *aside, const struct log *to, bool waits)
{
    *aside = (struct aside){.log = *to, .to = to, .waits = waits};
    aside->log.write = on_line;
    aside->log.ctx = aside;
    buf_init(&aside->lines, ASIDE_MAX);
}

void aside_tell(struct aside *aside)
{
    for (size_t at = 0; at < aside->lines.len;) {
        const char *line = aside->lines.data + at + 1;
        log_line(aside->to, (enum log_level)aside->lines.data[at], "%s", line);
        at += strlen(line) + 2;
    }
    buf_clear(&aside->lines);
}

void aside_end(struct aside *aside, bool told)
{
    if (told)
        aside_tell(aside);
    aside->waits = false;
    buf_free(&aside->lines);
}
