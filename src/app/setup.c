/* SPDX-License-Identifier: ISC */
#include "app/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/dialog.h"
#include "app/discover.h"
#include "app/paths.h"
#include "app/providers.h"
#include "app/secrets.h"
#include "app/setupfile.h"
#include "app/setupfind.h"
#include "app/setupimport.h"
#include "app/setupstore.h"
#include "app/setuptimer.h"
#include "app/tty.h"
#include "base/xalloc.h"
#include "import/translate.h"
#include "session/session.h"

#define CONFIG_MAX ((size_t)1024 * 1024)
#define LOGINS 3

struct setup {
    struct dialog dialog;
    struct discover_address address;
    struct sheets sheets; /* one: the account */
    struct secret password;
    struct setupfile file;
    char *state_dir;
    uint32_t waiting; /* messages on the server */
    bool fetch_old;   /* they are to be fetched, too */
};

static struct sheet *sheet_of(struct setup *setup)
{
    return &setup->sheets.at[0];
}

/* --- the configuration file ------------------------------------------------------------------- */

static void spell(const struct setup *setup, struct buf *out)
{
    buf_init(out, CONFIG_MAX);
    sheets_spell(&setup->sheets, 0, out);
}

/* Before anything is written: would it be a good file? */
static int check_file(const struct setup *setup, struct err *err)
{
    struct buf added;
    spell(setup, &added);
    int result = setupfile_check(&setup->file, &added, err);
    buf_free(&added);
    return result;
}

static int write_file(struct setup *setup, struct err *err)
{
    struct buf added;
    spell(setup, &added);
    int result = setupfile_write(&setup->file, &added, err);
    if (result == 0)
        dialog_say(&setup->dialog, "\nWritten to %s.\n", setup->file.path);
    buf_free(&added);
    return result;
}

/* --- logging in ------------------------------------------------------------------------------- */

static int run_session(struct setup *setup, enum session_mode mode, bool catch_up, struct err *err)
{
    struct config config;
    struct account *account;
    if (setupfile_try(&setup->file, sheet_of(setup), &config, &account, err) < 0)
        return -1;
    struct log log = dialog_log(&setup->dialog);
    account_hide(account, &log);
    struct session_run run = {.account = account,
                              .state_dir = setup->state_dir,
                              .mode = mode,
                              .switches = {.catch_up = catch_up, .force = true},
                              .attended = true,
                              .log = &log};
    if (setup->password.len > 0)
        (void)secret_set(&account->password, secret_str(&setup->password)); /* short: typed */
    int result = secrets_fetch(account, &log, err);
    account_hide(account, &log);
    if (result == 0)
        result = session_poll(&run, err);
    setup->waiting = run.figures.listed;
    config_free(&config);
    return result;
}

/* The command that prints a token is run by the login that is tried. */
static int ask_token(struct setup *setup, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX];
    struct sheet *sheet = sheet_of(setup);
    const char *before = sheet_value(sheet, "token_command");
    char *user = translate_quoted(sheet_value(sheet, "user"));
    char *usual = before != NULL ? xstrdup(before) : xasprintf("oama access %s", user);
    int result = dialog_ask(&setup->dialog, "Command that prints a token:",
                            strlen(usual) < sizeof answer ? usual : NULL, answer, err);
    free(usual);
    free(user);
    if (result == 0)
        sheet_set(sheet, "token_command", answer, 0);
    return result;
}

static bool wants_token(const struct setup *setup)
{
    const struct provider *provider = providers_find(setup->address.domain);
    return provider != NULL && provider->oauth;
}

static int ask_login(struct setup *setup, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX];
    struct sheet *sheet = sheet_of(setup);
    const char *before = sheet_value(sheet, "user");
    if (dialog_ask(&setup->dialog, "User name there:",
                   before != NULL ? before : setup->address.whole, answer, err) < 0)
        return -1;
    sheet_set(sheet, "user", answer, 0);
    if (wants_token(setup))
        return ask_token(setup, err);
    secret_wipe(&setup->password);
    int asked = tty_ask("Password (it is not shown): ", &setup->password, err);
    if (asked == 0)
        return err_set(err, ERR_USAGE, "no password; run it on a terminal");
    return asked < 0 ? -1 : 0;
}

