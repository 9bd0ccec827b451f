/* SPDX-License-Identifier: ISC */
#include "app/setupimport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "app/moving.h"
#include "app/paths.h"
#include "app/setuptimer.h"
#include "base/secret.h"
#include "base/xalloc.h"

#define TEXT_MAX ((size_t)1024 * 1024)

struct taking {
    const struct dialog *dialog;
    const struct import_program *program;
    struct import import; /* what its files say */
    struct setupfile *file;
    struct buf added;
    struct config config; /* what is added, and nothing else */
    char *state_dir;
    bool seen; /* their lists are taken over */
};

int setupimport_offer(const struct dialog *dialog, const char **program, struct err *err)
{
    *program = NULL;
    for (const struct import_program *const *p = import_programs(); *p != NULL; p++) {
        bool yes = false;
        const char *file = moving_file(*p);
        if (!paths_allow(file, R_OK))
            continue;
        dialog_say(dialog, "There is a configuration of %s, %s.\n", (*p)->name, file);
        if (dialog_confirm(dialog, "Take over its accounts?", true, &yes, err) < 0)
            return -1;
        if (yes) {
            *program = (*p)->name;
            return 0;
        }
    }
    return 0;
}

/* --- what is in it ---------------------------------------------------------------------------- */

static int read_theirs(struct taking *taking, const struct options *options, struct err *err)
{
    struct err why;
    if (moving_read(&taking->import, options, true, err) < 0)
        return -1;
    import_spell(&taking->import, &taking->added);
    if (config_parse(&taking->config, MOVING_NAME, taking->added.data, taking->added.len, &why) ==
        0)
        return setupfile_check(taking->file, &taking->added, err);
    taking->config.count = 0;
    return err_set(err, ERR_CONFIG,
                   "not enough for an account: %s; print it with --import %s, and complete it",
                   why.text, taking->program->name);
}

static void say_accounts(const struct taking *taking)
{
    bool secrets = false;
    dialog_say(taking->dialog, "\n%zu account%s of %s:\n", taking->config.count,
               taking->config.count == 1 ? "" : "s", taking->program->name);
    for (size_t i = 0; i < taking->config.count; i++) {
        const struct account *account = taking->config.accounts[i];
        secrets = secrets || account->password.len > 0;
        dialog_say(taking->dialog, "  %s: %s at %s, to %s%s\n", account->title, account->user,
                   account->server, account->where,
                   account->keep == ACCOUNT_NOKEEP ? "; nothing stays on the server" : "");
    }
    dialog_say(taking->dialog, "What cannot be translated stays as a comment, with the reason.\n");
    if (secrets)
        dialog_say(taking->dialog, "Passwords are copied; nobody else can read the file.\n");
}

/* --- what it has fetched ---------------------------------------------------------------------- */

/* Where its configuration says that the list is. */
static const char *named_of(const struct taking *taking, const struct account *account)
{
    for (size_t i = 0; i < taking->import.sheets.count; i++) {
        const struct sheet *sheet = &taking->import.sheets.at[i];
        const char *server = sheet_value(sheet, "server"), *user = sheet_value(sheet, "user");
        if (sheet->seen != NULL && server != NULL && strcmp(server, account->server) == 0 &&
            user != NULL && strcmp(user, account->user) == 0)
            return sheet->seen;
    }
    return NULL;
}

/* Else it has it in its usual place; NULL: that is not known. */
static char *usual_of(const struct taking *taking, const struct account *account)
{
    const char *form = taking->program->seen_file;
    if (form == NULL)
        return NULL;
    char *port = xasprintf("%u", (unsigned)account->port);
    const struct translate_mark marks[] = {
        {"%s", account->server}, {"%p", port}, {"%u", account->user}, {NULL, NULL}};
    char *path = translate_fill_all(form, marks);
    free(port);
    return path;
}

/* The one that can be read, if it is only one of them. */
static char *list_of(const struct taking *taking, const struct account *account)
{
    const char *named = named_of(taking, account);
    char *usual = usual_of(taking, account);
    bool other = usual != NULL && paths_allow(usual, R_OK);
    if (named == NULL || (other && !paths_allow(named, R_OK)))
        return usual;
    free(usual);
    return xstrdup(named);
}

/* NULL: it is not known, or not there. */
static char *seen_of(const struct taking *taking, const struct account *account)
{
    struct err err;
    char *whole = list_of(taking, account);
    char *path = whole != NULL && paths_allow(whole, R_OK) ? paths_expand(whole, &err) : NULL;
    free(whole);
    return path;
}

