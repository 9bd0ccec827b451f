/* SPDX-License-Identifier: ISC */
#include "app/rows.h"

#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/tty.h"
#include "base/file.h"
#include "base/maildate.h"
#include "base/utf8.h"

#define ROW_MAX 8192
#define FROM_COLUMNS 20
#define SUBJECT_LEAST 20 /* columns: with fewer, the UIDL is left out */
#define RULE_COLUMNS 60  /* of the name of the rule that fits */
#define FIXED 44         /* columns of number, date, size, state and the blanks between all parts */

/* ---- words ---- */

/* Adds text, cut to this many columns, and filled up to them with blanks. 0: all of it. */
static size_t add_fitted(struct buf *out, struct str text, size_t columns, bool fill)
{
    size_t used = 0;
    while (text.len > 0) {
        const char *from = text.ptr;
        uint32_t c = utf8_take(&text);
        bool shown = c != UTF8_NONE && !utf8_is_control(c);
        size_t width = shown ? utf8_width(c) : 1;
        if (columns > 0 && used + width > columns)
            break;
        (void)buf_add(out,
                      shown            ? from
                      : c == UTF8_NONE ? "?"
                                       : " ",
                      shown ? (size_t)(text.ptr - from) : 1);
        used += width;
    }
    for (; fill && used < columns; used++)
        (void)buf_add(out, " ", 1);
    return used;
}

/* The display name, else the address. */
static struct str name_of(struct str from)
{
    struct str rest = from, name = str_trim(str_until(&rest, '<'));
    if (name.len > 1 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"')
        name = str_trim(str_of(name.ptr + 1, name.len - 2));
    return name.len > 0 ? name : from;
}

/* " (rc:12)", where the rule stands; "" if none fits. */
static size_t spell_rule(const struct rule *rule, char out[RULE_COLUMNS])
{
    out[0] = '\0';
    if (rule == NULL)
        return 0;
    const char *slash = strrchr(rule->file, '/');
    int len =
        snprintf(out, RULE_COLUMNS, " (%s:%u)", slash != NULL ? slash + 1 : rule->file, rule->line);
    return len < RULE_COLUMNS ? (size_t)len : RULE_COLUMNS - 1;
}

void rows_spell(const struct look_row *row, size_t columns, struct buf *out)
{
    char date[MAILDATE_MINUTE], size[24], rule[RULE_COLUMNS];
    size_t by = spell_rule(row->rule, rule), fixed = FIXED + by;
    buf_addf(out, "%5u %-16s %7s %-7s ", (unsigned)row->number, maildate_spell(row->date, date),
             row->size > 0 ? str_spell_size(row->size, size) : "", row->state);
    size_t from = add_fitted(out, name_of(row->from), FROM_COLUMNS, true);
    size_t left = columns > fixed + from ? columns - fixed - from : 1;
    bool uidl = columns == 0 || left >= SUBJECT_LEAST + 1 + row->uidl.len;
    (void)buf_add(out, " ", 1);
    size_t width = uidl ? left - 1 - row->uidl.len : left;
    add_fitted(out, row->subject, columns > 0 ? width : 0, uidl && columns > 0);
    if (uidl && row->uidl.len > 0) {
        (void)buf_add(out, " ", 1);
        add_fitted(out, row->uidl, 0, false);
    }
    (void)buf_add(out, rule, by);
}

/* ---- the terminal ---- */

#if defined __GNUC__ && !defined __clang__ /* gcc's analyzer takes -1 of iconv_open for memory */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* False: this charset lacks it, or iconv(3) does not know the charset. */
static bool convert(iconv_t converter, struct str character, struct buf *out)
{
    char room[16], *to = room, in[8], *from = in;
    size_t len = character.len, left = sizeof room;
    if (converter == (iconv_t)-1 || len > sizeof in) // NOLINT(performance-no-int-to-ptr)
        return false;
    memcpy(in, character.ptr, len);
    if (iconv(converter, &from, &len, &to, &left) != 0 || len > 0)
        return false;
    return buf_add(out, room, (size_t)(to - room)) == 0;
}

static void add_converted(struct str text, const char *charset, struct buf *out)
{
    iconv_t converter = iconv_open(charset, "UTF-8");
    while (text.len > 0) {
        const char *from = text.ptr;
        uint32_t c = utf8_take(&text);
        struct str character = str_of(from, (size_t)(text.ptr - from));
        if (c < 0x80)
            (void)buf_add(out, from, 1);
        else if (!convert(converter, character, out))
            (void)buf_add(out, "?", 1);
    }
    if (converter != (iconv_t)-1) // NOLINT(performance-no-int-to-ptr): as iconv(3) says it
        iconv_close(converter);
}

/* What the program says elsewhere does not depend on the locale; so it is asked here alone. */
static void print(struct str text)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    const char *charset = locale != (locale_t)0 ? nl_langinfo_l(CODESET, locale) : "US-ASCII";
    struct buf out;
    buf_init(&out, 2 * ROW_MAX);
    if (strcasecmp(charset, "UTF-8") == 0)
        (void)buf_add(&out, text.ptr, text.len);
    else
        add_converted(text, charset, &out);
    (void)file_write(STDOUT_FILENO, out.data, out.len, "standard output", NULL);
    buf_free(&out);
    if (locale != (locale_t)0)
        freelocale(locale);
}

void rows_print(const struct look_row *row)
{
    struct buf line;
    buf_init(&line, ROW_MAX);
    rows_spell(row, isatty(STDOUT_FILENO) == 1 ? tty_columns() : 0, &line);
    while (line.len > 0 && line.data[line.len - 1] == ' ')
        line.len--;
    (void)buf_add(&line, "\n", 1);
    print(buf_str(&line));
    buf_free(&line);
}

int rows_print_body(const char *bytes, size_t len, struct err *err)
{
    struct str rest = str_of(bytes, len);
    if (isatty(STDOUT_FILENO) != 1)
        return file_write(STDOUT_FILENO, bytes, len, "standard output", err);
    struct buf shown;
    buf_init(&shown, len + 1);
    while (rest.len > 0) {
        const char *from = rest.ptr;
        uint32_t c = utf8_take(&rest);
        bool good = c == '\n' || c == '\t' || (c != UTF8_NONE && !utf8_is_control(c));
        (void)buf_add(&shown, good ? from : "?", good ? (size_t)(rest.ptr - from) : 1);
    }
    int result = file_write(STDOUT_FILENO, shown.data, shown.len, "standard output", err);
    buf_free(&shown);
    return result;
}
