/* SPDX-License-Identifier: ISC */
#include "app/confine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/broker.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "pop3/method.h"

#define FIXED_PORTS 3 /* at most this many beside those of destinations */

struct list {
    char **at; /* owned, NULL-terminated as soon as there is one */
    size_t count;
};

/* Where programs and libraries are, and what the C library, OpenSSL, SASL and Kerberos read of the
 * system's settings: names, resolver, authorities, time zones. Not the rest of /etc. */
static const char system_paths[] =
    "/usr /lib /lib32 /lib64 /libx32 /opt /nix/store /gnu/store /run/current-system /dev/null "
    "/dev/urandom /dev/random /proc/self /proc/sys/kernel /proc/cpuinfo /proc/meminfo "
    "/sys/devices/system/cpu /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d "
    "/etc/ld.so.preload /etc/resolv.conf /etc/resolv.conf.d /run/systemd/resolve "
    "/run/resolvconf /run/NetworkManager /run/connman /etc/nsswitch.conf /etc/hosts "
    "/etc/hostname /etc/host.conf /etc/gai.conf /etc/services /etc/protocols /etc/networks "
    "/etc/nscd.conf /etc/passwd /etc/group /etc/ssl /etc/pki /etc/ca-certificates "
    "/etc/ca-certificates.conf /etc/crypto-policies /etc/openssl /etc/sasl2 /etc/sasl /etc/gss "
    "/etc/krb5.conf /etc/krb5.conf.d /etc/krb5 /etc/localtime /etc/timezone /etc/locale.alias "
    "/etc/locale.conf /etc/static";

/* The environment may name others. */
static const char *const read_variables[] = {
    "SSL_CERT_FILE",      "SSL_CERT_DIR", "OPENSSL_CONF",    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",    "SASL_PATH",    "SASL_CONF_PATH",  "KRB5_CONFIG",
    "KRB5_CLIENT_KTNAME", "KRB5_KTNAME",  "GSS_MECH_CONFIG", "HOSTALIASES",
    "GCONV_PATH",         "LOCPATH",      "TZDIR",           "LD_LIBRARY_PATH",
    "LD_PRELOAD",         "LOCALDOMAIN"};

static void add(struct list *list, const char *path)
{
    if (path == NULL || path[0] != '/')
        return;
    list->at = xreallocarray(list->at, list->count + 2, sizeof *list->at);
    list->at[list->count++] = xstrdup(path);
    list->at[list->count] = NULL;
}

static void clear(struct list *list)
{
    while (list->count > 0)
        free(list->at[--list->count]);
    free(list->at);
}

/* "FILE:/path", or several with colons or blanks between them; NULL: none. */
static void add_several(struct list *list, const char *paths)
{
    char *copy = xstrdup(paths != NULL ? paths : "");
    char *rest = NULL;
    for (char *path = strtok_r(copy, ": ", &rest); path != NULL; path = strtok_r(NULL, ": ", &rest))
        add(list, path);
    free(copy);
}

static bool may_use_ticket(const struct account *account)
{
    for (char **name = account->auth; name != NULL && *name != NULL; name++) {
        enum method_proof proof = method_proof(str_from(*name));
        if (proof == METHOD_TICKET || strstr(*name, "iakerb") != NULL ||
            (proof == METHOD_ANY && account->password.data == NULL))
            return true;
    }
    return false;
}

/* A ticket for the server is put beside the first one. */
static void add_ticket(struct list *list)
{
    char *path = xasprintf("/tmp/krb5cc_%lu", (unsigned long)geteuid());
    add(list, path);
    free(path);
    add_several(list, getenv("KRB5CCNAME"));
}

static void add_reads(struct list *list, const struct account *account)
{
    add_several(list, system_paths);
    for (size_t i = 0; i < sizeof read_variables / sizeof read_variables[0]; i++)
        add_several(list, getenv(read_variables[i]));
    add(list, account->tls_ca_file);
    add(list, account->tls_ca_dir);
    add(list, account->tls_cert_file);
    add(list, account->tls_key_file);
    add(list, account->tls_crl_file);
}

