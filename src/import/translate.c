/* SPDX-License-Identifier: ISC */
#include "import/translate.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static const struct translate_row *find(const struct translate_row *rows, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is_among(str_from(name), rows[i].names))
            return &rows[i];
    return NULL;
}

/* 0 and off are no limit, no file and no certificate of theirs. */
static void translate_row(const struct translate_row *row, const struct sheet_entry *entry,
                          struct sheet *to)
{
    bool off = sheet_means_off(entry->value), empty = entry->value[0] == '\0';
    if (row->key != NULL && !empty && !off)
        sheet_setf(to, row->key, "%s%s", entry->value, row->unit != NULL ? row->unit : "");
    else if (row->key == NULL && row->why != NULL && !off)
        sheet_note(to, "Left out: %s%s%s: %s.", entry->name, empty ? "" : " ", entry->value,
                   row->why);
}

void translate_rows(const struct translate_row *rows, size_t count, const struct sheet *from,
                    struct sheet *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct sheet_entry *entry = &from->entries[i];
        const struct translate_row *row = find(rows, count, entry->name);
        if (strcmp(entry->name, SHEET_NOTE) == 0)
            sheet_note(to, "%s", entry->value);
        else if (row != NULL)
            translate_row(row, entry, to);
        else /* it may be a secret that stands where none is expected */
            sheet_note(to, "Left out: %s (line %u): fetchpop does not know it.", entry->name,
                       entry->line);
    }
}

void translate_secret(const struct sheet *from, const char *name,
                      const struct translate_place *place, struct sheet *to)
{
    const struct sheet_entry *entry = sheet_find(from, name);
    if (entry == NULL || entry->value[0] == '\0')
        return;
    if (place->secret_ok) {
        sheet_set(to, "password", entry->value, 0);
        return;
    }
    const char *user = sheet_value(to, "user"), *server = sheet_value(to, "server");
    sheet_note(to,
               "The password stands in line %u of %s, and is copied only into a file that nobody "
               "else can read.",
               entry->line, place->file);
    sheet_note(to, "Store it with: secret-tool store --label=fetchpop mail '%s@%s'",
               user != NULL ? user : "", server != NULL ? server : "");
    sheet_note(to, "and take out the # of: password_command = \"secret-tool lookup mail '%s@%s'\"",
               user != NULL ? user : "", server != NULL ? server : "");
}

void translate_port(struct sheet *to)
{
    static const char *const services[][2] = {{"pop3", "110"}, {"pop-3", "110"}, {"pop3s", "995"}};
    const char *port = sheet_value(to, "port");
    for (size_t i = 0; port != NULL && i < sizeof services / sizeof services[0]; i++) {
        if (strcmp(port, services[i][0]) == 0) {
            sheet_set(to, "port", services[i][1], 0);
            return;
        }
    }
}

/* The mark that a text begins with, in quotes or not; *len: how much of the text that is. */
static const struct translate_mark *mark_at(const char *text, const struct translate_mark *marks,
                                            size_t *len)
{
    for (; marks->mark != NULL; marks++) {
        *len = strlen(marks->mark);
        if (strncmp(text, marks->mark, *len) == 0)
            return marks;
        if ((*text == '"' || *text == '\'') && strncmp(text + 1, marks->mark, *len) == 0 &&
            text[*len + 1] == *text) {
            *len += 2;
            return marks;
        }
    }
    return NULL;
}

char *translate_fill_all(const char *text, const struct translate_mark *marks)
{
    struct buf out;
    size_t len;
    buf_init(&out, 65536);
    while (*text != '\0') {
        const struct translate_mark *found = mark_at(text, marks, &len);
        if (found != NULL)
            buf_addf(&out, "%s", found->by);
        else
            buf_add(&out, text, 1);
        text += found != NULL ? len : 1;
    }
    return buf_end(&out);
}

char *translate_fill(const char *text, const char *mark, const char *by)
{
    return translate_fill_all(text, (struct translate_mark[]){{mark, by}, {NULL, NULL}});
}

void translate_quote(const char *word, struct buf *out)
{
    if (word[0] != '\0' && str_is_made_of(str_from(word), "_./:=@%+,-~")) {
        buf_addf(out, "%s", word);
        return;
    }
    if (strncmp(word, "~/", 2) == 0) { /* in quotes it would be no home folder */
        buf_addf(out, "~/");
        word += 2;
    }
    buf_addf(out, "'");
    for (const char *p = word; *p != '\0'; p++)
        if (*p == '\'')
            buf_addf(out, "'\\''");
        else
            buf_add(out, p, 1);
    buf_addf(out, "'");
}

char *translate_quoted(const char *word)
{
    struct buf out;
    buf_init(&out, 4 * strlen(word) + 2);
    translate_quote(word, &out);
    return buf_end(&out);
}

struct str translate_first(struct str text, struct str *rest)
{
    struct str line = {"", 0};
    *rest = text;
    while (rest->len > 0 && (line.len == 0 || line.ptr[0] == '#'))
        line = str_trim(str_until(rest, '\n'));
    struct str word = str_word(&line);
    if (word.len > 0)
        *rest = str_of(word.ptr + word.len, (size_t)(text.ptr + text.len - word.ptr) - word.len);
    return word;
}
