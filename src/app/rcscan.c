/* SPDX-License-Identifier: ISC */
#include "app/rcscan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define DEPTH_MAX 4 /* a list in a rule in a section is three */
#define VARIABLE_MAX 100

/* What stands right before the next character. */
enum behind { BEHIND_GAP, BEHIND_WORD, BEHIND_STRING };

struct scan {
    struct rctext *text;
    char *at, *end;
    unsigned line;
    unsigned depth;
    unsigned opened[DEPTH_MAX]; /* lines of the braces that are open */
    enum behind behind;
    bool fresh; /* only blanks since the last { */
    struct err *err;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct scan *scan, unsigned line,
                                                        const char *fmt, ...)
{
    char words[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    scan->text->fault = line;
    return err_set(scan->err, ERR_CONFIG, "%s:%u: %s", scan->text->parts->name, line, words);
}

static char next(const struct scan *scan)
{
    return scan->at + 1 < scan->end ? scan->at[1] : '\0';
}

static int scan_comment(struct scan *scan)
{
    if (scan->behind == BEHIND_WORD)
        return refuse(scan, scan->line,
                      "# follows a word directly; quote the word, or put a space before a comment");
    while (scan->at < scan->end && *scan->at != '\n')
        *scan->at++ = ' ';
    return 0;
}

static int open_brace(struct scan *scan)
{
    if (scan->depth == DEPTH_MAX)
        return refuse(scan, scan->line,
                      "too many braces inside each other; only a rule stands in a section");
    struct rctext *text = scan->text;
    if (scan->depth == 0) {
        text->sections =
            xreallocarray(text->sections, text->section_count + 1, sizeof *text->sections);
        text->sections[text->section_count++] = scan->line;
    }
    scan->opened[scan->depth++] = scan->line;
    return 0;
}

static int close_brace(struct scan *scan)
{
    if (scan->depth == 0)
        return refuse(scan, scan->line, "one } too many; remove it, or add its {");
    if (scan->fresh && scan->depth > 1)
        return refuse(scan, scan->line, "an empty list or rule; leave it out instead");
    scan->depth--;
    return 0;
}

/* ${NAME} and ${NAME:-default} are expanded by libconfuse; unset ones silently become nothing, and
 * a missing brace eats the rest of the file. */
static int check_variable(struct scan *scan)
{
    char *name = scan->at + 2;
    char *p = name;
    while (p < scan->end && (*p == '_' || str_is_alnum(*p)))
        p++;
    size_t len = (size_t)(p - name);
    char *stop = p;
    bool has_default = scan->end - p > 1 && p[0] == ':' && p[1] == '-';
    while (has_default && stop < scan->end && strchr("}\"\\\n", *stop) == NULL)
        stop++;
    if (len == 0 || len >= VARIABLE_MAX || stop >= scan->end || *stop != '}')
        return refuse(scan, scan->line,
                      "${ in double quotes begins the name of a variable; use single quotes");
    char variable[VARIABLE_MAX];
    memcpy(variable, name, len);
    variable[len] = '\0';
    if (!has_default && getenv(variable) == NULL)
        return refuse(scan, scan->line,
                      "the variable %s is not set; set it, or use single quotes if ${ means itself",
                      variable);
    scan->at = stop + 1;
    return 0;
}

/* True if an octal or hexadecimal escape at p stands for NUL. */
static bool is_nul(const char *p, const char *end)
{
    bool hex = *p == 'x';
    const char *digits = hex ? "0123456789abcdefABCDEF" : "01234567";
    unsigned limit = hex ? 2 : 3;
    unsigned n = 0;
    for (p += hex; n < limit && p < end && memchr(digits, *p, strlen(digits)) != NULL; n++, p++)
        if (*p != '0')
            return false;
    return n > 0;
}

static int scan_escape(struct scan *scan)
{
    char c = next(scan);
    if (c == '\n') {
        scan->line++;
    } else if (c == '\0' || strchr("\\\"'$nrbfaetvx01234567", c) == NULL) {
        return refuse(scan, scan->line,
                      "\\%c means nothing in double quotes; write \\\\ or use single quotes",
                      c > 0x20 && c < 0x7f ? c : '?');
    } else if (is_nul(scan->at + 1, scan->end)) {
        return refuse(scan, scan->line, "a text cannot hold a NUL; remove the escape");
    }
    scan->at += 2;
    return 0;
}

static int scan_double(struct scan *scan, unsigned first)
{
    while (scan->at < scan->end && *scan->at != '"') {
        int result = 0;
        if (*scan->at == '\n')
            break;
        if (*scan->at == '\\')
            result = scan_escape(scan);
        else if (*scan->at == '$' && next(scan) == '{')
            result = check_variable(scan);
        else
            scan->at++;
        if (result != 0)
            return -1;
    }
    if (scan->at >= scan->end || *scan->at != '"')
        return refuse(scan, first, "a \" that is not closed on this line; close it");
    return 0;
}

static int scan_single(struct scan *scan, unsigned first)
{
    while (scan->at < scan->end && *scan->at != '\'') {
        if (*scan->at == '\n')
            break;
        if (*scan->at == '\\') {
            scan->line += next(scan) == '\n';
            scan->at++;
        }
        scan->at += scan->at < scan->end;
    }
    if (scan->at >= scan->end || *scan->at != '\'')
        return refuse(scan, first, "a ' that is not closed on this line; close it");
    return 0;
}

static int scan_string(struct scan *scan)
{
    if (scan->behind != BEHIND_GAP)
        return refuse(scan, scan->line,
                      "a quote inside a word; quote the whole, with \\ before a quote inside");
    char quote = *scan->at++;
    int result = quote == '"' ? scan_double(scan, scan->line) : scan_single(scan, scan->line);
    scan->at += result == 0;
    scan->behind = BEHIND_STRING;
    return result;
}

/* U+2018 to U+201F, and the two of U+00AB: what word processors make of " and '. */
static bool is_typographic(const struct scan *scan)
{
    struct str rest = str_of(scan->at, (size_t)(scan->end - scan->at));
    uint32_t c = utf8_take(&rest);
    return (c >= 0x2018 && c <= 0x201f) || c == 0xab || c == 0xbb;
}

static bool is_at_end_of_word(const struct scan *scan)
{
    return scan->at + 1 == scan->end || strchr(" \t\r\n{}(),#;", scan->at[1]) != NULL;
}

static int scan_word(struct scan *scan)
{
    char c = *scan->at;
    if (scan->behind == BEHIND_STRING && c == ';')
        return refuse(scan, scan->line, "a ; after a quote; remove it: no line needs one");
    if (scan->behind == BEHIND_STRING)
        return refuse(scan, scan->line,
                      "a word directly after a quote; quote it all, with \\ before a quote inside");
    if (c == '/' && (next(scan) == '/' || next(scan) == '*'))
        return refuse(scan, scan->line,
                      "comments begin with #; a text with /%c in it goes in quotes", next(scan));
    if (scan->behind == BEHIND_GAP && is_typographic(scan))
        return refuse(scan, scan->line,
                      "a typographic quote, which quotes nothing here; write \" or ' instead");
    if (c == '*' || c == '+' || c == '\\' || (c == '$' && next(scan) == '{'))
        return refuse(scan, scan->line, "%c outside quotes; put the text in quotes", c);
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return refuse(scan, scan->line, "a control character (0x%02x) outside quotes; remove it",
                      (unsigned char)c);
    if (c == ';' && is_at_end_of_word(scan))
        return refuse(
            scan, scan->line,
            "a ; at the end of a value: remove it, or quote the value if it is part of it");
    scan->behind = BEHIND_WORD;
    scan->at++;
    return 0;
}

/* One of the characters between words. */
static int scan_gap(struct scan *scan)
{
    int result = 0;
    if (*scan->at == '{') {
        result = open_brace(scan);
        scan->fresh = true;
    } else if (*scan->at == '}') {
        result = close_brace(scan);
    } else if (*scan->at == '\r') {
        *scan->at = ' ';
    }
    scan->line += *scan->at == '\n';
    scan->behind = BEHIND_GAP;
    scan->at++;
    return result;
}

static int scan_one(struct scan *scan)
{
    char c = *scan->at;
    bool blank = strchr(" \t\r\n#}", c) != NULL;
    scan->fresh = scan->fresh && blank;
    if (c == '#')
        return scan_comment(scan);
    if (c == '"' || c == '\'')
        return scan_string(scan);
    if (strchr(" \t\n{}()=,", c) != NULL || (c == '\r' && next(scan) == '\n'))
        return scan_gap(scan);
    return scan_word(scan);
}

static int check_bytes(const struct scan *scan)
{
    const struct rctext *text = scan->text;
    if (str_has_prefix(str_of(text->data, text->size), "\xef\xbb\xbf"))
        return refuse(scan, 1, "begins with a byte order mark; save it as UTF-8 without one");
    const char *nul = memchr(text->data, '\0', text->size);
    if (nul == NULL)
        return 0;
    unsigned line = 1;
    for (const char *p = text->data; p < nul; p++)
        line += *p == '\n';
    return refuse(scan, line, "a NUL byte; this is not a text file, or not in UTF-8");
}

int rcscan_text(struct rctext *text, struct err *err)
{
    struct scan scan = {.text = text, .at = text->data, .line = 1, .err = err};
    scan.end = text->data + text->size;
    if (check_bytes(&scan) < 0)
        return -1;
    while (scan.at < scan.end)
        if (scan_one(&scan) < 0)
            return -1;
    if (scan.depth > 0)
        return refuse(&scan, scan.opened[scan.depth - 1], "this { has no }; add it");
    text->lines = scan.line;
    return 0;
}
