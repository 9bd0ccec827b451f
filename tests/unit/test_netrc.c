/* SPDX-License-Identifier: ISC */
/* ~/.netrc: which entry is meant, and what is no netrc. */
#include "app/netrc.h"

#include "tap.h"

/* Texts have many lines, names of tests have one. */
static const char *first_line(const char *text)
{
    static char line[100];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n#"), text);
    return line;
}

static void finds(const char *text, const char *want)
{
    struct secret secret = {0};
    struct err err;
    err_clear(&err);
    int got = netrc_find(str_from(text), "netrc", "pop.example.com", "alice", &secret, &err);
    ok(got == (want != NULL), "%s: %s", want != NULL ? "has a password for us" : "has none for us",
       first_line(text));
    is_mem(secret.data, secret.len, want, want != NULL ? strlen(want) : 0,
           want != NULL ? "the password is the right one" : "no password is given back");
    secret_wipe(&secret);
}

static void refuses(const char *text, const char *words)
{
    struct secret secret = {0};
    struct err err;
    err_clear(&err);
    int got = netrc_find(str_from(text), "netrc", "pop.example.com", "alice", &secret, &err);
    if (!ok(got == -1 && err.kind == ERR_CONFIG && strstr(err.text, words) != NULL,
            "refused with \"%s\"", words))
        printf("# got: %d, %s\n", got, err.text);
    ok(secret.data == NULL, "a file that is refused gives no password");
}

int main(void)
{
    finds("", NULL);
    finds("# a comment\n", NULL);
    finds("machine pop.example.com login alice password one", "one");
    finds("machine POP.Example.com password one login alice", "one");
    finds("machine pop.example.com login bob password one\n"
          "machine pop.example.com login alice password two",
          "two");
    finds("machine pop.example.com password any", "any");
    finds("machine pop.example.com login alice\n", NULL);
    finds("machine imap.example.com login alice password one", NULL);
    finds("machine pop.example.com login Alice password one", NULL);
    finds("machine other password x\ndefault login alice password two\n", "two");
    finds("machine pop.example.com login alice password one\ndefault password two\n", "one");
    finds("default password two\nmachine pop.example.com login alice password one\n", "one");
    finds("default password two\nmachine pop.example.com login bob password one\n", "two");
    finds("default password two\ndefault password three\n", "two");
    finds("default password two\nmachine pop.example.com login alice\n", "two");
    finds("default login bob password two", NULL);
    finds("machine a login alice password x # y\n#z\nmachine pop.example.com # q\npassword p\n",
          "p");
    finds("machine pop.example.com password \"a b\\\"c#\"\n", "a b\"c#");
    finds("machine pop.example.com account x password #p\n", "#p");
    finds("macdef init\ncd machine pop.example.com password wrong\n\n"
          "machine pop.example.com password right\n",
          "right");
    refuses("machine", "netrc:1: a value is missing");
    refuses("default password two\nmachine x\npasword y", "netrc:3: expected machine");
    refuses("machine x\n\npasword y", "netrc:3: expected machine");
    refuses("machine pop.example.com password one login", "netrc:1: a value");
    refuses("machine pop.example.com\npassword \"one\n", "netrc:2: a \"");
    return tap_done();
}
