/* SPDX-License-Identifier: ISC */
/* What of an account is more than one of its keys. */
#include "kit_config.h"

static void start_nothing(void)
{
    struct config config;
    size_t at = 0;
    const struct account *account =
        one(&config, "account a { " WHOLE "password_command = \"first\" }");
    ok(account_next_command(account, &at) == NULL,
       "an account that delivers to a Maildir starts no command once it has its secret");
    config_free(&config);
}

/* Whoever lists them does not know how many there may be. */
static void start_all(void)
{
    struct config config;
    char found[200] = "";
    const char *command;
    const struct account *account = one(
        &config, "account a { server = s user = u mda = \"main\" connect_command = \"connect\"\n"
                 "token_command = \"token\" filter_command = \"filter\"\n"
                 "pipe_through = \"through\" after_new = \"after\"\n"
                 "rule { from = x maildir = \"/m\" } rule { from = y mda = \"second\" } }");
    for (size_t at = 0; (command = account_next_command(account, &at)) != NULL;)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", command);
    is_str(found, "connect token filter through after main second ",
           "all commands are listed: the account's own, and those that its rules deliver to");
    config_free(&config);
}

int main(void)
{
    start_nothing();
    start_all();
    return tap_done();
}
