/* SPDX-License-Identifier: ISC */
#include "base/pattern.h"

#include <locale.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* In a glob these stand beside characters, which end at U+10FFFF. */
#define ANY_NUMBER (UTF8_NONE - 1)
#define ANY_ONE (UTF8_NONE - 2)

struct pattern {
    char *text;
    locale_t locale; /* (locale_t)0: there is none with UTF-8 */
    bool is_regex;
    regex_t regex;
    uint32_t *glob; /* in lower case */
    size_t count;
};

static uint32_t lower(locale_t locale, uint32_t c)
{
    if (c < 0x80)
        return (uint32_t)str_lower((char)c);
    return locale != (locale_t)0 && c != UTF8_NONE ? (uint32_t)towlower_l((wint_t)c, locale) : c;
}

static int compile_glob(struct pattern *pattern, struct err *err)
{
    struct str rest = str_from(pattern->text);
    pattern->glob = xcalloc(rest.len, sizeof *pattern->glob);
    while (rest.len > 0) {
        uint32_t c = utf8_take(&rest);
        if (c == UTF8_NONE)
            return err_set(err, ERR_CONFIG, "is not UTF-8; save the file as UTF-8");
        pattern->glob[pattern->count++] = c == '*'   ? ANY_NUMBER
                                          : c == '?' ? ANY_ONE
                                                     : lower(pattern->locale, c);
    }
    return 0;
}

/* POSIX leaves \1 open in an extended expression; some libraries take it for a back-reference. */
static bool refers_back(const char *text)
{
    while ((text = strchr(text, '\\')) != NULL && text[1] != '\0') {
        if (text[1] >= '1' && text[1] <= '9')
            return true;
        text += 2;
    }
    return false;
}

/* The largest number between the braces, and 1 where there is none. */
static unsigned long bound_of(const char *brace)
{
    unsigned long most = 1;
    for (const char *at = brace + 1; *at == ',' || (*at >= '0' && *at <= '9'); at++) {
        char *end = NULL;
        unsigned long bound = *at != ',' ? strtoul(at, &end, 10) : 0;
        most = bound > most ? bound : most;
        at = end != NULL ? end - 1 : at;
    }
    return most;
}

static bool repeats_too_much(const char *text)
{
    unsigned long product = 1;
    while ((text = strchr(text, '{')) != NULL && product <= PATTERN_REPEATS) {
        unsigned long bound = bound_of(text++);
        product *= bound <= PATTERN_REPEATS ? bound : PATTERN_REPEATS + 1;
    }
    return product > PATTERN_REPEATS;
}

/* What a library would never finish compiling or matching: ERR_CONFIG. */
static int check_cost(const char *expression, struct err *err)
{
    if (refers_back(expression))
        return err_set(err, ERR_CONFIG, "has a back-reference, which is not supported");
    if (repeats_too_much(expression))
        return err_set(err, ERR_CONFIG,
                       "repeats too much: the product of its {bounds} must not pass %d",
                       PATTERN_REPEATS);
    return 0;
}

static int compile_regex(struct pattern *pattern, struct err *err)
{
    char why[200];
    struct str inner = str_from(pattern->text + 1);
    if (inner.len == 1)
        return err_set(err, ERR_CONFIG, "has nothing between the slashes; leave it out instead");
    char *expression = xmemdup0(inner.ptr, inner.len - 1);
    if (check_cost(expression, err) < 0) {
        free(expression);
        return -1;
    }
    locale_t before = pattern->locale != (locale_t)0 ? uselocale(pattern->locale) : (locale_t)0;
    int result = regcomp(&pattern->regex, expression, REG_EXTENDED | REG_ICASE | REG_NOSUB);
    if (result != 0)
        regerror(result, &pattern->regex, why, sizeof why);
    if (before != (locale_t)0)
        uselocale(before);
    free(expression);
    if (result != 0)
        return err_set(err, ERR_CONFIG, "is not a regular expression: %s; correct it", why);
    pattern->is_regex = true;
    return 0;
}

struct pattern *pattern_new(const char *text, struct err *err)
{
    struct str whole = str_from(text);
    if (str_trim(whole).len == 0) {
        (void)err_set(err, ERR_CONFIG, "is empty; leave it out instead, or write \"*\"");
        return NULL;
    }
    if (whole.len > PATTERN_MAX) {
        (void)err_set(err, ERR_CONFIG, "must not be longer than %d octets", PATTERN_MAX);
        return NULL;
    }
    struct pattern *pattern = xcalloc(1, sizeof *pattern);
    pattern->text = xstrdup(text);
    pattern->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    bool slashes = whole.len > 1 && text[0] == '/' && text[whole.len - 1] == '/';
    if ((slashes ? compile_regex : compile_glob)(pattern, err) < 0) {
        pattern_free(pattern);
        return NULL;
    }
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    if (pattern->is_regex)
        regfree(&pattern->regex);
    if (pattern->locale != (locale_t)0)
        freelocale(pattern->locale);
    free(pattern->glob);
    free(pattern->text);
    free(pattern);
}

const char *pattern_text(const struct pattern *pattern)
{
    return pattern->text;
}

/* The next character in lower case; most are ASCII. */
static uint32_t take_lower(const struct pattern *pattern, struct str *text)
{
    unsigned char first = (unsigned char)text->ptr[0];
    if (first >= 0x80)
        return lower(pattern->locale, utf8_take(text));
    *text = str_behind(*text, 1);
    return lower(pattern->locale, first);
}

static bool fits_one(const struct pattern *pattern, size_t at, uint32_t c)
{
    return at < pattern->count && (pattern->glob[at] == ANY_ONE || pattern->glob[at] == c);
}

/* Where it does not go on, the last * takes one character more: earlier ones need not, since what
 * stands between two of them fits as well at its first place as at a later one. */
static bool glob_fits(const struct pattern *pattern, struct str text)
{
    size_t at = 0, behind_star = 0;
    struct str retry = text;
    while (text.len > 0) {
        if (at < pattern->count && pattern->glob[at] == ANY_NUMBER) {
            behind_star = ++at;
            retry = text;
        } else if (fits_one(pattern, at, take_lower(pattern, &text))) {
            at++;
        } else if (behind_star > 0) {
            if (at == behind_star)
                retry = text;
            else
                (void)take_lower(pattern, &retry);
            text = retry;
            at = behind_star;
        } else {
            return false;
        }
    }
    while (at < pattern->count && pattern->glob[at] == ANY_NUMBER)
        at++;
    return at == pattern->count;
}

/* regexec(3) ends at a NUL. */
static bool regex_fits(const struct pattern *pattern, struct str text)
{
    char copy[PATTERN_TEXT_MAX + 1];
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(text.ptr[i] != '\0' ? text.ptr[i] : ' ');
    copy[text.len] = '\0';
    locale_t before = pattern->locale != (locale_t)0 ? uselocale(pattern->locale) : (locale_t)0;
    bool fits = regexec(&pattern->regex, copy, 0, NULL, 0) == 0;
    if (before != (locale_t)0)
        uselocale(before);
    return fits;
}

bool pattern_fits(const struct pattern *pattern, struct str text)
{
    if (text.len > PATTERN_TEXT_MAX)
        text.len = PATTERN_TEXT_MAX;
    return pattern->is_regex ? regex_fits(pattern, text) : glob_fits(pattern, text);
}
