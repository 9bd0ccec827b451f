/* SPDX-License-Identifier: ISC */
#include "app/renames.h"

#include <stdlib.h>
#include <string.h>

#include "app/tty.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "session/statedir.h"
#include "state/mailbox.h"
#include "state/rename.h"

/* "title:path" as one word: a title has no colon. */
static char *name_of(const struct account *account, const char *config_file)
{
    struct buf out;
    char *name = xasprintf("%s:%s", account->title, config_file);
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

/* target: where a link leads, as earlier versions have it in their journals. */
static void look(struct account *account, const struct rename_orphans *orphans,
                 const char *state_dir, const char *target)
{
    char *stem = mailbox_stem(account->server, account->user);
    if (!rename_is_there(state_dir, stem)) {
        char *name = name_of(account, target);
        account->former = rename_find(orphans, account->journal_name);
        if (account->former == NULL)
            account->former = rename_find(orphans, name);
        free(name);
    }
    free(stem);
}

static void look_all(const struct config *config, const char *state_dir, const char *target)
{
    char **used = xcalloc(config->count + 1, sizeof *used);
    for (size_t i = 0; i < config->count; i++)
        used[i] = mailbox_stem(config->accounts[i]->server, config->accounts[i]->user);
    struct rename_orphans *orphans = rename_orphans_new(state_dir, used, config->count);
    for (size_t i = 0; i < config->count && orphans != NULL; i++)
        look(config->accounts[i], orphans, state_dir, target);
    rename_orphans_free(orphans);
    for (size_t i = 0; i < config->count; i++)
        free(used[i]);
    free(used);
}

void renames_look(const struct config *config, const char *state_dir, const char *config_file)
{
    if (strcmp(config_file, "-") == 0)
        return;
    char *place = place_of(config_file), *target = realpath(config_file, NULL);
    for (size_t i = 0; i < config->count; i++)
        config->accounts[i]->journal_name = name_of(config->accounts[i], place);
    if (config->complete)
        look_all(config, state_dir, target != NULL ? target : place);
    free(target);
    free(place);
}

void renames_ask(struct account *account)
{
    if (account->former == NULL)
        return;
    int len = (int)strlen(account->former) - MAILBOX_ID - 1; /* the id says nothing to a person */
    char *question =
        xasprintf("%s: there is a journal of %.*s. Is %s@%s the same mailbox? [y/n] ",
                  account->title, len, account->former, account->user, account->server);
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
