/* SPDX-License-Identifier: ISC */
/* Accounts from many files, from a command, and of one shard. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/rctext.h"
#include "kit_config.h"

static void is_first(const char *name, const char *titles)
{
    struct config config;
    struct err err = {0};
    char found[200] = "";
    if (config_read(&config, path_of(name), &all, &err) < 0) {
        ok(false, "file taken: %s", err.text);
        return;
    }
    for (size_t i = 0; i < config.count; i++)
        strncat(found, config.accounts[i]->title, sizeof found - strlen(found) - 1);
    ok(strcmp(found, titles) == 0, "the accounts of %s in their order: %s, not %s", name, titles,
       found);
    config_free(&config);
}

/* Many files are one text for the parser; who reads an error must not notice. */
static void test_include_pattern(void)
{
    if (mkdir(path_of("d"), 0700) < 0 || mkdir(path_of("empty"), 0700) < 0) {
        printf("Bail out! mkdir\n");
        exit(1);
    }
    write_file("all", 0600,
               "account z { " WHOLE "}\ninclude(\"d/*\")\naccount y {\n"
               "server = y user = u mda = x }\n");
    write_file("d/20", 0600, "account b { server = t user = u mda = x }");
    write_file("d/10", 0600,
               "# a comment at the end has no line end\n\naccount a {\n"
               "server = v user = u mda = x }\n# like here");
    write_file("d/30", 0600, "account c { server = w user = u mda = x }\ninclude(\"../more/e\")\n");
    write_file("d/.hidden", 0600, "nonsense");
    if (mkdir(path_of("more"), 0700) == 0)
        write_file("more/e", 0600, "account e { server = e user = u mda = x }\n");
    is_first("all", "zabcey");
    write_file("d/20", 0600, "\naccount b {\n\nport = no }");
    refused_file("all", "@/d/20:4: port must be a number");
    write_file("d/20", 0600, "\naccount b {\n\nprot = 1 }");
    refused_file("all", "@/d/20:4: no such key");
    write_file("d/20", 0600, "\naccount b {\n");
    refused_file("all", "@/d/20:2: this { has no }");
    write_file("d/20", 0600, "\naccount a { " WHOLE "}");
    refused_file("all", "@/d/20:2: a second account \"a\"");
    write_file("d/20", 0644, "\naccount b {\npassword = x }");
    refused_file("all", "@/d/20:3: a password in a file that others can read");
    write_file("d/20", 0600, "\ninclude(\"../all\")\n");
    refused_file("all", "@/d/20:2: ");
    write_file("d/20", 0600, "");
    is_first("all", "zacey");
    write_file("all", 0600, "\ninclude(\"empty/*\")\naccount y { " WHOLE "}");
    is_first("all", "y");
    write_file("all", 0600, "\ninclude(\"nowhere/*\")\naccount y { " WHOLE "}");
    refused_file("all", "@/all:2: include: ");
}

/* More than one piece of joined files, and a file that is larger than a piece. */
static void test_include_many(void)
{
    char *large = malloc(RCTEXT_PIECE + 200);
    if (mkdir(path_of("many"), 0700) < 0) {
        printf("Bail out! mkdir\n");
        exit(1);
    }
    memset(large, ' ', RCTEXT_PIECE);
    for (int i = 0; i < 4; i++) {
        char name[20];
        size_t fill = i == 1 ? RCTEXT_PIECE : RCTEXT_PIECE * 2 / 5;
        snprintf(name, sizeof name, "many/%d", i);
        sprintf(large + fill, "account %d { server = s%d user = u mda = x }\n", i, i);
        write_file(name, 0600, large);
        memset(large + fill, ' ', 100);
    }
    free(large);
    write_file("all", 0600, "include(\"many/[0-9]\")\n");
    is_first("all", "1023");
}

