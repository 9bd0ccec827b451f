/* SPDX-License-Identifier: ISC */
#include "app/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef FP_LINUX
#include <sys/prctl.h>
#endif

#include "app/capture.h"
#include "app/netrc.h"
#include "app/paths.h"
#include "app/tty.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "pop3/method.h"

/* --- files ------------------------------------------------------------------------------------ */

/* The whole file. 1; 0 if it is not there; -1. *shared: others can read it. */
static int slurp(const char *path, struct buf *buf, bool *shared, struct err *err)
{
    int fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0) {
        int why = errno;
        return why == ENOENT || why == ENOTDIR
                   ? 0
                   : err_set(err, ERR_CONFIG, "%s: %s; check its mode and owner", path,
                             strerror(why));
    }
    struct stat info;
    int result = 1;
    if (fstat(fd, &info) < 0)
        result = err_errno(err, ERR_CONFIG, errno, "%s", path);
    else if (S_ISDIR(info.st_mode))
        result = err_set(err, ERR_CONFIG, "%s: is a folder; a file is needed", path);
    else if (file_read(fd, buf, path, err) < 0)
        result = -1;
    else
        *shared = file_is_shared(fd, &info);
    close(fd);
    return result;
}

/* The first line, without its end. */
static int take_line(struct secret *secret, const struct buf *buf, const char *what,
                     struct err *err)
{
    struct str rest = buf_str(buf);
    struct str line = str_until(&rest, '\n');
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (str_has_prefix(line, "\xef\xbb\xbf"))
        return err_set(err, ERR_LOGIN,
                       "%s: begins with a byte order mark; save it as UTF-8 without one", what);
    if (line.len == 0)
        return err_set(err, ERR_LOGIN, "%s: the first line is empty; it must be the secret", what);
    if (memchr(line.ptr, '\0', line.len) != NULL || secret_set(secret, line) < 0)
        return err_set(err, ERR_LOGIN,
                       "%s: the first line is not a secret; it is too long or contains a NUL",
                       what);
    return 0;
}

/* 1: taken; 0: no such file. */
static int from_file(struct account *account, const char *path, const struct log *log,
                     struct err *err)
{
    struct buf buf;
    bool shared = false;
    secret_buf_init(&buf, SECRET_MAX);
    int result = slurp(path, &buf, &shared, err);
    if (result == 1 && take_line(&account->password, &buf, path, err) < 0)
        result = -1;
    secret_buf_free(&buf);
    if (result == 1 && shared)
        log_line(log, FP_LOG_WARNING, "%s: others can read this password; chmod 600 %s", path,
                 path);
    return result;
}

/* --- commands --------------------------------------------------------------------------------- */

/* One command of the configuration file whose first line of output is a secret. */
static int run_source(const struct capture *source, struct secret *secret, const struct log *log,
                      struct err *err)
{
    secret_buf_init(source->output, SECRET_MAX);
    int result = capture_run(source, log, err);
    if (result == 0)
        result = take_line(secret, source->output, source->key, err);
    secret_buf_free(source->output);
    return result;
}

static int from_command(struct account *account, const char *key, const char *command,
                        const char *const *env, const struct log *log, struct err *err)
{
    struct buf output;
    const struct capture source = {.key = key,
                                   .command = command,
                                   .env = env,
                                   .seconds = account->timeout,
                                   .output = &output,
                                   .secret = true,
                                   .wanted = "the secret alone",
                                   .failed = ERR_LOGIN};
    return run_source(&source, &account->password, log, err);
}

int secrets_renew(struct account *account, const struct log *log, struct err *err)
{
    static const char *const env[] = {"FETCHPOP_TOKEN_REFUSED=1", NULL};
    return from_command(account, "token_command", account->token_command, env, log, err);
}

int secrets_fetch_key(struct account *account, const struct log *log, struct err *err)
{
    struct buf output;
    const struct capture source = {.key = "tls_key_password_command",
                                   .command = account->tls_key_password_command,
                                   .seconds = account->timeout,
                                   .output = &output,
                                   .secret = true,
                                   .wanted = "the secret alone",
                                   .failed = ERR_LOGIN};
    return source.command != NULL ? run_source(&source, &account->tls_key_password, log, err) : 0;
}

