/* SPDX-License-Identifier: ISC */
#include "app/setupstore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/paths.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/program.h"
#include "base/xalloc.h"
#include "import/translate.h"

#define COMMAND_MS 60000 /* a key ring may ask for its own password */

struct store {
    const char *name;
    bool (*works)(void);
    int (*keep)(const struct secret *password, struct sheet *sheet, char **undo, struct err *err);
};

/* A password manager: its commands, each followed by the name of an entry. */
struct manager {
    const char *store, *lookup, *remove;
    const char *exists; /* with .gpg behind it, succeeds if there is one, which stays; or NULL */
};

bool setupstore_has(const char *program)
{
    char *folder = program_folder(program, program_path());
    bool found = folder != NULL;
    free(folder);
    return found;
}

bool setupstore_try(const char *command)
{
    struct child_result result;
    struct err err;
    struct child_job job = {.command = command, .input = -1, .deadline = clock_in(COMMAND_MS)};
    return child_run(&job, &result, &err) == 0 && result.end == CHILD_EXITED && result.code == 0;
}

/* The command gets the password and a line end as its standard input. */
static int feed(const char *command, const struct secret *password, struct err *err)
{
    int ends[2];
    struct child_result ended;
    if (file_pipe(ends) < 0 || password->len > 4000) /* a pipe holds that much */
        return err_set(err, ERR_SYSTEM, "no pipe for the password; use another place");
    file_write(ends[1], password->data, password->len, "a pipe", err);
    file_write(ends[1], "\n", 1, "a pipe", err);
    close(ends[1]);
    struct child_job job = {
        .command = command, .input = ends[0], .deadline = clock_in(COMMAND_MS), .stoppable = true};
    int result = child_run(&job, &ended, err);
    close(ends[0]);
    if (result == 0 && (ended.end != CHILD_EXITED || ended.code != 0))
        result = err_set(err, ERR_LOCAL, "this failed: %s; choose another place", command);
    return result;
}

/* --- the places ------------------------------------------------------------------------------- */

static bool has_entry(const struct manager *manager, const char *name)
{
    if (manager->exists == NULL)
        return false;
    char *command = xasprintf("%s%s.gpg", manager->exists, name);
    bool there = setupstore_try(command);
    free(command);
    return there;
}

static int keep_by(const struct manager *manager, const struct secret *password,
                   struct sheet *sheet, char **undo, struct err *err)
{
    char *name = translate_quoted(sheet->title);
    char *command = xasprintf("%s%s", manager->store, name);
    int result = has_entry(manager, name)
                     ? err_set(err, ERR_LOCAL,
                               "there is a password already that is read by %s%s; choose another "
                               "place",
                               manager->lookup, name)
                     : feed(command, password, err);
    if (result == 0) {
        sheet_setf(sheet, "password_command", "%s%s", manager->lookup, name);
        *undo = xasprintf("%s%s", manager->remove, name);
    }
    free(command);
    free(name);
    return result;
}

static bool has_keyring(void)
{
    return getenv("DBUS_SESSION_BUS_ADDRESS") != NULL && setupstore_has("secret-tool");
}

/* secret-tool takes all of its input, without the line end. */
static int keep_in_keyring(const struct secret *password, struct sheet *sheet, char **undo,
                           struct err *err)
{
    static const struct manager manager = {
        .store = "head -n 1 | tr -d '\\n' | secret-tool store --label=fetchpop mail ",
        .lookup = "secret-tool lookup mail ",
        .remove = "secret-tool clear mail "};
    return keep_by(&manager, password, sheet, undo, err);
}

static bool has_pass(void)
{
    struct err err;
    char *file = paths_expand("~/.password-store/.gpg-id", &err);
    bool there = file != NULL && access(file, R_OK) == 0 && setupstore_has("pass");
    free(file);
    return there;
}

/* What stands there may have more lines than a password. */
static int keep_in_pass(const struct secret *password, struct sheet *sheet, char **undo,
                        struct err *err)
{
    static const struct manager manager = {.store = "pass insert -m -f mail/",
                                           .lookup = "pass show mail/",
                                           .remove = "pass rm -f mail/",
                                           .exists = "test -e ~/.password-store/mail/"};
    return keep_by(&manager, password, sheet, undo, err);
}

static bool always(void)
{
    return true;
}

static int keep_in_file(const struct secret *password, struct sheet *sheet, char **undo,
                        struct err *err)
{
    char *path = paths_expand("~/.config/fetchpop", err);
    if (path == NULL)
        return -1;
    char *file = xasprintf("%s/%s.password", path, sheet->title);
    char *text = xasprintf("%.*s\n", (int)password->len, password->data);
    bool fresh = access(file, F_OK) < 0;
    int result = file_make_folder(path, true, err);
    if (result == 0)
        result = file_replace(file, text, strlen(text), 0600, true, err);
    if (result == 0)
        sheet_set(sheet, "password_file", file, 0);
    if (result == 0 && fresh) {
        char *name = translate_quoted(file);
        *undo = xasprintf("rm -f %s", name);
        free(name);
    }
    secret_wipe_bytes(text, strlen(text));
    free(text);
    free(file);
    free(path);
    return result;
}

static int keep_nowhere(const struct secret *password, struct sheet *sheet, char **undo,
                        struct err *err)
{
    (void)password;
    (void)sheet;
    (void)undo;
    (void)err;
    return 0;
}

static const struct store stores[] = {
    {"the key ring of your desktop (secret-tool)", has_keyring, keep_in_keyring},
    {"pass, encrypted by your key", has_pass, keep_in_pass},
    {"a file that nobody else can read (~/.config/fetchpop)", always, keep_in_file},
    {"nowhere: fetchpop asks each time, and cannot run by itself", always, keep_nowhere},
};
#define STORES (sizeof stores / sizeof stores[0])

int setupstore_keep(const struct dialog *dialog, const struct secret *password, struct sheet *sheet,
                    char **undo, struct err *err)
{
    const char *names[STORES];
    const struct store *usable[STORES];
    size_t count = 0, choice = 0;
    for (size_t i = 0; i < STORES; i++) {
        if (stores[i].works()) {
            names[count] = stores[i].name;
            usable[count++] = &stores[i];
        }
    }
    dialog_say(dialog, "\nWhere is the password to be kept, so that mail comes by itself?\n");
    for (;;) {
        struct err why;
        if (dialog_choose(dialog, "Keep it in", names, count, &choice, err) < 0)
            return -1;
        if (usable[choice]->keep(password, sheet, undo, &why) == 0)
            return 0;
        dialog_say(dialog, "%s\n", why.text);
    }
}
