/* SPDX-License-Identifier: ISC */
#include "app/setuptimer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/secrets.h"
#include "app/setupstore.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/program.h"
#include "base/xalloc.h"
#include "import/translate.h"

#define COMMAND_MS 20000
#define ENABLE "systemctl --user enable --now fetchpop.timer"

static bool works(const char *command)
{
    struct child_result result;
    struct err err;
    struct child_job job = {
        .command = command, .input = -1, .deadline = clock_in(COMMAND_MS), .stoppable = true};
    return child_run(&job, &result, &err) == 0 && result.end == CHILD_EXITED && result.code == 0;
}

/* A crontab that cannot be read must not be replaced. */
#define APPEND                                                                                     \
    "old=$(crontab -l 2>&1) || case $old in *'no crontab'*) old= ;; *) exit 1 ;; esac; "           \
    "{ [ -z \"$old\" ] || printf '%%s\\n' \"$old\"; printf '%%s\\n' %s; } | crontab -"

static const struct {
    const char *program, *look; /* look: a command that fails where this way is of no use */
    const char *already;        /* a command that succeeds where this was done before */
    bool outside;               /* it runs outside of the session, without its key ring */
} ways[] = {
    {"systemctl", "systemctl --user cat fetchpop.timer",
     "systemctl --user is-enabled fetchpop.timer || systemctl --user is-enabled fetchpop.service",
     false},
    {"crontab", "true", "crontab -l 2>/dev/null | grep -q '^[^#]*fetchpop'", true},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* cron's PATH is short: as it was called, or where the PATH has it; not where links lead from
 * there, which may be another place after an update. */
static char *own_path(const char *program)
{
    char *here = getcwd(NULL, 0);
    char *folder = program_folder(program, program_path());
    char *path = folder == NULL || folder[0] == '\0' ? file_expand(program, here)
                                                     : xasprintf("%s/%s", folder, program);
    char *quoted = translate_quoted(access(path, X_OK) == 0 ? path : program);
    free(path);
    free(folder);
    free(here);
    return quoted;
}

static int offer_timer(const struct dialog *dialog, struct err *err)
{
    bool yes = false;
    dialog_say(dialog, "  " ENABLE "\n");
    if (dialog_confirm(dialog, "Do that now?", false, &yes, err) < 0)
        return -1;
    if (yes)
        dialog_say(dialog,
                   works(ENABLE) ? "It runs.\n" : "That failed; try it by hand: " ENABLE "\n");
    return 0;
}

static int offer_line(const struct dialog *dialog, const char *program, struct err *err)
{
    bool yes = false;
    char *path = own_path(program), *line = xasprintf("*/5 * * * * %s", path);
    char *word = translate_quoted(line), *command = xasprintf(APPEND, word);
    dialog_say(dialog, "  this line of your crontab: %s\n", line);
    int result = dialog_confirm(dialog, "Do that now?", false, &yes, err);
    if (result == 0 && yes && works(command))
        dialog_say(dialog, "It runs.\n");
    else if (result == 0 && yes)
        dialog_say(dialog, "That failed; add this line with crontab -e: %s\n", line);
    free(command);
    free(word);
    free(line);
    free(path);
    return result;
}

static bool is_in_key_ring(const struct account *account)
{
    return account->password_command != NULL &&
           str_contains_nocase(str_from(account->password_command), "secret-tool");
}

/* Does none of them have to ask for its secret? */
static bool may_run_alone(struct account *const *accounts, size_t count, bool *key_ring)
{
    bool alone = true;
    *key_ring = false;
    for (size_t i = 0; i < count; i++) {
        alone = alone && secrets_are_given(accounts[i]);
        *key_ring = *key_ring || is_in_key_ring(accounts[i]);
    }
    return alone;
}

int setuptimer_offer(const struct dialog *dialog, const char *program,
                     struct account *const *accounts, size_t count, struct err *err)
{
    size_t found = WAYS;
    bool key_ring;
    if (!may_run_alone(accounts, count, &key_ring))
        return 0;
    for (size_t i = 0; i < WAYS; i++) {
        if (!setupstore_has(ways[i].program) || !works(ways[i].look))
            continue;
        if (works(ways[i].already)) {
            dialog_say(dialog, "\nMail comes by itself already, by %s.\n", ways[i].program);
            return 0;
        }
        if (found == WAYS)
            found = i;
    }
    if (found == WAYS)
        return 0;
    if (ways[found].outside && key_ring) {
        dialog_say(dialog, "\ncron has no key ring: for mail that comes by itself, keep the "
                           "password in a file\nor with pass, or use a timer of systemd.\n");
        return 0;
    }
    dialog_say(dialog, "\nMail can come by itself, every five minutes, with\n");
    return ways[found].outside ? offer_line(dialog, program, err) : offer_timer(dialog, err);
}
