/* SPDX-License-Identifier: ISC */
#include "pop3/capa.h"

void capa_init(struct capa *capa)
{
    buf_init(&capa->text, CAPA_TEXT_MAX);
    capa_forget(capa);
}

void capa_forget(struct capa *capa)
{
    reply_capa_init(&capa->said);
    capa->cut = false;
    buf_clear(&capa->text);
}

void capa_free(struct capa *capa)
{
    buf_free(&capa->text);
}

void capa_begin(struct capa *capa)
{
    capa_forget(capa);
    capa->said.known = true;
}

void capa_learn(struct capa *capa, struct str line)
{
    reply_capa_line(&capa->said, line);
    if (buf_add(&capa->text, line.ptr, line.len) < 0 || buf_add(&capa->text, "\n", 1) < 0)
        capa->cut = true;
}

struct str capa_text(const struct capa *capa)
{
    return capa->cut ? str_of("", 0) : buf_str(&capa->text);
}

static int learn_all(struct capa *capa, struct str text)
{
    size_t lines = 0;
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? SIZE_MAX : (size_t)(end - text.ptr);
        if (len > REPLY_LINE_MAX || ++lines > CAPA_LINES_MAX)
            return -1;
        capa_learn(capa, str_of(text.ptr, len));
        text = str_behind(text, len + 1);
    }
    return lines == 0 || capa->cut ? -1 : 0;
}

int capa_read(struct capa *capa, struct str text)
{
    capa_begin(capa);
    if (learn_all(capa, text) == 0)
        return 0;
    capa_forget(capa);
    return -1;
}