static int try_login(struct setup *setup, struct err *err)
{
    dialog_say(&setup->dialog,
               "\nThe login is tried now, before anything is written. Most servers want "
               "the whole\naddress as the user, some the part before the @.\n");
    for (int round = 1;; round++) {
        if (ask_login(setup, err) < 0)
            return -1;
        if (run_session(setup, SESSION_CHECK, false, err) == 0)
            break;
        if (err->kind == ERR_STOPPED || round == LOGINS)
            return -1;
        dialog_say(&setup->dialog, "%s\n", err->text);
    }
    dialog_say(&setup->dialog, "It works: %u message%s on the server.\n", (unsigned)setup->waiting,
               setup->waiting == 1 ? "" : "s");
    return 0;
}

/* --- where mail goes -------------------------------------------------------------------------- */

#define PLACES 5

struct place {
    char text[DIALOG_ANSWER_MAX];
    const char *key;
};

static void add_place(struct place *places, size_t *count, const char *key, const char *text)
{
    struct place *place = &places[(*count)++];
    place->key = key;
    snprintf(place->text, sizeof place->text, "%s", text);
}

/* Where programs of this machine leave this user's mail: an mbox or, seldom, a Maildir. */
static void add_inbox(struct place *places, size_t *count)
{
    const char *mail = getenv("MAIL"), *user = getenv("LOGNAME");
    struct stat info;
    char *path;
    if (mail != NULL && mail[0] == '/')
        path = xstrdup(mail);
    else if (user != NULL)
        path = xasprintf("/var/mail/%s", user);
    else
        return;
    if (strlen(path) < DIALOG_ANSWER_MAX && access(path, W_OK) == 0 && stat(path, &info) == 0)
        add_place(places, count, S_ISDIR(info.st_mode) ? "maildir" : "mbox", path);
    free(path);
}

/* What is found here comes first. */
static size_t find_places(struct setup *setup, struct place places[PLACES])
{
    size_t count = 0;
    char own[DIALOG_ANSWER_MAX];
    if (paths_allow("~/Maildir/new", F_OK))
        add_place(places, &count, "maildir", "~/Maildir");
    if (paths_allow("~/Mail/new", F_OK))
        add_place(places, &count, "maildir", "~/Mail");
    if (paths_allow("~/.procmailrc", F_OK) && setupstore_has("procmail"))
        add_place(places, &count, "mda", "procmail");
    snprintf(own, sizeof own, "~/Mail/%s", sheet_of(setup)->title);
    if (!paths_allow("~/Mail/new", F_OK))
        add_place(places, &count, "maildir", own);
    add_inbox(places, &count);
    return count;
}

/* What the configuration file would not take is told here, and asked for again. */
static bool take_place(struct setup *setup, const char *key, const char *text)
{
    struct sheets sheets = {0};
    struct config config;
    struct account *account;
    struct err why;
    struct sheet *sheet = sheets_add(&sheets, sheet_of(setup)->title, sheet_of(setup));
    sheet_set(sheet, key, text, 0);
    bool good = setupfile_try(&setup->file, sheet, &config, &account, &why) == 0;
    sheets_free(&sheets);
    if (good) {
        config_free(&config);
        sheet_set(sheet_of(setup), key, text, 0);
    } else {
        dialog_say(&setup->dialog, "%s\n", why.text);
    }
    return good;
}

