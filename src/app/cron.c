/* SPDX-License-Identifier: ISC */
#include "app/cron.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "base/str.h"

#define WORDS_MAX 900
#define CRON_PATH "/usr/bin:/bin" /* that of Vixie's cron, and of Debian's */

__attribute__((format(printf, 2, 3))) static void add(char text[WORDS_MAX], const char *fmt, ...)
{
    size_t len = strlen(text);
    va_list args;
    if (len > 0 && len + 2 < WORDS_MAX)
        len += (size_t)snprintf(text + len, WORDS_MAX - len, ", ");
    va_start(args, fmt);
    vsnprintf(text + len, WORDS_MAX - len, fmt, args);
    va_end(args);
}

/* Only what is found here and not there: what is nowhere is told by the step that runs it. */
static void add_command(char text[WORDS_MAX], const char *command)
{
    char *there = program_folder(command, CRON_PATH);
    char *here = program_folder(command, program_path());
    if (there == NULL && here != NULL)
        add(text, "PATH (%.*s is in %.200s, where cron does not look: write its path in full)",
            (int)strcspn(command, " \t\n;|&"), command, here);
    free(there);
    free(here);
}

static void add_commands(char text[WORDS_MAX], const struct account *account)
{
    const char *const first[] = {account->password_command, account->tls_key_password_command};
    const char *command;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if (first[i] != NULL)
            add_command(text, first[i]);
    for (size_t at = 0; (command = account_next_command(account, &at)) != NULL;)
        add_command(text, command);
    if (account->password_command != NULL &&
        str_has_prefix(str_from(account->password_command), "secret-tool"))
        add(text, "DBUS_SESSION_BUS_ADDRESS (secret-tool needs it: use password_file)");
}

static void add_variables(char text[WORDS_MAX], const struct account *account,
                          const char *state_dir)
{
    const char *state_home = getenv("XDG_STATE_HOME");
    bool state = state_home != NULL && str_has_prefix(str_from(state_dir), state_home);
    const struct {
        const char *name;
        bool matters;
        const char *why;
    } variables[] = {
        {"FETCHPOPRC", true, "it names the configuration file: give -f"},
        {"XDG_CONFIG_HOME", true, "the configuration file is looked for there: give -f"},
        {"XDG_STATE_HOME", state, "the journals are there: set state_dir"},
        {"CREDENTIALS_DIRECTORY", true, "passwords may be there"},
        {"SSL_CERT_FILE", account->tls_ca_file == NULL,
         "it names the authorities: set tls_ca_file"},
        {"SSL_CERT_DIR", account->tls_ca_dir == NULL, "it names the authorities: set tls_ca_dir"},
    };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (variables[i].matters && getenv(variables[i].name) != NULL)
            add(text, "%s (%s)", variables[i].name, variables[i].why);
}

/* What differs, and is not needed. */
static void add_others(char text[WORDS_MAX])
{
    const struct passwd *user = getpwuid(getuid());
    const char *home = getenv("HOME");
    if (strcmp(program_path(), CRON_PATH) != 0)
        add(text, "PATH is " CRON_PATH);
    if (user != NULL && home != NULL && strcmp(home, user->pw_dir) != 0)
        add(text, "HOME is %s, so give -f and --state-dir", user->pw_dir);
    if (getenv("LANG") != NULL || getenv("LC_ALL") != NULL)
        add(text, "LANG may not be set");
}

void cron_check(const struct account *account, const char *state_dir, const struct checkup *checkup)
{
    char text[WORDS_MAX] = "", others[WORDS_MAX] = "", whole[WORDS_MAX];
    add_commands(text, account);
    add_variables(text, account, state_dir);
    add_others(others);
    if (text[0] == '\0')
        snprintf(whole, sizeof whole, "nothing that this account needs is different there%s%.600s",
                 others[0] != '\0' ? "; " : "", others);
    checkup->step(checkup->ctx, "cron", text[0] != '\0' ? ERR_CONFIG : ERR_NONE,
                  text[0] != '\0' ? text : whole);
}