/* How they are taken over later. Where it is not known what a list is called, its usual name. */
static void say_lists(const struct taking *taking)
{
    for (size_t i = 0; i < taking->config.count; i++) {
        const struct account *account = taking->config.accounts[i];
        char *path = list_of(taking, account);
        char *list = translate_quoted(path != NULL ? path : taking->program->seen);
        char *title = translate_quoted(account->title);
        dialog_say(taking->dialog, "  %s --import-seen %s %s %s\n", taking->file->command,
                   taking->program->name, list, title);
        free(title);
        free(list);
        free(path);
    }
}

static int ask_seen(struct taking *taking, struct err *err)
{
    bool found = false;
    for (size_t i = 0; i < taking->config.count && !found; i++) {
        char *path = seen_of(taking, taking->config.accounts[i]);
        found = path != NULL;
        free(path);
    }
    dialog_say(taking->dialog, "\nMail that %s has fetched and left there would come again",
               taking->program->name);
    if (!found) {
        dialog_say(taking->dialog,
                   ";\nif there is such mail, take over the list before the first poll:\n");
        say_lists(taking);
        return 0;
    }
    dialog_say(taking->dialog, ", without\nits list of what was fetched.\n");
    return dialog_confirm(taking->dialog, "Take over that list?", true, &taking->seen, err);
}

/* An account that the list does not know is not a mistake: it may be new. */
static int take_seen(const struct taking *taking, struct err *err)
{
    struct dialog dialog = *taking->dialog;
    struct log log = dialog_log(&dialog);
    for (size_t i = 0; i < taking->config.count && taking->seen; i++) {
        const struct account *account = taking->config.accounts[i];
        const struct moving_to to = {account, taking->state_dir, &log};
        char *path = seen_of(taking, account);
        uint32_t taken = 0;
        int result = path == NULL ? 0 : moving_adopt(&to, taking->program->name, path, &taken, err);
        free(path);
        if (result < 0 && err->kind != ERR_CONFIG)
            return -1;
        if (result < 0)
            dialog_say(taking->dialog, "  %s: %s\n", account->title, err->text);
        else
            dialog_say(taking->dialog, "  %s: %u taken over as fetched\n", account->title,
                       (unsigned)taken);
    }
    return 0;
}

/* --- the story -------------------------------------------------------------------------------- */

static int ask(struct taking *taking, struct err *err)
{
    bool yes = false;
    char *question = xasprintf("Add this to %s?", taking->file->path);
    say_accounts(taking);
    int result = dialog_confirm(taking->dialog, question, true, &yes, err);
    free(question);
    if (result == 0 && !yes)
        result = err_set(err, ERR_STOPPED, "--setup was ended; nothing was written");
    return result < 0 ? -1 : ask_seen(taking, err);
}

/* The lists come first: with the accounts alone, a timer that polls would fetch all again. */
static int keep(struct taking *taking, const struct options *options, struct err *err)
{
    struct err none;
    if (take_seen(taking, err) < 0 || setupfile_write(taking->file, &taking->added, err) < 0)
        return -1;
    dialog_say(taking->dialog,
               "\nWritten to %s. Let %s fetch no more, so that only one of the two does.\n",
               taking->file->path, taking->program->name);
    if (taking->file->usual) /* Ctrl-C there is a no */
        (void)setuptimer_offer(taking->dialog, options->program, taking->config.accounts,
                               taking->config.count, &none);
    dialog_say(taking->dialog,
               "\nDone. This checks each step to your mail: %s --doctor\nThis fetches it: %s\n",
               taking->file->command, taking->file->command);
    return 0;
}

int setupimport_run(const struct dialog *dialog, struct setupfile *file,
                    const struct options *options, struct err *err)
{
    struct taking taking = {
        .dialog = dialog, .file = file, .program = moving_program(options->import, err)};
    if (taking.program == NULL)
        return -1;
    import_begin(&taking.import, taking.program);
    secret_buf_init(&taking.added, TEXT_MAX);
    int result = read_theirs(&taking, options, err);
    if (result == 0) {
        taking.state_dir = paths_state(options->state_dir, file->state_dir, err);
        result = taking.state_dir != NULL ? ask(&taking, err) : -1;
        if (result == 0)
            result = keep(&taking, options, err);
        config_free(&taking.config);
    }
    secret_buf_free(&taking.added);
    import_end(&taking.import);
    free(taking.state_dir);
    return result;
}