static int ask_other_place(struct setup *setup, struct err *err)
{
    static const char *const kinds[] = {"a Maildir (one file a message)", "an mbox (one file)",
                                        "a command, such as procmail"};
    static const char *const keys[] = {"maildir", "mbox", "mda"};
    static const char *const defaults[] = {"~/Mail/inbox", "~/Mail/inbox.mbox", "procmail"};
    char answer[DIALOG_ANSWER_MAX];
    size_t kind = 0;
    if (dialog_choose(&setup->dialog, "That is", kinds, 3, &kind, err) < 0)
        return -1;
    do {
        if (dialog_ask(&setup->dialog, "Its path, or the command:", defaults[kind], answer, err) <
            0)
            return -1;
    } while (!take_place(setup, keys[kind], answer));
    return 0;
}

static int ask_place(struct setup *setup, struct err *err)
{
    struct place places[PLACES] = {0};
    const char *names[PLACES + 1];
    char lines[PLACES][DIALOG_ANSWER_MAX + 16];
    size_t count = find_places(setup, places), choice = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(lines[i], sizeof lines[i], "%.400s (%s)", places[i].text, places[i].key);
        names[i] = lines[i];
    }
    names[count] = "something else";
    dialog_say(&setup->dialog, "\nWhere is the mail to go? Your mail reader looks there.\n");
    if (dialog_choose(&setup->dialog, "Deliver to", names, count + 1, &choice, err) < 0)
        return -1;
    if (choice < count && take_place(setup, places[choice].key, places[choice].text))
        return 0;
    return ask_other_place(setup, err);
}

/* As the key keep takes it, which wants a unit of time. */
static bool is_keep(const char *answer)
{
    int64_t seconds;
    return strcmp(answer, "yes") == 0 || strcmp(answer, "no") == 0 ||
           (strpbrk(answer, "smhd") != NULL && str_duration(str_from(answer), &seconds) == 0 &&
            seconds > 0);
}

static int ask_keep(struct setup *setup, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX];
    dialog_say(&setup->dialog,
               "\nDoes mail stay on the server? With yes, other devices can fetch it as well.\n");
    for (;;) {
        if (dialog_ask(&setup->dialog, "yes, no, or for how long, such as 30d:", "yes", answer,
                       err) < 0)
            return -1;
        if (is_keep(answer))
            break;
        dialog_say(&setup->dialog, "Answer yes, no, or a time with its unit: 12h, 30d.\n");
    }
    sheet_set(sheet_of(setup), "keep", answer, 0);
    setup->fetch_old = true;
    if (setup->waiting == 0)
        return 0;
    dialog_say(&setup->dialog, "\nThere is mail on the server already (%u).\n",
               (unsigned)setup->waiting);
    return dialog_confirm(&setup->dialog, "Fetch it, too?", true, &setup->fetch_old, err);
}

/* --- the story -------------------------------------------------------------------------------- */

static int ask_address(struct setup *setup, const char *given, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX];
    const char *usual = getenv("EMAIL"); /* as mail programs and reportbug have it */
    struct err why;
    if (given != NULL)
        return discover_read(&setup->address, given, err);
    if (usual != NULL && discover_read(&setup->address, usual, &why) == 0)
        discover_free(&setup->address);
    else
        usual = NULL;
    dialog_say(&setup->dialog, "From your address, fetchpop can find your mail server.\n");
    for (;;) {
        if (dialog_ask(&setup->dialog, "Your mail address:", usual, answer, err) < 0)
            return -1;
        if (discover_read(&setup->address, answer, &why) == 0)
            return 0;
        dialog_say(&setup->dialog, "%s\n", why.text);
    }
}

static void add_sheet(struct setup *setup)
{
    char title[SHEET_TITLE_SIZE];
    sheet_title(setup->address.whole, title);
    sheets_add(&setup->sheets, title, NULL);
}

static int ask_all(struct setup *setup, const struct options *options, struct err *err)
{
    const char *given = options->account_count > 0 ? options->accounts[0] : NULL;
    if (ask_address(setup, given, err) < 0)
        return -1;
    add_sheet(setup);
    if (setupfile_has(&setup->file, sheet_of(setup)->title))
        return err_set(err, ERR_CONFIG, "%s has an account \"%s\" already; change it there",
                       setup->file.path, sheet_of(setup)->title);
    if (setupfind_server(&setup->dialog, &setup->file, &setup->address, sheet_of(setup), err) < 0 ||
        try_login(setup, err) < 0 || ask_place(setup, err) < 0 || ask_keep(setup, err) < 0)
        return -1;
    return 0;
}

