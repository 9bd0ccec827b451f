/* SPDX-License-Identifier: ISC */
/* Where secrets come from, what becomes of them, and that nothing is left of them. */
#include "app/secrets.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef FP_LINUX
#include <sys/prctl.h>
#endif

#include "app/settings.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "kit_heap.h"
#include "kit_log.h"
#include "tap.h"

static struct account *make(void)
{
    struct account *account = xcalloc(1, sizeof *account);
    account->title = xstrdup("a");
    account->server = xstrdup("pop.example.com");
    account->user = xstrdup("alice");
    account->timeout = 10;
    account->auth = xcalloc(2, sizeof *account->auth);
    account->auth[0] = xstrdup("auto");
    heard[0] = '\0';
    return account;
}

static void is_secret(const struct secret *secret, const char *want, const char *name)
{
    is_mem(secret->data, secret->len, want, strlen(want), name);
}

static void test_commands(void)
{
    struct account *account = make();
    struct err err;
    account->password_command = xstrdup("printf 'se cret\\r\\nmore\\n'");
    is_int(secrets_fetch(account, &log_all, &err), 0, "password_command is read");
    is_secret(&account->password, "se cret", "its first line, not closed");
    settings_free(account);

    account = make();
    account->token_command = xstrdup("echo token-${FETCHPOP_TOKEN_REFUSED-first}");
    is_int(secrets_fetch(account, &log_all, &err), 0, "token_command is read");
    is_secret(&account->password, "token-first", "is not told of a refusal");
    is_int(secrets_renew(account, &log_all, &err), 0, "it is run once more for another token");
    is_secret(&account->password, "token-1", "it is");
    ok(getenv("FETCHPOP_TOKEN_REFUSED") == NULL, "and our own environment is as it was");
    settings_free(account);

    account = make();
    is_int(secrets_fetch_key(account, &log_all, &err), 0,
           "without tls_key_password_command nothing fails");
    ok(account->tls_key_password.data == NULL, "and there is no passphrase");
    account->tls_key_password_command = xstrdup("echo pass phrase");
    is_int(secrets_fetch_key(account, &log_all, &err), 0, "tls_key_password_command is read");
    is_secret(&account->tls_key_password, "pass phrase", "its passphrase");
    ok(account->password.data == NULL, "which is not the password");
    account_wipe(account);
    ok(account->tls_key_password.data == NULL, "account_wipe wipes it");
    free(account->tls_key_password_command);
    account->tls_key_password_command = xstrdup("echo no key; echo sorry >&2; exit 3");
    is_int(secrets_fetch_key(account, &log_all, &err), -1, "one that fails");
    is_str(err.text,
           "tls_key_password_command failed with status 3; run it by hand (command: sorry)",
           "is named");
    is_int(err.kind, ERR_LOGIN, "as trouble of the login");
    settings_free(account);
}

static void test_long_token(void)
{
    struct account *account = make();
    struct err err;
    account->token_command = xstrdup("i=0; while [ $i -lt 1024 ]; do printf 12345678; i=$((i+1)); "
                                     "done; echo");
    is_int(secrets_fetch(account, &log_all, &err), 0, "a token of 8 kB");
    is_int((long long)account->password.len, 8192, "all of it");
    settings_free(account);
    account = make();
    account->token_command = xstrdup("head -c 70000 /dev/zero | tr '\\0' x");
    is_int(secrets_fetch(account, &log_all, &err), -1, "one of 70 kB");
    is_int(err.kind, ERR_CONFIG, "which is too long, and the configuration is at fault");
    settings_free(account);
}

/* With auth = auto the server decides what is wanted; a named method that wants a password does
 * not. There is no terminal here: the session has none. */
static void test_none(void)
{
    struct account *account = make();
    struct err err;
    if (setsid() < 0)
        printf("# has a terminal: %s\n", ttyname(0) != NULL ? ttyname(0) : "?");
    is_int(secrets_find(account, &log_all, &err), 0, "none, and auth = auto: a ticket may do");
    ok(account->password.data == NULL, "none it is");
    free(account->auth[0]);
    account->auth[0] = xstrdup("plain");
    is_int(secrets_find(account, &log_all, &err), -1, "none, and auth = plain");
    is_int(err.kind, ERR_CONFIG, "it is an error of the configuration");
    ok(strstr(err.text, "no password, and no terminal to ask on") != NULL, "%s", err.text);
    free(account->auth[0]);
    static const char *const without[] = {"GSSAPI", "gs2-krb5", "gs2-krb5-plus", "gss-spnego",
                                          "external"};
    account->auth[0] = NULL;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        free(account->auth[0]);
        account->auth[0] = xstrdup(without[i]);
        ok(secrets_find(account, &log_all, &err) == 0, "no password is needed with auth = %s",
           without[i]);
    }
    settings_free(account);
}

/* Each line backwards: rev(1) is not everywhere. */
#define REVERSE "sed '/\\n/!G; s/\\(.\\)\\(.*\\n\\)/&\\2\\1/; //D; s/.//'"

static void test_wiped(void)
{
    if (!heap_can_tell)
        return;
    char word[80];
    heap_secret("0981-yreve-nekorb-5-sdeewaes-4-edoc-3-llew-os-tpek", word);
    struct account *account = make();
    struct err err;
    char *command = xasprintf("echo '%s' | " REVERSE "; echo '%s' | " REVERSE " >&2",
                              "0981-yreve-nekorb-5-sdeewaes-4-edoc-3-llew-os-tpek", "rorre");
    account->password_command = command;
    is_int(secrets_fetch(account, &log_all, &err), 0, "a secret is fetched");
    is_secret(&account->password, word, "is there");
    is_int(heap_count(word), 1, "it is in memory once");
    account_wipe(account);
    is_int(heap_count(word), 0, "it is gone once it is wiped");
    ok(strstr(heard, word) == NULL, "and was not told");
    settings_free(account);
}

static void test_guard(void)
{
    struct rlimit limit = {1, 1};
    secrets_guard();
    getrlimit(RLIMIT_CORE, &limit);
    is_int((long long)limit.rlim_cur, 0, "no core dump");
#if defined(FP_LINUX) && !defined(KIT_WATCHED)
    is_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0, "nor by a program that collects them");
#endif
}

static void test_stop(void)
{
    struct account *account = make();
    struct err err;
    account->token_command = xstrdup("sleep 20");
    raise(SIGTERM);
    is_int(secrets_fetch(account, &log_all, &err), -1, "TERM ends it");
    is_int(err.kind, ERR_STOPPED, "ends a command");
    settings_free(account);
}

int main(void)
{
    setenv("HOME", "/nonexistent", 1);
    unsetenv("CREDENTIALS_DIRECTORY");
    stop_install();
    if (fork() == 0) { /* in a session of its own, which has no terminal */
        test_commands();
        test_long_token();
        test_none();
        test_wiped();
        test_guard();
        test_stop();
        exit(tap_done());
    }
    int status = 0;
    return wait(&status) > 0 && status == 0 ? 0 : 1;
}
