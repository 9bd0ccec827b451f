/* SPDX-License-Identifier: ISC */
#include "import/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/words.h"
#include "base/xalloc.h"

#define VALUE_MAX 8192
#define TITLE_SUM 4 /* octets of the digest that ends a title that was cut */

static void wipe(char *text)
{
    if (text != NULL)
        secret_wipe_bytes(text, strlen(text));
    free(text);
}

static void append(struct sheet *sheet, const char *name, const char *value, unsigned line)
{
    sheet->entries = xreallocarray(sheet->entries, sheet->count + 1, sizeof *sheet->entries);
    sheet->entries[sheet->count++] = (struct sheet_entry){xstrdup(name), xstrdup(value), line};
}

struct sheet *sheets_add(struct sheets *sheets, const char *title, const struct sheet *base)
{
    struct sheet made = {.title = xstrdup(title)};
    for (size_t i = 0; base != NULL && i < base->count; i++)
        append(&made, base->entries[i].name, base->entries[i].value, base->entries[i].line);
    sheets->at = xreallocarray(sheets->at, sheets->count + 1, sizeof *sheets->at);
    sheets->at[sheets->count] = made;
    return &sheets->at[sheets->count++];
}

void sheets_free(struct sheets *sheets)
{
    for (size_t i = 0; i < sheets->count; i++) {
        struct sheet *sheet = &sheets->at[i];
        for (size_t j = 0; j < sheet->count; j++) {
            free(sheet->entries[j].name);
            wipe(sheet->entries[j].value);
        }
        free(sheet->entries);
        free(sheet->title);
        free(sheet->left_out);
        free(sheet->seen);
    }
    free(sheets->at);
    *sheets = (struct sheets){0};
}

/* --- one sheet -------------------------------------------------------------------------------- */

const struct sheet_entry *sheet_find(const struct sheet *sheet, const char *name)
{
    for (size_t i = 0; i < sheet->count; i++)
        if (strcmp(sheet->entries[i].name, name) == 0)
            return &sheet->entries[i];
    return NULL;
}

const char *sheet_value(const struct sheet *sheet, const char *name)
{
    const struct sheet_entry *entry = sheet_find(sheet, name);
    return entry != NULL ? entry->value : NULL;
}

bool sheet_is_on(const struct sheet *sheet, const char *name)
{
    const char *value = sheet_value(sheet, name);
    return value != NULL &&
           (value[0] == '\0' || str_is_among_nocase(str_from(value), "yes on true 1"));
}

bool sheet_means_off(const char *value)
{
    return str_is_among_nocase(str_from(value), "no off false 0");
}

void sheet_set(struct sheet *sheet, const char *name, const char *value, unsigned line)
{
    for (size_t i = 0; i < sheet->count; i++) {
        struct sheet_entry *entry = &sheet->entries[i];
        if (strcmp(entry->name, name) == 0) {
            char *copy = xstrdup(value);
            wipe(entry->value);
            entry->value = copy;
            entry->line = line;
            return;
        }
    }
    append(sheet, name, value, line);
}

