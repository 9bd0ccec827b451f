/* SPDX-License-Identifier: ISC */
#include "app/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "import/sheet.h"

#define CONFIG_MAX 65536
#define EXAMPLE "pop3s://alice@pop.example.com"

size_t url_scheme(const char *text, const char **tls)
{
    static const struct {
        const char *name, *tls;
    } schemes[] = {{"pop3s://", "implicit"}, {"pop3://", "stls"}, {"pop://", "stls"}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        *tls = schemes[i].tls;
        if (str_has_prefix_nocase(str_from(text), schemes[i].name))
            return strlen(schemes[i].name);
    }
    return 0;
}

bool url_is(const char *text)
{
    const char *tls;
    return url_scheme(text, &tls) > 0;
}

static int set(struct sheet *sheet, const char *key, struct str text, struct err *err)
{
    char *value = xmalloc(text.len + 1);
    long len = str_percent_decode(text, value);
    if (len <= 0) {
        free(value);
        return err_set(err, ERR_USAGE, "%s of the URL makes no sense; write it as in " EXAMPLE,
                       key);
    }
    value[len] = '\0';
    sheet_set(sheet, key, value, 0);
    free(value);
    return 0;
}

/* ";AUTH=+APOP", ";AUTH=SCRAM-SHA-256", ";AUTH=*" */
static int set_auth(struct sheet *sheet, struct str text, struct err *err)
{
    if (str_is(text, "*"))
        return 0;
    if (text.len > 0 && text.ptr[0] == '+')
        text = str_behind(text, 1);
    if (set(sheet, "auth", text, err) < 0)
        return -1;
    char *name = xstrdup(sheet_value(sheet, "auth"));
    for (char *p = name; *p != '\0'; p++)
        *p = str_lower(*p);
    sheet_set(sheet, "auth", name, 0);
    free(name);
    return 0;
}

/* user;auth=x */
static int set_login(struct sheet *sheet, struct str login, struct err *err)
{
    struct str user = str_until(&login, ';');
    if (memchr(user.ptr, ':', user.len) != NULL)
        return err_set(err, ERR_USAGE,
                       "others can see a password on the command line; leave it out to be asked, "
                       "or use --password-command");
    if (set(sheet, "user", user, err) < 0)
        return -1;
    if (login.len == 0)
        return 0;
    if (!str_has_prefix_nocase(login, "auth="))
        return err_set(err, ERR_USAGE,
                       "the URL has something other than AUTH= after the semicolon; write it as in "
                       "alice;AUTH=+APOP@...");
    return set_auth(sheet, str_behind(login, 5), err);
}

/* host, host:port, [address]:port */
static int set_host(struct sheet *sheet, struct str host, struct err *err)
{
    const char *bracket =
        host.len > 0 && host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;
    size_t from = bracket != NULL ? (size_t)(bracket - host.ptr) : 0;
    const char *colon = memchr(host.ptr + from, ':', host.len - from);
    size_t end = colon != NULL ? (size_t)(colon - host.ptr) : host.len;
    if (colon != NULL && set(sheet, "port", str_of(colon + 1, host.len - end - 1), err) < 0)
        return -1;
    return set(sheet, "server", str_of(host.ptr, end), err);
}

static int read_url(struct sheet *sheet, const char *text, struct err *err)
{
    const char *tls;
    struct str rest = str_from(text + url_scheme(text, &tls)), login, host;
    if (!str_split_last(str_until(&rest, '/'), '@', &login, &host))
        return err_set(err, ERR_USAGE, "the URL names no user; write it as in " EXAMPLE);
    if (rest.len > 0)
        return err_set(err, ERR_USAGE, "POP3 has no folders; end the URL behind the server");
    sheet_set(sheet, "tls", tls, 0);
    if (set_login(sheet, login, err) < 0)
        return -1;
    return set_host(sheet, host, err);
}

/* Relative to the working folder, as everything on a command line. */
static void set_path(struct sheet *sheet, const char *key, const char *path)
{
    char *here = getcwd(NULL, 0);
    char *whole = file_expand(path, here);
    sheet_set(sheet, key, whole, 0);
    free(here);
    free(whole);
}

static int set_destination(struct sheet *sheet, const struct url_account *account, struct err *err)
{
    unsigned given = (account->maildir != NULL) + (account->mbox != NULL) + (account->mda != NULL);
    if (given > 1 || (given == 0 && !account->no_destination))
        return err_set(err, ERR_USAGE,
                       "a URL needs one of --maildir, --mbox and --mda (-m -: to "
                       "standard output)");
    if (account->maildir != NULL)
        set_path(sheet, "maildir", account->maildir);
    else if (account->mbox != NULL)
        set_path(sheet, "mbox", account->mbox);
    else
        sheet_set(sheet, "mda", account->mda != NULL ? account->mda : ":", 0);
    if (account->password_command != NULL)
        sheet_set(sheet, "password_command", account->password_command, 0);
    return 0;
}

int url_config(struct config *config, const struct url_account *account, struct err *err)
{
    struct sheets sheets = {0};
    struct buf text;
    struct err why;
    buf_init(&text, CONFIG_MAX);
    struct sheet *sheet = sheets_add(&sheets, "url", NULL);
    int result = read_url(sheet, account->url, err);
    if (result == 0)
        result = set_destination(sheet, account, err);
    if (result == 0) {
        free(sheet->title);
        sheet->title = xasprintf("%s@%s", sheet_value(sheet, "user"), sheet_value(sheet, "server"));
        sheets_spell(&sheets, 0, &text);
        result = config_parse(config, "the command line", text.data, text.len, &why);
        if (result < 0)
            err_set(err, ERR_USAGE, "%s", why.text);
    }
    buf_free(&text);
    sheets_free(&sheets);
    return result;
}
