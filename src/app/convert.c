#include "app/convert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/place.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "pop3/method.h"

#define DAY (24 * 3600)
#define MANY 4000000 /* messages: more than any list may have */

struct take {
    const struct key *key;
    const struct setting *setting;
    void *target;
    struct err *err;
};

/* The start of the field; the table below is what makes the cast right. */
static void *field(const struct take *take)
{
    return (char *)take->target + take->key->offset;
}

__attribute__((format(printf, 2, 3))) static int refuse(const struct take *take, const char *fmt,
                                                        ...)
{
    char words[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return err_set(take->err, ERR_CONFIG, "%s:%u: %s%s%s", take->setting->file, take->setting->line,
                   take->key->name, words[0] == ':' ? "" : " ", words);
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

static int put(const struct take *take, char *owned)
{
    char **place = field(take);
    free(*place);
    *place = owned;
    return 0;
}

/* --- kinds of value --------------------------------------------------------------------------- */

static int take_text(const struct take *take, const char *text)
{
    if (text[0] == '\0')
        return refuse(take, "is empty; leave the key out instead");
    if (has_control(text))
        return refuse(take, "holds a control character or a line end");
    return put(take, xstrdup(text));
}

static int take_path(const struct take *take, const char *text)
{
    if (text[0] == '\0')
        return refuse(take, "is empty; leave the key out instead");
    struct err why;
    char *path = settings_path(text, &why);
    if (path == NULL)
        return refuse(take, ": %s", why.text);
    return put(take, path);
}

/* A command may have several lines. */
static int take_command(const struct take *take, const char *text)
{
    if (str_trim(str_from(text)).len == 0)
        return refuse(take, "is empty; leave the key out instead");
    return put(take, xstrdup(text));
}

/* "one|two|three" as "one, two or three". */
static void spell_words(const char *words, char out[200])
{
    size_t at = 0;
    for (struct str rest = str_from(words); rest.len > 0;) {
        struct str word = str_until(&rest, '|');
        bool last = memchr(rest.ptr, '|', rest.len) == NULL;
        const char *glue = rest.len == 0 ? "" : last ? " or " : ", ";
        int n = snprintf(out + at, 200 - at, "%.*s%s", (int)word.len, word.ptr, glue);
        at += n > 0 ? (size_t)n : 0;
    }
}

static int choose(const struct take *take, const char *text, int *value)
{
    int i = 0;
    for (struct str rest = str_from(take->key->words); rest.len > 0; i++) {
        if (str_is(str_until(&rest, '|'), text)) {
            *value = i;
            return 0;
        }
    }
    char list[200];
    spell_words(take->key->words, list);
    return refuse(take, "is %s, not \"%.60s\"", list, text);
}

/* Every enum of struct account is an int to the compiler, or an unsigned of the same size. */
static int take_choice(const struct take *take, const char *text)
{
    int value;
    if (choose(take, text, &value) < 0)
        return -1;
    memcpy(field(take), &value, sizeof value);
    return 0;
}

static int take_flag(const struct take *take, const char *text)
{
    int value;
    if (choose(take, text, &value) < 0)
        return -1;
    *(bool *)field(take) = value == 1;
    return 0;
}

static int take_number(const struct take *take, const char *text)
{
    uint64_t number = 0;
    bool none = take->key->words != NULL && strcmp(text, take->key->words) == 0;
    if (!none &&
        (str_number(str_from(text), take->key->high, &number) < 0 || number < take->key->low)) {
        return refuse(take, "is a number from %llu to %llu%s%s, not \"%.60s\"",
                      (unsigned long long)take->key->low, (unsigned long long)take->key->high,
                      take->key->words != NULL ? ", or " : "",
                      take->key->words != NULL ? take->key->words : "", text);
    }
    *(unsigned *)field(take) = (unsigned)number;
    return 0;
}

static int take_size(const struct take *take, const char *text)
{
    uint64_t octets = 0;
    bool none = strcmp(text, "none") == 0;
    if (!none && (str_size(str_from(text), &octets) < 0 || octets == 0))
        return refuse(take, "is a size such as 500K, 20M or 1G, or none, not \"%.60s\"", text);
    *(uint64_t *)field(take) = octets;
    return 0;
}

static int take_duration(const struct take *take, const char *text)
{
    int64_t seconds;
    if (str_duration(str_from(text), &seconds) != 0 || seconds < (int64_t)take->key->low ||
        seconds > (int64_t)take->key->high) {
        return refuse(take,
                      "is a duration such as 60s, 30m, 2h or 1d, from %llus to %llud, "
                      "not \"%.60s\"",
                      (unsigned long long)take->key->low,
                      (unsigned long long)(take->key->high / DAY), text);
    }
    *(int64_t *)field(take) = seconds;
    return 0;
}

/* --- keys of their own kind ------------------------------------------------------------------- */

static int take_host(const struct take *take, const char *text)
{
    struct err why;
    char *host = place_host(str_from(text), &why);
    return host != NULL ? put(take, host) : refuse(take, "%s", why.text);
}

static int take_address(const struct take *take, const char *text)
{
    struct err why;
    return place_address(text, &why) == 0 ? put(take, xstrdup(text)) : refuse(take, "%s", why.text);
}

static int take_proxy(const struct take *take, const char *text)
{
    struct account *account = take->target;
    struct place_proxy proxy;
    struct err why;
    if (place_proxy(text, &proxy, &why) < 0)
        return refuse(take, "%s", why.text);
    free(account->proxy_user);
    account->proxy_user = proxy.user;
    account->proxy_port = proxy.port;
    secret_wipe(&account->proxy_password);
    account->proxy_password = proxy.password; /* moved */
    return put(take, proxy.host);
}

static int take_password(const struct take *take, const char *text)
{
    struct account *account = take->target;
    if (text[0] == '\0')
        return refuse(take, "is empty; leave the key out to be asked");
    if (strpbrk(text, "\r\n") != NULL)
        return refuse(take, "holds a line end");
    if (secret_set(&account->password, str_from(text)) < 0)
        return refuse(take, "is too long");
    return 0;
}

static int take_keep(const struct take *take, const char *text)
{
    struct account *account = take->target;
    account->keep = ACCOUNT_KEEP;
    if (strcmp(text, "yes") == 0)
        return 0;
    if (strcmp(text, "no") == 0) {
        account->keep = ACCOUNT_NOKEEP;
        return 0;
    }
    account->keep = ACCOUNT_KEEP_FOR;
    /* A bare number would mean seconds, and whoever writes 30 means days. */
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] >= '0' && text[len - 1] <= '9') {
        return refuse(take, "is yes, no or a duration such as 30d, with its unit, not \"%.60s\"",
                      text);
    }
    if (str_duration(str_from(text), &account->keep_seconds) != 0 || account->keep_seconds <= 0)
        return refuse(take, "is yes, no or a duration such as 30d, not \"%.60s\"", text);
    return 0;
}

