/* SPDX-License-Identifier: ISC */
#include "app/moving.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/paths.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "import/import.h"
#include "import/seen.h"
#include "session/adopt.h"
#include "session/statedir.h"
#include "state/carry.h"

#define FILE_MAX ((size_t)1024 * 1024)
#define SEEN_MAX ((size_t)1024 * 1024 * 1024)

/* A password may be copied there: into a file that nobody else can read. */
static bool is_private_output(void)
{
    struct stat info;
    return fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) &&
           !file_is_shared(STDOUT_FILENO, &info);
}

static int slurp(const char *path, struct buf *buf, struct err *err)
{
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "%s: %s; name the file to import", path, strerror(errno));
    int result = file_read(fd, buf, path, err);
    if (!input)
        close(fd);
    return result;
}

/* The folder of a file, from / on; NULL: there is none. Malloced. */
static char *folder_of(const char *path)
{
    char *parent = file_parent(path), *whole = realpath(parent, NULL);
    free(parent);
    return whole;
}

static int import_file(struct import *import, const char *path, bool secret_ok, struct err *err)
{
    struct buf text;
    bool input = strcmp(path, "-") == 0;
    const struct passwd *user = getpwuid(getuid());
    char *name = user != NULL ? xstrdup(user->pw_name) : NULL;
    char *folder = input ? NULL : folder_of(path);
    secret_buf_init(&text, FILE_MAX);
    const struct translate_place place = {input ? "standard input" : path, folder, secret_ok, name};
    int result = slurp(path, &text, err);
    if (result == 0)
        result = import_add(import, buf_str(&text), &place, err);
    secret_buf_free(&text);
    free(folder);
    free(name);
    return result;
}

const char *moving_file(const struct import_program *program)
{
    for (size_t i = 0; program->files[i] != NULL; i++)
        if (paths_allow(program->files[i], R_OK))
            return program->files[i];
    return program->files[0];
}

static int read_usual(struct import *import, bool secret_ok, struct err *err)
{
    char *path = paths_expand(moving_file(import->program), err);
    int result = path != NULL ? import_file(import, path, secret_ok, err) : -1;
    free(path);
    return result;
}

int moving_read(struct import *import, const struct options *options, bool secret_ok,
                struct err *err)
{
    for (size_t i = 0; i < options->account_count; i++)
        if (import_file(import, options->accounts[i], secret_ok, err) < 0)
            return -1;
    if (options->account_count == 0 && read_usual(import, secret_ok, err) < 0)
        return -1;
    const struct sheet *first = import_left_out(import);
    if (first == NULL)
        return 0;
    return err_set(err, ERR_CONFIG, "no account can be taken over; of \"%.60s\": %.100s",
                   first->title, first->left_out);
}

/* What is printed is read as the configuration file that it is to become. */
static int check(const struct buf *out, struct err *err)
{
    struct config config;
    int result = config_parse(&config, MOVING_NAME, out->data, out->len, err);
    if (result == 0)
        config_free(&config);
    return result == 0 ? 0 : err_prefix(err, "not complete yet");
}

const struct import_program *moving_program(const char *name, struct err *err)
{
    const struct import_program *program = import_find(name);
    if (program == NULL)
        err_set(err, ERR_USAGE, "--import takes %s, not \"%.60s\"", import_names(), name);
    return program;
}

int moving_import(const struct options *options, struct err *err)
{
    const struct import_program *program = moving_program(options->import, err);
    if (program == NULL)
        return -1;
    struct import import;
    struct buf out;
    import_begin(&import, program);
    secret_buf_init(&out, FILE_MAX);
    int result = moving_read(&import, options, is_private_output(), err);
    if (result == 0) {
        import_spell(&import, &out);
        result = file_write(STDOUT_FILENO, out.data, out.len, "standard output", err);
    }
    if (result == 0)
        result = check(&out, err);
    import_end(&import);
    secret_buf_free(&out);
    return result;
}

/* --- what was seen ---------------------------------------------------------------------------- */

struct taking {
    const struct account *account;
    struct adoption adoption;
    char other[200]; /* the first other mailbox that the list names */
};

static bool is_of(const struct account *account, const struct seen *seen)
{
    struct str user = str_from(account->user);
    return str_is_nocase(seen->server, account->server) &&
           (seen->any_case ? str_equal_nocase(seen->user, user) : str_equal(seen->user, user));
}

static void take_seen(void *ctx, const struct seen *seen)
{
    struct taking *taking = ctx;
    if (seen->server.len == 0 || is_of(taking->account, seen))
        adopt_uidl(&taking->adoption, seen->uidl, seen->when);
    else if (taking->other[0] == '\0')
        snprintf(taking->other, sizeof taking->other, "%.*s@%.*s", (int)seen->user.len,
                 seen->user.ptr, (int)seen->server.len, seen->server.ptr);
}

