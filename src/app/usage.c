/* SPDX-License-Identifier: ISC */
#include "app/usage.h"

#include <string.h>

#include "app/outlet.h"

/* What polls once, or asks for an answer, has no meaning again and again. */
static int check_daemon(const struct options *options, struct err *err)
{
    if (options->mode != OPTIONS_POLL)
        return err_set(err, ERR_USAGE,
                       "--daemon polls; it goes with none of --check, --list, --status and the "
                       "like; give one");
    if (options->no_fork)
        return err_set(err, ERR_USAGE, "--daemon needs workers, --no-fork has none; give one");
    if (options->force)
        return err_set(err, ERR_USAGE, "--force is for one poll; send USR1 to a daemon");
    if (options->all)
        return err_set(err, ERR_USAGE,
                       "--all with --daemon would fetch everything again in each "
                       "poll; give one");
    return 0;
}

/* A URL is an account without a configuration file. */
static int check_url(const struct options *options, struct err *err)
{
    bool output = options->mda != NULL && strcmp(options->mda, "-") == 0;
    if (output && options->json)
        return err_set(err, ERR_USAGE, "--json and -m - both want standard output; give one");
    if (options_has_url(options) && options->account_count > 1)
        return err_set(err, ERR_USAGE, "a URL stands alone; name no other account");
    if (options_has_url(options) && options->config_file != NULL)
        return err_set(err, ERR_USAGE, "a URL takes the place of a configuration file; give one");
    if (!options_has_url(options) &&
        (options->maildir != NULL || options->mbox != NULL || options->password_command != NULL))
        return err_set(err, ERR_USAGE,
                       "--maildir, --mbox, --password-command go with a URL; without one, set "
                       "them in the configuration file");
    return 0;
}

static int check_setup(const struct options *options, struct err *err)
{
    if (options->mode != OPTIONS_SETUP)
        return 0;
    if (options->import == NULL && options->account_count > 1)
        return err_set(err, ERR_USAGE, "--setup takes one address");
    if (options->config_file != NULL && strcmp(options->config_file, "-") == 0)
        return err_set(err, ERR_USAGE, "--setup writes a file; name it with -f");
    return 0;
}

/* What each kind of run needs, and does not take. */
static int check_mode(const struct options *options, struct err *err)
{
    if (options->shard.count > 0 && options->account_count > 0)
        return err_set(err, ERR_USAGE, "--shard is for all accounts; name none, or leave it out");
    if (options->mode == OPTIONS_PRINT_PIN && options->account_count == 0)
        return err_set(err, ERR_USAGE,
                       "--print-pin needs the title of an account of the configuration file");
    if (options->accept_pin && (options->mode != OPTIONS_POLL || options->daemon > 0 ||
                                options->account_count == 0 || options_has_url(options)))
        return err_set(err, ERR_USAGE,
                       "--accept-pin is for a poll of accounts that are named; name them, or leave "
                       "out what makes it no poll");
    if (options->mode == OPTIONS_RENAME && options->account_count != 1)
        return err_set(err, ERR_USAGE, "--rename needs the old user@server and one account");
    if (options->mode == OPTIONS_DISCOVER && options->account_count > 0)
        return err_set(err, ERR_USAGE, "--discover takes one address, and no account");
    if (options->mode == OPTIONS_CATCH_UP && options->account_count == 0)
        return err_set(err, ERR_USAGE, "--catch-up needs the title of an account");
    if ((options->newest > 0 || options->since != 0) && options->mode != OPTIONS_CATCH_UP)
        return err_set(err, ERR_USAGE, "--since and --newest go with --catch-up; add it");
    bool whole = options->mode == OPTIONS_CHECK_CONFIG || options->mode == OPTIONS_PRINT_CONFIG;
    if (whole && options->account_count > 0)
        return err_set(err, ERR_USAGE,
                       "--check-config and --print-config take the whole file; name no account");
    bool state = options->mode == OPTIONS_EXPORT_STATE || options->mode == OPTIONS_IMPORT_STATE;
    if (state && options->account_count != 1)
        return err_set(err, ERR_USAGE, "--export-state and --import-state need one account");
    if (check_setup(options, err) < 0 || check_url(options, err) < 0)
        return -1;
    return options->daemon > 0 ? check_daemon(options, err) : 0;
}

int usage_check(const struct options *options, struct err *err)
{
    if (options->mode == OPTIONS_HELP || options->mode == OPTIONS_VERSION)
        return 0;
    if (options->keep && options->no_keep)
        return err_set(err, ERR_USAGE, "--keep and --nokeep contradict each other; give one");
    if (options->silent && options->verbose)
        return err_set(err, ERR_USAGE, "--silent and --verbose contradict each other; give one");
    if (options->summary && (options->silent || options->json))
        return err_set(err, ERR_USAGE, "--summary contradicts --silent and --json; give one");
    if (options->json && options->mode != OPTIONS_POLL && options->mode != OPTIONS_CHECK &&
        options->mode != OPTIONS_DRY_RUN && options->mode != OPTIONS_STATUS &&
        options->mode != OPTIONS_FETCH)
        return err_set(err, ERR_USAGE, "--json goes with --check, --dry-run, --status or a poll");
    if (options->json_messages && options->mode != OPTIONS_POLL && options->mode != OPTIONS_FETCH)
        return err_set(err, ERR_USAGE,
                       "--json=messages goes with a poll; else leave out =messages");
    if (options->json && options->log_file != NULL && outlet_is_standard(options->log_file))
        return err_set(err, ERR_USAGE, "--json and a log both want standard output; log to a file");
    return check_mode(options, err);
}