static int take_target(const struct take *take, const char *text)
{
    struct account *account = take->target;
    if (strcmp(take->key->name, "mda") == 0) {
        struct err why;
        if (settings_check_mda(text, &why) < 0)
            return refuse(take, ": %s", why.text);
        account->target = DELIVER_MDA;
        return take_command(take, text);
    }
    if (take_path(take, text) < 0)
        return -1;
    bool mbox = strcmp(take->key->name, "mbox") == 0;
    account->target = mbox ? DELIVER_MBOX : DELIVER_MAILDIR;
    size_t len = strlen(account->where);
    if (mbox && account->where[len - 1] == '/')
        return refuse(take, "is a file; a folder is maildir = \"%.60s\"", text);
    while (len > 1 && account->where[len - 1] == '/')
        account->where[--len] = '\0';
    return 0;
}

/* The setting's items as a NULL-terminated list, each one checked. */
static int take_list(const struct take *take, bool (*good)(const char *item), const char *want)
{
    const struct setting *setting = take->setting;
    const char *item = NULL;
    while ((item = settings_next(setting, item)) != NULL)
        if (!good(item))
            return refuse(take, "is %s, not \"%.80s\"", want, has_control(item) ? "?" : item);
    char **list = xcalloc(setting->count + 1, sizeof *list);
    for (size_t i = 0; i < setting->count; i++) {
        item = settings_next(setting, item);
        list[i] = xstrdup(item);
    }
    *(char ***)field(take) = list;
    return 0;
}

static bool is_method(const char *item)
{
    return method_is_known(str_from(item));
}

static int take_auth(const struct take *take, const char *text)
{
    char want[500];
    (void)text;
    snprintf(want, sizeof want, "a name, or a list such as { \"scram-sha-256\", \"plain\" }, of %s",
             method_names());
    const char *item = NULL;
    while (take->setting->count > 1 && (item = settings_next(take->setting, item)) != NULL)
        if (str_is_nocase(str_from(item), "auto"))
            return refuse(take, "is auto alone, or a list without it");
    return take_list(take, is_method, want);
}

/* SHA-256 in base64, or in hexadecimal with or without colons. */
static bool is_pin(const char *item)
{
    unsigned char digest[DIGEST_SIZE];
    if (digest_unbase64(str_from(item), digest, sizeof digest) == DIGEST_SIZE)
        return true;
    size_t len = strlen(item);
    size_t digits = 0;
    for (size_t i = 0; i < len; i++) {
        bool colon = item[i] == ':' && digits % 2 == 0;
        if (!colon && strchr("0123456789abcdefABCDEF", item[i]) == NULL)
            return false;
        digits += !colon;
    }
    return digits == 64;
}

static int take_pins(const struct take *take, const char *text)
{
    (void)text;
    return take_list(take, is_pin,
                     "the SHA-256 of the server's public key, 44 characters of base64 or 64 "
                     "hexadecimal digits as fetchpop --print-pin shows it");
}

static int take_version(const struct take *take, const char *text)
{
    int value;
    return choose(take, text, &value) == 0 ? put(take, xstrdup(text)) : -1;
}

/* --- the tables ------------------------------------------------------------------------------- */

#define AT(name) offsetof(struct account, name)
#define TOP(name) offsetof(struct settings_top, name)

