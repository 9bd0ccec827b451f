/* SPDX-License-Identifier: ISC */
#include "app/setuptimer.h"

#include "app/setupstore.h"
#include "base/child.h"
#include "base/clock.h"

#define COMMAND_MS 20000
#define ENABLE "systemctl --user enable --now fetchpop.timer"
#define LINE "*/5 * * * * fetchpop"

static bool works(const char *command)
{
    struct child_result result;
    struct err err;
    struct child_job job = {
        .command = command, .input = -1, .deadline = clock_in(COMMAND_MS), .stoppable = true};
    return child_run(&job, &result, &err) == 0 && result.end == CHILD_EXITED && result.code == 0;
}

static const struct {
    const char *program, *look; /* look: a command that fails where this way is of no use */
    const char *already;        /* a command that succeeds where this was done before */
    bool outside;               /* it runs outside of the session, without its key ring */
    const char *shown, *install;
} ways[] = {
    {"systemctl", "systemctl --user cat fetchpop.timer",
     "systemctl --user is-enabled fetchpop.timer || systemctl --user is-enabled fetchpop.service",
     false, ENABLE, ENABLE},
    {"crontab", "true", "crontab -l 2>/dev/null | grep -q '^[^#]*fetchpop'", true,
     "this line of your crontab: " LINE,
     /* cron's PATH is short; and a crontab that cannot be read must not be replaced */
     "old=$(crontab -l 2>&1) || case $old in *'no crontab'*) old= ;; *) exit 1 ;; esac; "
     "{ [ -z \"$old\" ] || printf '%s\\n' \"$old\"; "
     "echo \"*/5 * * * * $(command -v fetchpop || echo fetchpop)\"; } | crontab -"},
};
#define WAYS (sizeof ways / sizeof ways[0])

static int offer(const struct dialog *dialog, size_t way, struct err *err)
{
    bool yes = false;
    dialog_say(dialog, "\nMail can come by itself, every five minutes, with\n  %s\n",
               ways[way].shown);
    if (dialog_confirm(dialog, "Do that now?", false, &yes, err) < 0)
        return -1;
    if (yes && works(ways[way].install))
        dialog_say(dialog, "It runs.\n");
    else if (yes)
        dialog_say(dialog, "That failed; try it by hand: %s\n", ways[way].install);
    return 0;
}

int setuptimer_offer(const struct dialog *dialog, bool key_ring, struct err *err)
{
    size_t found = WAYS;
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
    if (found < WAYS && ways[found].outside && key_ring)
        dialog_say(dialog, "\ncron has no key ring: for mail that comes by itself, keep the "
                           "password in a file\nor with pass, or use a timer of systemd.\n");
    else if (found < WAYS)
        return offer(dialog, found, err);
    return 0;
}