int secrets_fetch(struct account *account, const struct log *log, struct err *err)
{
    if (account->password.len > 0)
        return 0;
    if (account->password_command != NULL)
        return from_command(account, "password_command", account->password_command, NULL, log, err);
    if (account->token_command != NULL)
        return from_command(account, "token_command", account->token_command, NULL, log, err);
    if (account->password_file != NULL) {
        int result = from_file(account, account->password_file, log, err);
        if (result == 0)
            return err_set(err, ERR_CONFIG,
                           "%s: this password_file is not there; write the password into it, or "
                           "correct the path",
                           account->password_file);
        return result < 0 ? -1 : 0;
    }
    return 0;
}

/* --- what the configuration file does not say ------------------------------------------------- */

bool secrets_are_given(const struct account *account)
{
    if (account->password.len > 0 || account->password_command != NULL ||
        account->password_file != NULL || account->token_command != NULL)
        return true;
    for (char **name = account->auth; name != NULL && *name != NULL; name++) {
        enum method_proof proof = method_proof(str_from(*name));
        if (proof == METHOD_TICKET || proof == METHOD_CERTIFICATE)
            return true;
    }
    return false;
}

/* With "auto", what the server offers decides: it may be a ticket or a certificate. */
static bool may_do_without(const struct account *account)
{
    return account->auth != NULL && account->auth[0] != NULL &&
           method_proof(str_from(account->auth[0])) == METHOD_ANY;
}

static int from_credentials(struct account *account, const struct log *log, struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (folder == NULL || folder[0] != '/')
        return 0;
    char *path = xasprintf("%s/%s", folder, account->title);
    int result = from_file(account, path, log, err);
    free(path);
    return result;
}

static int from_netrc(struct account *account, const struct log *log, struct err *err)
{
    char *path = paths_expand("~/.netrc", err);
    if (path == NULL)
        return 0;
    struct buf buf;
    bool shared = false;
    secret_buf_init(&buf, NETRC_MAX);
    int result = slurp(path, &buf, &shared, err);
    if (result == 1)
        result = netrc_find(buf_str(&buf), path, account->server, account->user, &account->password,
                            err);
    secret_buf_free(&buf);
    if (result == 1 && shared)
        log_line(log, FP_LOG_WARNING, "%s: others can read its passwords; chmod 600 %s", path,
                 path);
    free(path);
    return result;
}

int secrets_ask(struct account *account, struct err *err)
{
    char *prompt = xasprintf("Password for %s at %s: ", account->user, account->server);
    int result = tty_ask(prompt, &account->password, err);
    free(prompt);
    account->password_typed = result == 1;
    return result;
}

/* 1: taken; 0: nothing was typed. */
static int from_before(struct account *account, const struct account *before)
{
    if (before == NULL || !before->password_typed)
        return 0;
    account->password_typed = true;
    return secret_set(&account->password, secret_str(&before->password)) == 0 ? 1 : 0;
}

static int find(struct account *account, bool may_ask, const struct account *before,
                const struct log *log, struct err *err)
{
    if (secrets_are_given(account))
        return 0;
    int result = from_credentials(account, log, err);
    if (result == 0)
        result = from_netrc(account, log, err);
    if (result == 0)
        result = may_ask ? secrets_ask(account, err) : from_before(account, before);
    if (result == 0 && !may_do_without(account))
        return err_set(err, ERR_CONFIG,
                       "no password, and %s; add password_command or "
                       "password_file to the configuration file",
                       may_ask ? "no terminal to ask on" : "a daemon asks only when it starts");
    return result < 0 ? -1 : 0;
}

int secrets_find(struct account *account, const struct log *log, struct err *err)
{
    return find(account, true, NULL, log, err);
}

int secrets_find_again(struct account *account, const struct account *before, const struct log *log,
                       struct err *err)
{
    return find(account, false, before, log, err);
}

/* --- keeping them in -------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

void secrets_guard(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#if defined(FP_LINUX) && !defined(WATCHED)
    /* The leak checker of a test build looks in from outside. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