static const struct key ACCOUNT_KEYS[] = {
    {"server", take_host, AT(server), NULL, 0, 0},
    {"port", take_number, AT(port), NULL, 1, 65535},
    {"ip", take_choice, AT(ip), "any|4|6", 0, 0},
    {"source_address", take_address, AT(source_address), NULL, 0, 0},
    {"proxy", take_proxy, AT(proxy_host), NULL, 0, 0},
    {"connect_command", take_command, AT(connect_command), NULL, 0, 0},
    {"tls", take_choice, AT(tls), "implicit|stls|none", 0, 0},
    {"tls_trust", take_choice, AT(trust), "ca|pin|both", 0, 0},
    {"tls_ca_file", take_path, AT(tls_ca_file), NULL, 0, 0},
    {"tls_ca_dir", take_path, AT(tls_ca_dir), NULL, 0, 0},
    {"tls_cert_file", take_path, AT(tls_cert_file), NULL, 0, 0},
    {"tls_key_file", take_path, AT(tls_key_file), NULL, 0, 0},
    {"tls_key_password_command", take_command, AT(tls_key_password_command), NULL, 0, 0},
    {"tls_pin", take_pins, AT(tls_pins), NULL, 0, 0},
    {"tls_min_version", take_version, AT(tls_min_version), "1.2|1.3", 0, 0},
    {"tls_server_name", take_host, AT(tls_server_name), NULL, 0, 0},
    {"tls_crl_file", take_path, AT(tls_crl_file), NULL, 0, 0},
    {"user", take_text, AT(user), NULL, 0, 0},
    {"password", take_password, AT(password), NULL, 0, 0},
    {"password_command", take_command, AT(password_command), NULL, 0, 0},
    {"password_file", take_path, AT(password_file), NULL, 0, 0},
    {"token_command", take_command, AT(token_command), NULL, 0, 0},
    {"auth", take_auth, AT(auth), NULL, 0, 0},
    {"keep", take_keep, AT(keep), NULL, 0, 0},
    {"maildir", take_target, AT(where), NULL, 0, 0},
    {"mbox", take_target, AT(where), NULL, 0, 0},
    {"mda", take_target, AT(where), NULL, 0, 0},
    {"mda_timeout", take_duration, AT(mda_timeout), NULL, 1, DAY},
    {"timeout", take_duration, AT(timeout), NULL, 1, DAY},
    {"session_timeout", take_duration, AT(session_timeout), NULL, 1, 7 * DAY},
    {"interval", take_duration, AT(interval), NULL, 1, 30 * DAY},
    {"max_size", take_size, AT(max_size), NULL, 0, 0},
    {"max_messages", take_number, AT(max_messages), "none", 1, MANY},
    {"max_tries", take_number, AT(max_tries), NULL, 1, 1000},
    {"pipelining", take_choice, AT(pipelining), "auto|on|off", 0, 0},
    {"fsync", take_flag, AT(durable), "none|full", 0, 0},
    {"enabled", take_flag, AT(enabled), "no|yes", 0, 0},
};

static const struct key TOP_KEYS[] = {
    {"jobs", take_number, TOP(jobs), NULL, 1, 1000},
    {"max_per_server", take_number, TOP(max_per_server), NULL, 1, 1000},
    {"state_dir", take_path, TOP(state_dir), NULL, 0, 0},
};

_Static_assert(sizeof(enum account_tls) == sizeof(int), "take_choice writes an int");

const struct key *convert_keys(bool top, size_t *count)
{
    *count =
        top ? sizeof TOP_KEYS / sizeof TOP_KEYS[0] : sizeof ACCOUNT_KEYS / sizeof ACCOUNT_KEYS[0];
    return top ? TOP_KEYS : ACCOUNT_KEYS;
}

int convert_take(const struct key *key, const struct setting *setting, void *target,
                 struct err *err)
{
    struct take take = {.key = key, .setting = setting, .target = target, .err = err};
    return key->take(&take, setting->items);
}

/* --- what the command line shares ------------------------------------------------------------- */

char *settings_path(const char *path, struct err *err)
{
    if (path[0] == '~' && path[1] != '\0' && path[1] != '/') {
        err_set(err, ERR_CONFIG, "~ stands for your own home folder only; write the path in full");
        return NULL;
    }
    char *home = file_expand("~", NULL);
    char *whole = file_expand(path, home);
    free(home);
    if (whole[0] == '/')
        return whole;
    free(whole);
    err_set(err, ERR_CONFIG,
            "the home folder is not known (HOME is not set); write the path in full");
    return NULL;
}

int settings_check_mda(const char *command, struct err *err)
{
    for (const char *p = strchr(command, '%'); p != NULL; p = strchr(p + 1, '%')) {
        if (p[1] == 'F' || p[1] == 'T') {
            return err_set(err, ERR_CONFIG,
                           "%%%c is not filled in; write \"$FETCHPOP_%s\" (with its quotes), which "
                           "the command finds in its environment",
                           p[1], p[1] == 'F' ? "SENDER" : "RECIPIENT");
        }
    }
    return 0;
}