/* Without the usual files nothing runs by itself. Ctrl-C there is a no. */
static void offer_timer(struct setup *setup, const char *program)
{
    struct err none;
    struct config config;
    struct account *account;
    if (!setup->file.usual ||
        setupfile_try(&setup->file, sheet_of(setup), &config, &account, &none) < 0)
        return;
    (void)setuptimer_offer(&setup->dialog, program, &account, 1, &none);
    config_free(&config);
}

static void say_done(const struct setup *setup)
{
    char *title = translate_quoted(setup->sheets.at[0].title);
    dialog_say(&setup->dialog, "\nDone. This fetches your mail: %s %s\n", setup->file.command,
               title);
    free(title);
}

/* Before the account is in the file: a timer that polls would fetch all of it. */
static int catch_up(struct setup *setup, struct err *err)
{
    if (setup->fetch_old)
        return 0;
    if (run_session(setup, SESSION_POLL, true, err) < 0) {
        dialog_say(&setup->dialog, "What is there could not be marked as fetched, so no account "
                                   "was written.\n");
        return -1;
    }
    dialog_say(&setup->dialog, "What is on the server now counts as fetched.\n");
    return 0;
}

/* From here on something is written: the password, then the journal, then the file. */
static int keep_all(struct setup *setup, struct err *err)
{
    char *undo = NULL;
    int result = check_file(setup, err);
    if (result == 0 && !wants_token(setup))
        result = setupstore_keep(&setup->dialog, &setup->password, sheet_of(setup), &undo, err);
    bool marked = result == 0 && catch_up(setup, err) == 0;
    if (result == 0 && (!marked || write_file(setup, err) < 0)) {
        result = -1;
        if (marked && !setup->fetch_old)
            dialog_say(&setup->dialog, "The account was not written, but what is on the server is "
                                       "marked as fetched; --all fetches it.\n");
        if (undo != NULL && !setupstore_try(undo))
            dialog_say(&setup->dialog, "The password is still there; this removes it: %s\n", undo);
    }
    free(undo);
    return result;
}

static int run_wizard(struct setup *setup, const struct options *options, struct err *err)
{
    setup->state_dir = paths_state(options->state_dir, setup->file.state_dir, err);
    if (setup->state_dir == NULL || ask_all(setup, options, err) < 0)
        return -1;
    if (keep_all(setup, err) < 0)
        return -1;
    offer_timer(setup, options->program);
    say_done(setup);
    return 0;
}

/* Whoever has another fetcher, and nothing of this one, may come with it. */
static int run(struct setup *setup, const struct options *options, struct err *err)
{
    struct options theirs = *options;
    bool offer =
        options->import == NULL && options->account_count == 0 && setup->file.before.len == 0;
    dialog_say(&setup->dialog, "Enter takes what stands in [brackets]. Ctrl-C ends this at any "
                               "time, with nothing written.\n\n");
    if (offer && setupimport_offer(&setup->dialog, &theirs.import, err) < 0)
        return -1;
    return theirs.import != NULL ? setupimport_run(&setup->dialog, &setup->file, &theirs, err)
                                 : run_wizard(setup, options, err);
}

int setup_run(const struct options *options, struct err *err)
{
    struct setup setup = {.dialog = {.fd = -1}};
    int result = dialog_open(&setup.dialog, err);
    if (result == 0)
        result = setupfile_read(&setup.file, options, err);
    if (result == 0)
        result = run(&setup, options, err);
    dialog_close(&setup.dialog);
    discover_free(&setup.address);
    sheets_free(&setup.sheets);
    secret_wipe(&setup.password);
    setupfile_free(&setup.file);
    free(setup.state_dir);
    return result;
}
