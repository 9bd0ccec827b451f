#include "app/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/xalloc.h"
#include "state/calendar.h"

#define WORDS_MAX 900

static void check_folder(const struct checkup *checkup, const char *what, const char *path)
{
    struct err err = {0};
    char text[WORDS_MAX];
    int result = checkup_folder(path, &err);
    snprintf(text, sizeof text, "%.400s: files can be made there, and made durable", path);
    checkup->step(checkup->ctx, what, err.kind, result < 0 ? err.text : text);
}

/* The first word of a command, looked for as the shell does, along this PATH. */
static bool is_found(const char *command, const char *path)
{
    size_t len = strcspn(command, " \t");
    bool found = false;
    if (memchr(command, '/', len) != NULL || strpbrk(command, "=|;&'\"$(`") == command)
        return true; /* a path, or more than a word: the shell knows */
    for (struct str rest = str_from(path); rest.len > 0 && !found;) {
        struct str folder = str_until(&rest, ':');
        char *file = xasprintf("%.*s/%.*s", (int)folder.len, folder.ptr, (int)len, command);
        found = access(file, X_OK) == 0;
        free(file);
    }
    return found;
}

static void check_command(const struct checkup *checkup, const char *command)
{
    const char *path = getenv("PATH");
    char text[WORDS_MAX];
    bool found = is_found(command, path != NULL ? path : "/usr/bin:/bin");
    snprintf(text, sizeof text, found ? "%.400s" : "%.400s: no such command; check its path",
             command);
    checkup->step(checkup->ctx, "destination", found ? ERR_NONE : ERR_CONFIG, text);
}

static void check_lmtp(const struct checkup *checkup, const char *server)
{
    char text[WORDS_MAX];
    snprintf(text, sizeof text, "%.400s: asked when there is mail for it", server);
    checkup->step(checkup->ctx, "destination", ERR_NONE, text);
}

static void check_destinations(const struct account *account, const struct checkup *checkup)
{
    struct account_target target;
    for (size_t at = 0; account_next_target(account, &at, &target);)
        if (target.kind == DELIVER_MDA)
            check_command(checkup, target.where);
        else if (target.kind == DELIVER_LMTP)
            check_lmtp(checkup, target.where);
        else
            check_folder(checkup, "destination", target.where);
}

/* Of a worker that polls; the doctor itself works without, since it may ask. */
static void tell_sandbox(const struct account *account, const struct checkup *checkup)
{
    char text[WORDS_MAX] = "off";
    if (account->sandbox != ACCOUNT_SANDBOX_OFF)
        sandbox_spell(text, sizeof text);
    checkup->step(checkup->ctx, "sandbox", ERR_NONE, text);
}

static void check_clock(const struct checkup *checkup)
{
    char text[WORDS_MAX];
    time_t now = (time_t)clock_wall();
    struct tm tm;
    bool good = now >= (time_t)CALENDAR_SET * CALENDAR_SECONDS && gmtime_r(&now, &tm) != NULL;
    if (!good || strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        snprintf(text, sizeof text, "it was never set; set it, certificates and keep need it");
    checkup->step(checkup->ctx, "clock", good ? ERR_NONE : ERR_LOCAL, text);
}

static void add(char text[WORDS_MAX], const char *name, const char *why)
{
    size_t len = strlen(text);
    snprintf(text + len, WORDS_MAX - len, "%s%s (%s)", len > 0 ? ", " : "", name, why);
}

/* Cron knows HOME, LOGNAME, SHELL and a short PATH: what works by hand may not work there. */
static void check_cron(const struct account *account, const struct checkup *checkup)
{
    static const struct {
        const char *name, *why;
    } variables[] = {
        {"FETCHPOPRC", "it names the configuration file: give -f"},
        {"XDG_CONFIG_HOME", "the configuration file is looked for there: give -f"},
        {"XDG_STATE_HOME", "the journals are there: set state_dir"},
        {"CREDENTIALS_DIRECTORY", "passwords may be there"},
        {"SSL_CERT_FILE", "it names the authorities: set tls_ca_file"},
        {"SSL_CERT_DIR", "it names the authorities: set tls_ca_dir"},
    };
    static const char short_path[] = "/usr/bin:/bin";
    const char *commands[] = {account->password_command, account->token_command,
                              account->connect_command};
    struct account_target target;
    bool found = true;
    char text[WORDS_MAX] = "";
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (getenv(variables[i].name) != NULL)
            add(text, variables[i].name, variables[i].why);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        found = found && (commands[i] == NULL || is_found(commands[i], short_path));
    for (size_t at = 0; account_next_target(account, &at, &target);)
        found = found && (target.kind != DELIVER_MDA || is_found(target.where, short_path));
    if (!found)
        add(text, "PATH", "a command is not in /usr/bin or /bin: write its path in full");
    if (account->password_command != NULL &&
        strncmp(account->password_command, "secret-tool", strlen("secret-tool")) == 0)
        add(text, "DBUS_SESSION_BUS_ADDRESS", "secret-tool needs it: use password_file");
    checkup->step(checkup->ctx, "cron", text[0] != '\0' ? ERR_CONFIG : ERR_NONE,
                  text[0] != '\0' ? text : "it needs nothing that cron has not");
}

void doctor_run(struct session_run *run, const struct checkup *checkup)
{
    run->mode = SESSION_CHECK;
    checkup_server(run, checkup);
    check_destinations(run->account, checkup);
    check_folder(checkup, "state folder", run->state_dir);
    tell_sandbox(run->account, checkup);
    check_clock(checkup);
    check_cron(run->account, checkup);
}