/* Of an mbox its folder, for the lock beside it; both where it is and where a link to it is. */
static void add_mbox(struct list *list, const char *where)
{
    char *real = realpath(where, NULL);
    char *folder = file_parent(where);
    add(list, folder);
    free(folder);
    folder = real != NULL ? file_parent(real) : NULL;
    add(list, folder);
    free(folder);
    free(real);
}

/* A part of a folder that is a link to elsewhere; where it leads is found when it is opened. With
 * root's rights only root says where. */
static void add_links(struct list *list, const char *folder, const char *const *names)
{
    for (; *names != NULL; names++) {
        struct stat status;
        char *path = xasprintf("%s/%s", folder, *names);
        if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode) &&
            (geteuid() != 0 || status.st_uid == 0))
            add(list, path);
        free(path);
    }
}

static void add_writes(struct list *list, const struct account *account, const char *state_dir)
{
    static const char *const of_state[] = {"spool", "held", NULL};
    static const char *const of_maildir[] = {"tmp", "new", "cur", NULL};
    add(list, state_dir);
    add_links(list, state_dir, of_state);
    add(list, "/dev/null");
    struct account_target target;
    for (size_t at = 0; account_next_target(account, &at, &target);) {
        if (target.kind == DELIVER_MAILDIR) {
            add(list, target.where);
            add_links(list, target.where, of_maildir);
        }
        if (target.kind == DELIVER_MBOX)
            add_mbox(list, target.where);
    }
    if (may_use_ticket(account))
        add_ticket(list);
}

static bool is_socket(const struct account_target *target)
{
    return target->kind == DELIVER_LMTP && strncmp(target->where, "unix:", 5) == 0;
}

static bool has_socket(const struct account *account)
{
    struct account_target target;
    for (size_t at = 0; account_next_target(account, &at, &target);)
        if (is_socket(&target))
            return true;
    return false;
}

/* The server's, or the proxy's, and DNS for a long answer; Kerberos has its own. */
static void fill_ports(unsigned *ports, const struct account *account)
{
    struct account_target target;
    size_t count = 0;
    ports[count++] = account->proxy_host != NULL ? account->proxy_port : account->port;
    ports[count++] = 53;
    if (may_use_ticket(account))
        ports[count++] = 88;
    for (size_t at = 0; account_next_target(account, &at, &target);)
        if (target.kind == DELIVER_LMTP && !is_socket(&target))
            ports[count++] = (unsigned)strtoul(strrchr(target.where, ':') + 1, NULL, 10);
    ports[count] = 0;
}

/* Those that may be started from here on, NULL behind them; NULL: there are none. */
static const char **list_commands(const struct account *account)
{
    const char **commands = NULL, *command;
    size_t count = 0;
    for (size_t at = 0; (command = account_next_command(account, &at)) != NULL;) {
        commands = xreallocarray(commands, count + 2, sizeof *commands);
        commands[count++] = command;
        commands[count] = NULL;
    }
    return commands;
}

static int enter(const struct account *account, const char *state_dir, bool commands,
                 struct err *err)
{
    struct list read = {.count = 0}, write = {.count = 0};
    unsigned *ports = xcalloc(account->rules.count + FIXED_PORTS + 2, sizeof *ports);
    add_reads(&read, account);
    add_writes(&write, account, state_dir);
    fill_ports(ports, account);
    const struct rights rights = {
        .read = (const char *const *)read.at,
        .write = (const char *const *)write.at,
        .ports = ports,
        .sockets = has_socket(account) || may_use_ticket(account),
        .binds = account->source_address != NULL,
        .signals = commands,
    };
    int result = sandbox_enter(&rights, err);
    clear(&read);
    clear(&write);
    free(ports);
    return result;
}

int confine_enter(const struct account *account, const char *state_dir, struct err *err)
{
    if (account->sandbox == ACCOUNT_SANDBOX_OFF || !sandbox_is_there())
        return 0;
    const char **commands = list_commands(account);
    bool some = commands != NULL;
    int result = some ? broker_begin(commands, err) : 0;
    free(commands);
    return result < 0 ? -1 : enter(account, state_dir, some, err);
}

void confine_end(void)
{
    broker_end();
}