void sheet_setf(struct sheet *sheet, const char *name, const char *fmt, ...)
{
    char value[VALUE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    sheet_set(sheet, name, value, 0);
}

void sheet_note(struct sheet *sheet, const char *fmt, ...)
{
    char text[VALUE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    append(sheet, SHEET_NOTE, text, 0);
}

/* --- as a configuration file ------------------------------------------------------------------ */

static bool is_bare(const char *value)
{
    size_t len = strlen(value);
    return len > 0 && len == strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789");
}

/* Within the double quotes of fetchpoprc(5) a backslash, a quote and ${ mean something. */
void sheet_spell_value(const char *value, struct buf *out)
{
    if (is_bare(value)) {
        buf_addf(out, "%s", value);
        return;
    }
    buf_addf(out, "\"");
    for (const char *p = value; *p != '\0'; p++)
        if (*p == '\n')
            buf_addf(out, "\\n");
        else if (*p == '"' || *p == '\\' || (*p == '$' && p[1] == '{'))
            buf_addf(out, "\\%c", *p);
        else
            buf_add(out, p, 1);
    buf_addf(out, "\"");
}

void sheet_spell_note(const char *indent, const char *text, struct buf *out)
{
    buf_addf(out, "%s# ", indent);
    for (const char *p = text; *p != '\0'; p++)
        buf_addf(out, "%c", (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
    buf_addf(out, "\n");
}

/* Cuts to so many octets at most, and no character of UTF-8 in two. */
static void cut(char *text, size_t max)
{
    size_t len = strlen(text) < max ? strlen(text) : max;
    while (len > 0 && (text[len] & 0xc0) == 0x80)
        len--;
    text[len] = '\0';
}

void sheet_title(const char *text, char title[SHEET_TITLE_SIZE])
{
    unsigned char sum[DIGEST_SIZE];
    char end[TITLE_SUM * 2 + 1];
    const char *from = text + strspn(text, "-.");
    char *whole = xstrdup(from[0] != '\0' ? from : "account");
    digest_bytes(str_from(text), sum);
    words_hex(sum, TITLE_SUM, end);
    bool fits = strlen(whole) < SHEET_TITLE_SIZE;
    if (!fits)
        cut(whole, SHEET_TITLE_SIZE - 1 - sizeof end);
    snprintf(title, SHEET_TITLE_SIZE, "%s%s%s", whole, fits ? "" : "-", fits ? "" : end);
    free(whole);
    for (char *p = title; *p != '\0'; p++)
        if (strchr("/:\"\\{", *p) != NULL || (unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '-';
}

static bool is_taken(const struct sheets *sheets, size_t which, const char *title)
{
    char other[SHEET_TITLE_SIZE];
    for (size_t i = 0; i < which; i++) {
        sheet_title(sheets->at[i].title, other);
        if (strcmp(other, title) == 0)
            return true;
    }
    return false;
}

void sheets_title(const struct sheets *sheets, size_t which, char title[SHEET_TITLE_SIZE])
{
    sheet_title(sheets->at[which].title, title);
    char *whole = xstrdup(title);
    cut(whole, 40);
    for (size_t number = which + 1; is_taken(sheets, which, title); number++)
        snprintf(title, SHEET_TITLE_SIZE, "%s-%zu", whole, number);
    free(whole);
}

static bool same(const struct sheet *a, const struct sheet *b, const char *name)
{
    const char *left = sheet_value(a, name), *right = sheet_value(b, name);
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

static const struct sheet *twin_of(const struct sheets *sheets, size_t which)
{
    for (size_t i = 0; i < which; i++)
        if (sheets->at[i].left_out == NULL && same(&sheets->at[i], &sheets->at[which], "server") &&
            same(&sheets->at[i], &sheets->at[which], "user"))
            return &sheets->at[i];
    return NULL;
}

/* Why this account is left out; malloced, NULL: it is not. */
static char *why_not(const struct sheets *sheets, size_t which)
{
    const struct sheet *sheet = &sheets->at[which], *twin = twin_of(sheets, which);
    if (sheet->left_out != NULL)
        return xstrdup(sheet->left_out);
    if (twin == NULL)
        return NULL;
    return xasprintf("it is the mailbox of \"%s\", and a mailbox is fetched to one place",
                     twin->title);
}

static void spell_entry(const struct sheet_entry *entry, struct buf *out)
{
    if (strcmp(entry->name, SHEET_NOTE) == 0) {
        sheet_spell_note("    ", entry->value, out);
        return;
    }
    buf_addf(out, "    %s = ", entry->name);
    sheet_spell_value(entry->value, out);
    buf_addf(out, "\n");
}

void sheets_spell(const struct sheets *sheets, size_t which, struct buf *out)
{
    const struct sheet *sheet = &sheets->at[which];
    char title[SHEET_TITLE_SIZE], *why = why_not(sheets, which);
    sheets_title(sheets, which, title);
    if (why != NULL) {
        char *note = xasprintf("Left out: account \"%s\": %s.", title, why);
        buf_addf(out, "\n");
        sheet_spell_note("", note, out);
        free(note);
        free(why);
        return;
    }
    buf_addf(out, "\naccount \"%s\" {\n", title);
    for (size_t i = 0; i < sheet->count; i++)
        spell_entry(&sheet->entries[i], out);
    buf_addf(out, "}\n");
}