/* The list has nothing of this account, perhaps because it is spelled otherwise there. */
static int refuse_list(const struct taking *taking, struct err *err)
{
    const struct account *account = taking->account;
    if (taking->other[0] == '\0')
        return err_set(err, ERR_CONFIG, "the list has nothing of %s@%s; name another file",
                       account->user, account->server);
    return err_set(
        err, ERR_CONFIG,
        "the list has nothing of %s@%s, but some of %s; if that is it, --import-seen uidl "
        "takes its UIDLs",
        account->user, account->server, taking->other);
}

static int take_list(struct taking *taking, const struct seen_format *format, struct str text,
                     const struct moving_to *to, struct err *err)
{
    if (adopt_begin(&taking->adoption, taking->account, to->state_dir, to->log, err) < 0)
        return -1;
    int result = seen_read(format, text, take_seen, taking, err);
    if (adopt_end(&taking->adoption, result == 0 ? err : &(struct err){0}) < 0 || result < 0)
        return -1;
    return taking->adoption.taken + taking->adoption.known > 0 ? 0 : refuse_list(taking, err);
}

int moving_adopt(const struct moving_to *to, const char *program, const char *path, uint32_t *taken,
                 struct err *err)
{
    struct taking taking = {.account = to->account};
    struct buf text;
    buf_init(&text, SEEN_MAX);
    int result = slurp(path, &text, err);
    if (result == 0)
        result = take_list(&taking, seen_find(program), buf_str(&text), to, err);
    buf_free(&text);
    *taken = taking.adoption.taken + taking.adoption.known;
    return result;
}

static void take_one(const struct account *account, const struct seen_format *format,
                     struct str text, const char *state_dir, struct report *report)
{
    struct taking taking = {.account = account};
    struct report_about about = {report, account->title};
    struct log log = report_log(&about);
    const struct moving_to to = {account, state_dir, &log};
    struct err err = {0};
    char line[160];
    if (take_list(&taking, format, text, &to, &err) < 0) {
        report_error(report, account->title, &err);
        return;
    }
    snprintf(line, sizeof line, "%u taken over as fetched, %u known before", taking.adoption.taken,
             taking.adoption.known);
    report_answer(report, account->title, line);
}

void moving_import_seen(const struct options *options, const struct roster *roster,
                        struct report *report)
{
    const struct seen_format *format = seen_find(options->import_seen);
    struct err err = {0};
    struct buf text;
    buf_init(&text, SEEN_MAX);
    if (format == NULL)
        err_set(&err, ERR_USAGE, "--import-seen takes %s, not \"%.60s\"", seen_names(),
                options->import_seen);
    else if (roster->count > 1 && !seen_names_mailbox(format))
        err_set(&err, ERR_USAGE, "such a list does not say whose it is; name one account");
    else
        (void)slurp(options->file, &text, &err);
    for (size_t i = 0; i < roster->count && err.kind == ERR_NONE; i++)
        take_one(roster->accounts[i], format, buf_str(&text), roster->top.state_dir, report);
    if (err.kind != ERR_NONE)
        report_error(report, NULL, &err);
    buf_free(&text);
}

/* --- to another machine ----------------------------------------------------------------------- */

static int export_state(const struct account *account, const char *state_dir, struct report *report,
                        struct err *err)
{
    struct log log = {.level = FP_LOG_ERROR};
    struct journal *journal;
    struct buf out;
    uint32_t left;
    if (statedir_journal(&journal, account, state_dir, JOURNAL_READ, &log, err) < 0)
        return -1;
    buf_init(&out, SEEN_MAX);
    carry_export(journal, account->server, account->user, &out, &left);
    journal_close(journal);
    int result = file_write(STDOUT_FILENO, out.data, out.len, "standard output", err);
    buf_free(&out);
    if (result == 0 && left > 0) {
        char line[160];
        snprintf(line, sizeof line,
                 "%u messages that are kept here are not in it; poll once more, "
                 "or move the state folder",
                 left);
        report_line(report, account->title, FP_LOG_WARNING, line);
    }
    return result;
}

void moving_export_state(const struct roster *roster, struct report *report)
{
    const struct account *account = roster->accounts[0];
    struct err err = {0};
    if (export_state(account, roster->top.state_dir, report, &err) < 0)
        report_error(report, account->title, &err);
}

void moving_import_state(const struct roster *roster, struct report *report)
{
    const struct account *account = roster->accounts[0];
    const struct carry_to to = {roster->top.state_dir, account->server, account->user,
                                account->durable};
    struct buf text;
    struct err err = {0};
    uint32_t count;
    char line[80];
    buf_init(&text, SEEN_MAX);
    if (slurp("-", &text, &err) < 0 || carry_import(buf_str(&text), &to, &count, &err) < 0) {
        report_error(report, account->title, &err);
    } else {
        snprintf(line, sizeof line, "%u message%s taken in", count, count == 1 ? "" : "s");
        report_answer(report, account->title, line);
    }
    buf_free(&text);
}
