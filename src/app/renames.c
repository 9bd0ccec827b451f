/* SPDX-License-Identifier: ISC */
#include "app/renames.h"

#include <stdlib.h>
#include <string.h>

#include "app/tty.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/keep.h"
#include "session/statedir.h"
#include "state/mailbox.h"
#include "state/rename.h"

/* "title:path" as one word: a title has no colon. */
static char *name_of(const char *title, const char *config_file)
{
    struct buf out;
    char *name = xasprintf("%s:%s", title, config_file);
    buf_init(&out, WORDS_ESCAPED_MAX(strlen(name)) + 1);
    words_add(&out, str_from(name));
    free(name);
    return buf_end(&out);
}

/* The target of a link may be another file with each change; its folder and its name are not. */
static char *place_of(const char *config_file)
{
    const char *slash = strrchr(config_file, '/'), *name = slash == NULL ? config_file : slash + 1;
    char *folder = xmemdup0(config_file, (size_t)(name - config_file));
    char *whole = realpath(folder[0] == '\0' ? "." : folder, NULL);
    char *place = whole == NULL ? xstrdup(config_file)
                                : xasprintf("%s/%s", strcmp(whole, "/") == 0 ? "" : whole, name);
    free(whole);
    free(folder);
    return place;
}

/* The configuration file, and what is found for its accounts. */
struct looking {
    const struct config *config;
    const char *state_dir;
    const char *place, *target; /* target: where a link leads, as earlier versions have it */
    const struct rename_orphans *orphans;
    bool first; /* an account has no journal yet */
};

static void look(struct looking *looking, struct account *account)
{
    char *stem = mailbox_stem(account->server, account->user);
    if (!rename_is_there(looking->state_dir, stem)) {
        char *name = name_of(account->title, looking->target);
        looking->first = true;
        account->former = rename_find(looking->orphans, account->journal_name);
        if (account->former == NULL)
            account->former = rename_find(looking->orphans, name);
        free(name);
    }
    free(stem);
}

/* user@server-ID: the id says nothing to a person. */
static int readable(const char *stem)
{
    return (int)(strlen(stem) - MAILBOX_ID - 1);
}

/* ---- mail of nobody ---- */

#define LEFT_MAX 20 /* mailboxes that are told of */

struct left {
    const struct looking *looking;
    char *end; /* of the names of the file's accounts */
    size_t count;
    struct {
        const char *stem;
        unsigned messages;
    } at[LEFT_MAX];
};

static bool is_taken_over(const struct config *config, const char *stem)
{
    size_t i = 0;
    while (i < config->count &&
           (config->accounts[i]->former == NULL || strcmp(config->accounts[i]->former, stem) != 0))
        i++;
    return i < config->count;
}

static void on_left(void *ctx, const char *name, uint64_t octets)
{
    struct left *left = ctx;
    char id[SPOOL_MAILBOX + 1];
    (void)octets;
    if (!spool_mailbox(name, id))
        return;
    const char *stem = rename_find_id(left->looking->orphans, id, left->end);
    size_t i = 0;
    while (i < left->count && left->at[i].stem != stem)
        i++;
    if (stem == NULL || i == LEFT_MAX || is_taken_over(left->looking->config, stem))
        return;
    left->at[i].stem = stem;
    left->at[i].messages++;
    left->count += i == left->count;
}

static void tell_left(const struct looking *looking, enum log_level level, struct report *report)
{
    struct left left = {.looking = looking, .end = name_of("", looking->place)};
    const struct deliver_settings all = {.state_dir = looking->state_dir};
    const struct keep_finder finder = {.found = on_left, .ctx = &left};
    struct err ignored;
    (void)keep_find_unnamed(&all, &finder, &ignored);
    for (size_t i = 0; i < left.count; i++) {
        char *text = xasprintf("%u message(s) of %.*s wait in %s, and no account has that mailbox; "
                               "see --rename",
                               left.at[i].messages, readable(left.at[i].stem), left.at[i].stem,
                               looking->state_dir);
        report_line(report, NULL, level, text);
        free(text);
    }
    free(left.end);
}

static void look_all(struct looking *looking, bool asked, struct report *report)
{
    const struct config *config = looking->config;
    char **used = xcalloc(config->count + 1, sizeof *used);
    for (size_t i = 0; i < config->count; i++)
        used[i] = mailbox_stem(config->accounts[i]->server, config->accounts[i]->user);
    struct rename_orphans *orphans = rename_orphans_new(looking->state_dir, used, config->count);
    looking->orphans = orphans;
    for (size_t i = 0; i < config->count && orphans != NULL; i++)
        look(looking, config->accounts[i]);
    if (orphans != NULL)
        tell_left(looking, asked || looking->first ? FP_LOG_WARNING : FP_LOG_NOTE, report);
    rename_orphans_free(orphans);
    for (size_t i = 0; i < config->count; i++)
        free(used[i]);
    free(used);
}

void renames_look(const struct config *config, const char *state_dir, const char *config_file,
                  bool asked, struct report *report)
{
    if (strcmp(config_file, "-") == 0)
        return;
    char *place = place_of(config_file), *target = realpath(config_file, NULL);
    struct looking looking = {.config = config,
                              .state_dir = state_dir,
                              .place = place,
                              .target = target != NULL ? target : place};
    for (size_t i = 0; i < config->count; i++)
        config->accounts[i]->journal_name = name_of(config->accounts[i]->title, place);
    if (config->complete)
        look_all(&looking, asked, report);
    free(target);
    free(place);
}

/* ---- the account's word ---- */

void renames_ask(struct account *account)
{
    if (account->former == NULL)
        return;
    char *question = xasprintf("%s: there is a journal of %.*s. Is %s@%s the same mailbox? [y/n] ",
                               account->title, readable(account->former), account->former,
                               account->user, account->server);
    if (tty_confirm(question) == TTY_NO) {
        free(account->former);
        account->former = NULL;
    }
    free(question);
}

int renames_move(const char *from, const struct account *account, const char *state_dir,
                 struct log *log, struct err *err)
{
    const char *at = strrchr(from, '@');
    if (at == NULL || at == from || at[1] == '\0')
        return err_set(err, ERR_USAGE, "--rename takes the old user@server, not \"%.80s\"", from);
    char *user = xmemdup0(from, (size_t)(at - from));
    char *old = mailbox_stem(at + 1, user);
    int result = 0;
    if (!rename_is_there(state_dir, old))
        result = err_set(err, ERR_MESSAGE, "%.80s has no journal in %s", from, state_dir);
    else
        result = statedir_rename(account, state_dir, old, log, err);
    free(user);
    free(old);
    return result;
}