static void test_accounts_command(void)
{
    write_file("printed", 0600, "account p { server = p user = u mda = x }\n");
    char text[400];
    snprintf(text, sizeof text,
             "accounts_command = \"cat %s/printed\"\naccount a { " WHOLE "}\n"
             "defaults { port = 1 }\n",
             folder);
    write_file("commanded", 0600, text);
    is_first("commanded", "ap");
    write_file("printed", 0600, "\naccount p { server = p user = u port = no mda = x }\n");
    refused_file("commanded", "accounts_command:2: port must be");
    write_file("printed", 0600, "\naccount a { server = p user = u mda = x }\n");
    refused_file("commanded", "accounts_command:2: a second account \"a\"");
    write_file("printed", 0600, "accounts_command = \"true\"\n");
    refused_file("commanded", "accounts_command:1: accounts_command is there already");
    write_file("commanded", 0600, "\naccounts_command = \"/nowhere/command\"\n");
    refused_file("commanded", "@/commanded:2: accounts_command cannot be run");
    struct config config;
    struct err err = {0};
    write_file("commanded", 0600, "account a { " WHOLE "}\naccounts_command = \"true\"\n");
    ok(config_read(&config, path_of("commanded"), &all, &err) < 0 && err_status(err.kind) == 75,
       "a command that prints no account is worth another try");
    is_str(strchr(err.text, ':'), ":2: accounts_command printed no account; run it by hand",
           "and that is said");
    write_file("commanded", 0600, "\naccounts_command = \"echo no database >&2; exit 3\"\n");
    ok(config_read(&config, path_of("commanded"), &all, &err) < 0 && err_status(err.kind) == 75,
       "a command that fails is worth another try");
    is_str(strchr(err.text, ':'),
           ":2: accounts_command failed with status 3; run it by hand (command: no database)",
           "its words");
}

static void add_line(void *ctx, const char *text)
{
    char *lines = ctx;
    snprintf(lines + strlen(lines), 2000 - strlen(lines), "%s\n", text);
}

/* A mistake in what is printed or included takes no line out of the file itself. */
static void test_check(void)
{
    char text[600], want[600], lines[2000] = "";
    snprintf(text, sizeof text,
             "accounts_command = \"cat %s/printed\"\naccount a { " WHOLE "}\n"
             "account b { server = b user = b port = no mda = x }\n",
             folder);
    write_file("checked", 0600, text);
    write_file("printed", 0600, "account p { server = p user = u\nwrong = 1 }\n");
    is_int(config_check(path_of("checked"), add_line, lines), 1, "one mistake is printed");
    is_str(lines, "accounts_command:2: no such key: \"wrong\"; fetchpoprc(5) lists them\n",
           "and told with its line");
    write_file("printed", 0600, "account p {\n");
    lines[0] = '\0';
    is_int(config_check(path_of("checked"), add_line, lines), 1, "so it is if a brace is missing");
    write_file("printed", 0600, "account p { server = p user = u\nport = no mda = x }\n");
    lines[0] = '\0';
    is_int(config_check(path_of("checked"), add_line, lines), 2, "what is printed and what is not");
    snprintf(want, sizeof want, "%s/checked:3: port must be", folder);
    ok(strncmp(lines, want, strlen(want)) == 0 &&
           strstr(lines, "\naccounts_command:2: port") != NULL,
       "are told in this order");
}

static size_t count_shard(const char *name, unsigned index, unsigned count, struct err *err)
{
    struct config config;
    struct rcparse_want want = {.shard = {index, count}};
    err_clear(err);
    if (config_read(&config, path_of(name), &want, err) < 0)
        return 1000;
    for (size_t i = 0; i < config.count; i++)
        if (!shard_has(&want.shard, config.accounts[i]->server, config.accounts[i]->user))
            config.count = 1000;
    size_t found = config.count;
    config_free(&config);
    return found;
}

/* Whether `defaults` with a server comes before the accounts or behind them. */
static void test_shards(void)
{
    struct err err;
    char text[5000] = "";
    for (int i = 0; i < 40; i++)
        sprintf(text + strlen(text), "account %d { user = u%d mda = x }\n", i, i);
    strcat(text, "defaults { server = d }\n");
    write_file("late", 0600, text);
    memmove(text + 24, text, strlen(text) - 24);
    memcpy(text, "defaults { server = d }\n", 24);
    write_file("early", 0600, text);
    size_t late = 0, early = 0;
    for (unsigned i = 0; i < 4; i++) {
        late += count_shard("late", i, 4, &err);
        early += count_shard("early", i, 4, &err);
    }
    is_int((long long)late, 40, "each account is one shard's; defaults come last");
    is_int((long long)early, 40, "and so it is where they come first");
    write_file("shards", 0600, "account a { " WHOLE "}\naccount b { port = no " WHOLE "}\n");
    struct shard first = {0, 2};
    unsigned ours = shard_has(&first, "s", "u") ? 0 : 1;
    is_int((long long)count_shard("shards", !ours, 2, &err), 0,
           "a shard without an account is no error");
    write_file("empty-file", 0600, "\n");
    is_int((long long)count_shard("empty-file", 0, 2, &err), 1000, "no account at all is one");
}

int main(void)
{
    make_folder();
    test_include_pattern();
    test_include_many();
    test_accounts_command();
    test_check();
    test_shards();
    remove_folder();
    return tap_done();
}
