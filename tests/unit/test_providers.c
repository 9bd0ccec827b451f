/* SPDX-License-Identifier: ISC */
/*
 * providers: each row can be found, says what a person can use, and fits on a terminal.
 */
#include "app/providers.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tap.h"

static void test_finding(void)
{
    is_str(providers_find("gmail.com")->server, "pop.gmail.com", "a provider by its domain");
    ok(providers_find("googlemail.com") == providers_find("gmail.com"),
       "by another one of its own");
    ok(providers_find("GMAIL.COM") == providers_find("gmail.com"), "in capitals");
    ok(providers_find("example.com") == NULL, "what is none");
    ok(providers_find("mail.gmail.com") == NULL, "what is below one");
    ok(providers_find("outlook.com")->oauth, "one that takes no password");
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;
    for (struct str rest = str_from(text); rest.len > 0;) {
        size_t len = str_until(&rest, '\n').len;
        longest = len > longest ? len : longest;
    }
    return longest;
}

static void test_rows(void)
{
    size_t count;
    const struct provider *rows = providers_all(&count);
    for (size_t i = 0; i < count; i++) {
        struct str domains = str_from(rows[i].domains);
        ok(rows[i].server != NULL || rows[i].before != NULL, "%s: a server, or why there is none",
           rows[i].domains);
        ok(rows[i].server == NULL ||
               (strchr(rows[i].server, '.') != NULL && strpbrk(rows[i].server, " :/@") == NULL),
           "%s: its server is a name alone", rows[i].domains);
        ok(rows[i].before == NULL || longest_line(rows[i].before) <= 90, "%s: its lines fit",
           rows[i].domains);
        while (domains.len > 0) {
            char domain[64];
            struct str word = str_word(&domains);
            snprintf(domain, sizeof domain, "%.*s", (int)word.len, word.ptr);
            ok(providers_find(domain) == &rows[i], "%s is in one row", domain);
        }
    }
    ok(count > 20, "the large ones are there");
}

int main(void)
{
    test_finding();
    test_rows();
    return tap_done();
}
