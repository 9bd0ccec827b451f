/* SPDX-License-Identifier: ISC */
/*
 * pattern: globs and expressions on texts.
 */
#include "base/pattern.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static bool fits(const char *pattern, const char *text, size_t len)
{
    struct err err;
    struct pattern *made = pattern_new(pattern, &err);
    if (made == NULL)
        return ok(false, "%s: %s", pattern, err.text);
    bool result = pattern_fits(made, str_of(text, len));
    pattern_free(made);
    return result;
}

static void yes(const char *pattern, const char *text)
{
    ok(fits(pattern, text, strlen(text)), "%s fits %s", pattern, text);
}

static void no(const char *pattern, const char *text)
{
    ok(!fits(pattern, text, strlen(text)), "%s does not fit %s", pattern, text);
}

static void test_globs(void)
{
    yes("[spam]*", "[SPAM] buy");
    no("[spam]*", "spam");
    no("[spam]*", "a [spam]");
    yes("*@lists.example.org", "dev@Lists.Example.org");
    no("*@lists.example.org", "dev@lists.example.org.evil.example");
    no("*@lists.example.org", "dev@listsXexample.org");
    yes("a?c", "abc");
    no("a?c", "ac");
    no("a?c", "abbc");
    yes("*", "");
    yes("**?", "x");
    no("?", "");
    yes("*ab*ab*", "aab.aab");
    no("*ab*ab*", "aabb");
    yes("*aab", "aaaab");
    yes("a*b*c", "a-b-b-c-c");
    no("a*b*c", "a-c-b");
    yes("\\*", "\\anything");
    no("\\*", "*");
    yes("/path", "/path");
    yes("/", "/");
    yes("[a-z]", "[A-Z]");
}

static void test_characters(void)
{
    yes("gr?\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    no("gr??\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    no("gr\xc3\xbc", "gr\xc3\xbc\xc3\x9f");
    yes("a?b", "a\xff"
               "b");
    no("a\xef\xbf\xbd"
       "b",
       "a\xff"
       "b");
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (locale == (locale_t)0) {
        tap_skip("case beyond ASCII", "no locale C.UTF-8");
        return;
    }
    freelocale(locale);
    yes("*\xc3\x84rger*", "\xc3\xa4RGER im \xc3\x96l");
    yes("/\xc3\x96l$/", "\xc3\x84rger im \xc3\xb6L");
    yes("/^gr.\xc3\x9f$/", "gr\xc3\xbc\xc3\x9f");
    is_str(setlocale(LC_ALL, NULL), "C", "the locale of the program stays as it was");
}

static void test_expressions(void)
{
    yes("/^re: *(offer|deal)/", "Re:  DEAL of the day");
    no("/^re: *(offer|deal)/", "a deal");
    yes("/[0-9]{3}/", "call 555");
    no("/[0-9]{3}/", "call 55");
    yes("/a\\.b/", "a.b");
    no("/a\\.b/", "axb");
    ok(fits("/end$/", "a\0 the end", 10), "an expression sees what stands behind a NUL");
    ok(fits("*end", "a\0 the end", 10), "and so does a glob");
    yes("/x/", "x\xff");
}

static void refused(const char *pattern, const char *words)
{
    struct err err;
    err_clear(&err);
    struct pattern *made = pattern_new(pattern, &err);
    ok(made == NULL && err.kind == ERR_CONFIG && strstr(err.text, words) != NULL, "%.20s: %s",
       pattern, err.text);
    pattern_free(made);
}

static void test_refusals(void)
{
    char text[PATTERN_MAX + 2];
    memset(text, 'x', sizeof text);
    text[PATTERN_MAX + 1] = '\0';
    refused("", "is empty");
    refused(" \t", "is empty");
    refused("//", "nothing between the slashes");
    refused("/(/", "is not a regular expression");
    refused("/(a*)*\\1/", "back-reference");
    refused("/((a{1,100}){3,}){4}/", "repeats too much");
    refused("/a{99999999999999999999}/", "repeats too much");
    yes("/^[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}$/", "10.9.123");
    yes("/x{1000}|y/", "y");
    refused("gr\xfc\xdf", "UTF-8");
    refused(text, "not be longer than 1000");
    text[PATTERN_MAX] = '\0';
    yes(text, text);
    yes("/a\\\\1/", "a\\1");
}

/* One pass for each * would be hours here. */
static void test_effort(void)
{
    char *text = malloc(20000);
    memset(text, 'a', 20000);
    ok(!fits("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, 20000), "many stars end soon");
    ok(!fits("/((a*)*)*b/", text, 20000), "and so do nested ones of an expression");
    text[PATTERN_TEXT_MAX] = 'b';
    ok(!fits("*b*", text, 20000), "what stands behind 8 KB is not looked at");
    text[PATTERN_TEXT_MAX - 1] = 'b';
    ok(fits("*b", text, 20000), "up to there it is");
    free(text);
}

int main(void)
{
    test_globs();
    test_characters();
    test_expressions();
    test_refusals();
    test_effort();
    return tap_done();
}
