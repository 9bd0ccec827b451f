/* SPDX-License-Identifier: ISC */
#include "app/roster.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/config.h"
#include "app/paths.h"
#include "app/renames.h"
#include "app/secrets.h"
#include "app/settings.h"
#include "app/url.h"
#include "base/buf.h"
#include "base/stop.h"
#include "base/xalloc.h"

#define NAMES_SHOWN 600 /* octets of the list of accounts in an error */

/* --- which accounts --------------------------------------------------------------------------- */

static bool is_mailbox(const struct account *account, const char *name)
{
    size_t len = strlen(account->user);
    return strncmp(name, account->user, len) == 0 && name[len] == '@' &&
           strcasecmp(name + len + 1, account->server) == 0;
}

/* By its title; else by "user@server", which no two accounts have in common. */
static struct account *find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->accounts[i]->title, name) == 0)
            return config->accounts[i];
    for (size_t i = 0; i < config->count; i++)
        if (is_mailbox(config->accounts[i], name))
            return config->accounts[i];
    return NULL;
}

static int refuse_name(const struct config *config, const char *name, struct err *err)
{
    struct buf names;
    buf_init(&names, NAMES_SHOWN);
    size_t i = 0;
    while (i < config->count &&
           buf_addf(&names, "%s%s", i > 0 ? ", " : "", config->accounts[i]->title) == 0)
        i++;
    err_set(err, ERR_USAGE, "no account \"%.80s\" in the configuration file; it has %.*s%s", name,
            (int)names.len, names.data != NULL ? names.data : "",
            i < config->count ? " and more" : "");
    buf_free(&names);
    return -1;
}

static bool has(const struct roster *roster, const struct account *account)
{
    for (size_t i = 0; i < roster->count; i++)
        if (roster->accounts[i] == account)
            return true;
    return false;
}

static int choose(struct roster *roster, const struct config *config, const struct options *options,
                  struct err *err)
{
    roster->accounts = xcalloc(config->count + 1, sizeof *roster->accounts);
    for (size_t i = 0; i < options->account_count; i++) {
        struct account *account = find(config, options->accounts[i]);
        if (account == NULL)
            return refuse_name(config, options->accounts[i], err);
        if (!has(roster, account))
            roster->accounts[roster->count++] = account;
    }
    for (size_t i = 0; options->account_count == 0 && i < config->count; i++)
        if (config->accounts[i]->enabled)
            roster->accounts[roster->count++] = config->accounts[i];
    return 0;
}

/* The others are not needed any more, and their secrets least of all. */
static void drop_others(struct config *config, const struct roster *roster, bool named)
{
    for (size_t i = 0; i < config->count; i++)
        if (named ? !has(roster, config->accounts[i]) : !config->accounts[i]->enabled)
            settings_free(config->accounts[i]);
    config->count = 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int fill(struct roster *roster, struct config *config, const struct options *options,
                const char *config_file, struct report *report, struct err *err)
{
    char *state_dir = paths_state(options->state_dir, config->top.state_dir, err);
    if (state_dir == NULL || choose(roster, config, options, err) < 0) {
        free(state_dir);
        free(roster->accounts); /* config owns what is in it */
        *roster = (struct roster){0};
        return -1;
    }
    renames_look(config, state_dir, config_file, options->mode == OPTIONS_STATUS, report);
    drop_others(config, roster, options->account_count > 0);
    for (size_t i = 0; i < roster->count; i++)
        options_apply(options, roster->accounts[i]);
    roster->top = config->top;
    config->top = (struct keys_top){0};
    free(roster->top.state_dir);
    roster->top.state_dir = state_dir;
    if (options->jobs > 0)
        roster->top.jobs = options->jobs;
    return 0;
}

static int read_url(struct roster *roster, const struct options *options, struct report *report,
                    struct err *err)
{
    struct config config;
    struct options nameless = *options; /* its one argument is not a title */
    nameless.account_count = 0;
    const struct url_account account = {.url = options->accounts[0],
                                        .maildir = options->maildir,
                                        .mbox = options->mbox,
                                        .mda = options->mda,
                                        .password_command = options->password_command,
                                        .no_destination = options->mode != OPTIONS_POLL};
    if (url_config(&config, &account, err) < 0)
        return -1;
    int result = fill(roster, &config, &nameless, "", report, err);
    config_free(&config);
    return result;
}

int roster_read(struct roster *roster, const struct options *options, struct report *report,
                struct err *err)
{
    struct config config = {0};
    struct report_about about = {report, "accounts_command"};
    struct log log = report_log(&about);
    struct rcparse_want want = {options->shard, &log};
    *roster = (struct roster){0};
    if (options_has_url(options))
        return read_url(roster, options, report, err);
    char *path = paths_config_file(options->config_file, err);
    int result = path == NULL ? -1 : config_read(&config, path, &want, err);
    if (result == 0) {
        result = fill(roster, &config, options, path, report, err);
        config_free(&config);
    }
    free(path);
    return result;
}

void roster_free(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        settings_free(roster->accounts[i]);
    free(roster->accounts);
    keys_clear(KEY_TOP, &roster->top);
    *roster = (struct roster){0};
}

/* --- secrets ---------------------------------------------------------------------------------- */

/* For most there is nothing to find, and so no need to look through all that were there before. */
static int find_secret(struct account *account, const struct turns *before, const struct log *log,
                       struct err *err)
{
    if (secrets_are_given(account))
        return 0;
    return before == NULL ? secrets_find(account, log, err)
                          : secrets_find_again(account, turns_find(before, account), log, err);
}

void roster_find_secrets(struct roster *roster, const struct turns *before, struct report *report)
{
    size_t kept = 0;
    for (size_t i = 0; i < roster->count; i++) {
        struct account *account = roster->accounts[i];
        struct report_about about = {report, account->title};
        struct log log = report_log(&about);
        struct err err = {0};
        if (stop_asked())
            err_set(&err, ERR_STOPPED, "interrupted");
        if (err.kind == ERR_NONE && find_secret(account, before, &log, &err) == 0) {
            roster->accounts[kept++] = account;
            continue;
        }
        report_result(report, account->title, &(struct session_figures){0}, err.kind, err.text);
        settings_free(account);
    }
    roster->count = kept;
}
