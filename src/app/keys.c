/* SPDX-License-Identifier: ISC */
#include "app/keys.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/endpoint.h"
#include "app/paths.h"
#include "base/clock.h"
#include "base/maildate.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "net/pin.h"
#include "pop3/method.h"
#include "pop3/reply.h"
#include "session/account.h"

/* One value under conversion. */
struct take {
    const struct key *key;
    const struct setting *setting;
    void *target;
    struct err *err;
};

struct key_type {
    int (*take)(const struct take *take, const char *text);
    const struct owned *owned; /* NULL: nothing is to be freed */
};

/* What a field owns. */
struct owned {
    void (*clear)(void *field);
    void (*pack)(void *field, struct block *block);
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

static void clear_text(void *field)
{
    char **text = field;
    free(*text);
    *text = NULL;
}

static void pack_text(void *field, struct block *block)
{
    block_move_text(block, field);
}

static struct account *of_proxy(void *field)
{
    return (void *)((char *)field - offsetof(struct account, proxy_host));
}

static void clear_proxy(void *field)
{
    clear_text(&of_proxy(field)->proxy_host);
    clear_text(&of_proxy(field)->proxy_user);
}

static void pack_proxy(void *field, struct block *block)
{
    block_move_text(block, &of_proxy(field)->proxy_host);
    block_move_text(block, &of_proxy(field)->proxy_user);
}

static void clear_list(void *field)
{
    char ***list = field;
    for (char **item = *list; item != NULL && *item != NULL; item++)
        free(*item);
    free(*list);
    *list = NULL;
}

static void pack_list(void *field, struct block *block)
{
    char ***list = field;
    size_t count = 0;
    if (*list == NULL)
        return;
    while ((*list)[count] != NULL)
        count++;
    char **copy = block_add(block, *list, (count + 1) * sizeof **list);
    for (size_t i = 0; i < count; i++)
        block_move_text(block, copy != NULL ? &copy[i] : &(*list)[i]);
    if (copy != NULL)
        *list = copy;
}

static const struct owned one_text = {clear_text, pack_text};
static const struct owned two_texts = {clear_proxy, pack_proxy};
static const struct owned some_texts = {clear_list, pack_list};

static int put(const struct take *take, char *owned)
{
    char **text = field(take);
    free(*text);
    *text = owned;
    return 0;
}

/* --- kinds of value --------------------------------------------------------------------------- */

static int take_text(const struct take *take, const char *text)
{
    if (text[0] == '\0')
        return refuse(take, "is empty; leave the key out instead");
    if (str_has_control(str_from(text)))
        return refuse(take, "holds a control character or a line end; remove it");
    return put(take, xstrdup(text));
}

/* A variable as the shell knows it, which libconfuse leaves as it stands. */
static bool has_variable(const char *text)
{
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$'))
        if (at[1] == '{' || at[1] == '_' || (str_is_alnum(at[1]) && !str_is_digit(at[1])))
            return true;
    return false;
}

static int take_path(const struct take *take, const char *text)
{
    if (text[0] == '\0')
        return refuse(take, "is empty; leave the key out instead");
    if (has_variable(text))
        return refuse(take,
                      "is \"%.80s\", where $ stands for itself; write \"${HOME}\" in double "
                      "quotes, or ~/",
                      text);
    struct err why;
    char *path = paths_expand(text, &why);
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
    spell_words(take->key->spelled != NULL ? take->key->spelled : take->key->words, list);
    return refuse(take, "must be %s, not \"%.60s\"", list, text);
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

/* What others call STLS is the name of the command in other protocols. */
static int take_tls(const struct take *take, const char *text)
{
    return take_choice(take, strcmp(text, "starttls") == 0 ? "stls" : text);
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
        return refuse(take, "must be a number from %llu to %llu%s%s, not \"%.60s\"",
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
        return refuse(take, "must be a size such as 500K, 20M or 1G, or none, not \"%.60s\"", text);
    *(uint64_t *)field(take) = octets;
    return 0;
}

static int take_day(const struct take *take, const char *text)
{
    int64_t *when = field(take), ago;
    if (maildate_read_day(str_from(text), when) == 0)
        return 0;
    if (str_duration(str_from(text), &ago) != 0)
        return refuse(
            take, "takes a day such as 2026-11-28, or a duration such as 30d, not \"%.60s\"", text);
    *when = clock_wall() - ago;
    return 0;
}

static int take_duration(const struct take *take, const char *text)
{
    int64_t seconds;
    if (str_duration(str_from(text), &seconds) != 0 || seconds < (int64_t)take->key->low ||
        seconds > (int64_t)take->key->high) {
        return refuse(take,
                      "must be a duration such as 60s, 30m, 2h or 1d, from %llus to %llud, "
                      "not \"%.60s\"",
                      (unsigned long long)take->key->low,
                      (unsigned long long)(take->key->high / CLOCK_DAY), text);
    }
    *(int64_t *)field(take) = seconds;
    return 0;
}

/* --- keys of their own kind ------------------------------------------------------------------- */

static int take_host(const struct take *take, const char *text)
{
    struct err why;
    char *host = endpoint_host(str_from(text), &why);
    return host != NULL ? put(take, host) : refuse(take, "%s", why.text);
}

static int take_address(const struct take *take, const char *text)
{
    struct err why;
    return endpoint_address(text, &why) == 0 ? put(take, xstrdup(text))
                                             : refuse(take, "%s", why.text);
}

static int take_proxy(const struct take *take, const char *text)
{
    struct account *account = take->target;
    struct endpoint_proxy proxy;
    struct err why;
    if (endpoint_proxy(text, &proxy, &why) < 0)
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
        return refuse(take, "holds a line end; a password is one line");
    if (secret_set(&account->password, str_from(text)) < 0)
        return refuse(take, "is too long; check it");
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
    /* A bare number would mean seconds, but a person who writes 30 means days. */
    size_t len = strlen(text);
    if (len > 0 && str_is_digit(text[len - 1]))
        return refuse(
            take, "must be yes, no or a duration such as 30d, with its unit, not \"%.60s\"", text);
    if (str_duration(str_from(text), &account->keep_seconds) != 0 || account->keep_seconds <= 0)
        return refuse(take, "must be yes, no or a duration such as 30d, not \"%.60s\"", text);
    return 0;
}

int keys_check_mda(const char *command, struct err *err)
{
    for (const char *p = strchr(command, '%'); p != NULL; p = strchr(p + 1, '%')) {
        if (p[1] == 'F' || p[1] == 'T')
            return err_set(err, ERR_CONFIG,
                           "%%%c is not filled in; write \"$FETCHPOP_%s\" (with its quotes), a "
                           "variable of the command",
                           p[1], p[1] == 'F' ? "SENDER" : "RECIPIENT");
    }
    return 0;
}

/* Where messages go: all of the account's, or those of a rule. */
static void aim(const struct take *take, enum deliver_kind kind)
{
    if (take->key->scope == KEY_RULE) {
        struct rule *rule = take->target;
        rule->has_target = true;
        rule->target = kind;
    } else {
        struct account *account = take->target;
        account->target = kind;
    }
}

static int take_mda(const struct take *take, const char *text)
{
    struct err why;
    if (keys_check_mda(text, &why) < 0)
        return refuse(take, ": %s", why.text);
    aim(take, DELIVER_MDA);
    return take_command(take, text);
}

static int take_mbox(const struct take *take, const char *text)
{
    aim(take, DELIVER_MBOX);
    if (take_path(take, text) < 0)
        return -1;
    const char *where = *(char **)field(take);
    return where[strlen(where) - 1] != '/'
               ? 0
               : refuse(take, "must be a file; a folder is maildir = \"%.60s\"", text);
}

static int take_lmtp(const struct take *take, const char *text)
{
    struct err why;
    aim(take, DELIVER_LMTP);
    char *where = endpoint_lmtp(text, &why);
    return where != NULL ? put(take, where) : refuse(take, "%s", why.text);
}

/* What may stand between < and > of RCPT TO. */
static int take_recipient(const struct take *take, const char *text)
{
    bool plain = text[0] != '\0' && strlen(text) <= 250;
    for (const char *at = text; *at != '\0'; at++)
        plain = plain && *at > ' ' && *at < 0x7f && *at != '<' && *at != '>';
    return plain ? put(take, xstrdup(text))
                 : refuse(take, "must be an address such as alice@example.com, without < and >");
}

static int take_maildir(const struct take *take, const char *text)
{
    aim(take, DELIVER_MAILDIR);
    if (take_path(take, text) < 0)
        return -1;
    char *where = *(char **)field(take);
    for (size_t len = strlen(where); len > 1 && where[len - 1] == '/'; len--)
        where[len - 1] = '\0';
    return 0;
}

/* The setting's items as a NULL-terminated list, each one checked. */
static int take_list(const struct take *take, bool (*good)(const char *item), const char *want)
{
    const struct setting *setting = take->setting;
    const char *item = NULL;
    while ((item = section_next(setting, item)) != NULL)
        if (!good(item))
            return refuse(take, "must be %s, not \"%.80s\"", want,
                          str_has_control(str_from(item)) ? "?" : item);
    char **list = xcalloc(setting->count + 1, sizeof *list);
    for (size_t i = 0; i < setting->count; i++) {
        item = section_next(setting, item);
        list[i] = xstrdup(item);
    }
    clear_list(field(take));
    *(char ***)field(take) = list;
    return 0;
}

static bool is_method(const char *item)
{
    return method_is_known(str_from(item));
}

static int take_auth(const struct take *take, const char *text)
{
    (void)text;
    const char *item = NULL;
    while ((item = section_next(take->setting, item)) != NULL) {
        if (take->setting->count > 1 && str_is_nocase(str_from(item), "auto"))
            return refuse(take, "must be auto alone, or a list without it");
        if (!is_method(item) && str_contains_nocase(str_from(item), "oauth"))
            return refuse(take, "must be xoauth2 or oauthbearer, with token_command, not \"%.60s\"",
                          item);
    }
    return take_list(take, is_method, "auto, user, apop or a SASL name such as \"plain\"");
}

static bool is_pin(const char *item)
{
    unsigned char digest[DIGEST_SIZE];
    return pin_read(item, digest) == 0;
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

static int take_pattern(const struct take *take, const char *text)
{
    struct err why;
    struct pattern **pattern = field(take);
    *pattern = pattern_new(text, &why);
    return *pattern != NULL ? 0 : refuse(take, "%s", why.text);
}

static int take_headers(const struct take *take, const char *text)
{
    struct err why;
    for (; text != NULL; text = section_next(take->setting, text))
        if (rules_add_header(field(take), text, &why) < 0)
            return refuse(take, "%s", why.text);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define AT(name) .offset = offsetof(struct account, name)
#define AT_TOP(name) .offset = offsetof(struct keys_top, name), .scope = KEY_TOP
#define AT_RULE(name) .offset = offsetof(struct rule, name), .scope = KEY_RULE

static const struct key_type text = {take_text, &one_text};
static const struct key_type path = {take_path, &one_text};
static const struct key_type command = {take_command, &one_text};
static const struct key_type host = {take_host, &one_text};
static const struct key_type address = {take_address, &one_text};
static const struct key_type version = {take_version, &one_text};
static const struct key_type maildir = {take_maildir, &one_text};
static const struct key_type mbox = {take_mbox, &one_text};
static const struct key_type mda = {take_mda, &one_text};
static const struct key_type lmtp = {take_lmtp, &one_text};
static const struct key_type recipient = {take_recipient, &one_text};
static const struct key_type proxy = {take_proxy, &two_texts};
static const struct key_type pins = {take_pins, &some_texts};
static const struct key_type auth = {take_auth, &some_texts};
static const struct key_type choice = {take_choice, NULL};
static const struct key_type tls = {take_tls, NULL};
static const struct key_type flag = {take_flag, NULL};
static const struct key_type number = {take_number, NULL};
static const struct key_type size = {take_size, NULL};
static const struct key_type duration = {take_duration, NULL};
static const struct key_type day = {take_day, NULL};
static const struct key_type keep = {take_keep, NULL};
static const struct key_type password = {take_password, NULL};
static const struct key_type pattern = {take_pattern, NULL};
static const struct key_type headers = {take_headers, NULL};

static const struct key keys[] = {
    {"server", &host, AT(server)},
    {"port", &number, AT(port), .low = 1, .high = 65535},
    {"ip", &choice, AT(ip), .words = "any|4|6"},
    {"source_address", &address, AT(source_address)},
    {"proxy", &proxy, AT(proxy_host), .group = KEY_CONNECTION, .secret = true},
    {"connect_command", &command, AT(connect_command), .group = KEY_CONNECTION},
    {"tls", &tls, AT(tls), .words = "implicit|stls|none",
     .spelled = "implicit (TLS from the start, port 995)|stls (port 110)|none"},
    {"tls_trust", &choice, AT(trust), .words = "ca|pin|both|tofu"},
    {"tls_ca_file", &path, AT(tls_ca_file)},
    {"tls_ca_dir", &path, AT(tls_ca_dir)},
    {"tls_cert_file", &path, AT(tls_cert_file)},
    {"tls_key_file", &path, AT(tls_key_file)},
    {"tls_key_password_command", &command, AT(tls_key_password_command)},
    {"tls_pin", &pins, AT(tls_pins), .list = true},
    {"tls_min_version", &version, AT(tls_min_version), .words = "1.2|1.3"},
    {"tls_server_name", &host, AT(tls_server_name)},
    {"tls_crl_file", &path, AT(tls_crl_file)},
    {"user", &text, AT(user)},
    {"password", &password, AT(password), .group = KEY_SECRET, .secret = true},
    {"password_command", &command, AT(password_command), .group = KEY_SECRET},
    {"password_file", &path, AT(password_file), .group = KEY_SECRET},
    {"token_command", &command, AT(token_command), .group = KEY_SECRET},
    {"auth", &auth, AT(auth), .initial = "auto", .list = true},
    {"authorization_identity", &text, AT(authorization_identity)},
    {"keep", &keep, AT(keep), .initial = "yes"},
    {"keep_newest", &number, AT(keep_newest), .low = 1, .high = REPLY_MESSAGES_MAX},
    {"newest", &number, AT(newest), .low = 1, .high = REPLY_MESSAGES_MAX},
    {"since", &day, AT(since)},
    {"maildir", &maildir, AT(where), .group = KEY_TARGET},
    {"mbox", &mbox, AT(where), .group = KEY_TARGET},
    {"mda", &mda, AT(where), .group = KEY_TARGET},
    {"lmtp", &lmtp, AT(where), .group = KEY_TARGET},
    {"lmtp_recipient", &recipient, AT(recipient)},
    {"allow_delete", &flag, AT(allow_delete), .words = "no|yes", .initial = "no"},
    {"mda_timeout", &duration, AT(mda_timeout), .low = 1, .high = CLOCK_DAY, .initial = "5m"},
    {"filter_command", &command, AT(filter_command)},
    {"pipe_through", &command, AT(pipe_through)},
    {"trace_header", &flag, AT(trace_header), .words = "no|yes", .initial = "no"},
    {"drop_status", &flag, AT(drop_status), .words = "no|yes", .initial = "no"},
    {"arrival_date", &flag, AT(arrival_date), .words = "no|yes", .initial = "no"},
    {"after_new", &command, AT(after_new)},
    {"log_messages", &flag, AT(log_messages), .words = "no|yes", .initial = "no"},
    {"timeout", &duration, AT(timeout), .low = 1, .high = CLOCK_DAY, .initial = "60s"},
    {"session_timeout", &duration, AT(session_timeout), .low = 1, .high = 7 * CLOCK_DAY,
     .initial = "30m"},
    {"interval", &duration, AT(interval), .low = 1, .high = 30 * CLOCK_DAY},
    {"max_size", &size, AT(max_size)},
    {"max_bytes", &size, AT(max_bytes)},
    {"max_messages", &number, AT(max_messages), .words = "none", .low = 1,
     .high = REPLY_MESSAGES_MAX},
    {"max_tries", &number, AT(max_tries), .low = 1, .high = 1000, .initial = "5"},
    {"spool_max", &size, AT(spool_max), .initial = "1G"},
    {"pipelining", &choice, AT(pipelining), .words = "auto|on|off"},
    {"fsync", &flag, AT(durable), .words = "none|full", .initial = "full"},
    {"sandbox", &choice, AT(sandbox), .words = "auto|off"},
    {"enabled", &flag, AT(enabled), .words = "no|yes", .initial = "yes"},
    {"jobs", &number, AT_TOP(jobs), .low = 1, .high = 1000, .initial = "16"},
    {"max_per_server", &number, AT_TOP(max_per_server), .low = 1, .high = 1000, .initial = "4"},
    {"before", &command, AT_TOP(before)},
    {"after", &command, AT_TOP(after)},
    {"metrics", &path, AT_TOP(metrics)},
    {"state_dir", &path, AT_TOP(state_dir)},
    {"accounts_command", &command, AT_TOP(accounts_command)},
    {"from", &pattern, AT_RULE(fits.from)},
    {"to", &pattern, AT_RULE(fits.to)},
    {"subject", &pattern, AT_RULE(fits.subject)},
    {"header", &headers, AT_RULE(fits), .list = true},
    {"not_from", &pattern, AT_RULE(unfit.from)},
    {"not_to", &pattern, AT_RULE(unfit.to)},
    {"not_subject", &pattern, AT_RULE(unfit.subject)},
    {"not_header", &headers, AT_RULE(unfit), .list = true},
    {"older", &duration, AT_RULE(older), .low = 1, .high = STR_DURATION_MAX},
    {"newer", &duration, AT_RULE(newer), .low = 1, .high = STR_DURATION_MAX},
    {"larger", &size, AT_RULE(larger)},
    {"smaller", &size, AT_RULE(smaller)},
    {"action", &choice, AT_RULE(action), .words = "fetch|leave|stub|delete"},
    {"maildir", &maildir, AT_RULE(where), .group = KEY_TARGET},
    {"mbox", &mbox, AT_RULE(where), .group = KEY_TARGET},
    {"mda", &mda, AT_RULE(where), .group = KEY_TARGET},
    {"lmtp", &lmtp, AT_RULE(where), .group = KEY_TARGET},
    {"lmtp_recipient", &recipient, AT_RULE(recipient)},
};
#define KEYS (sizeof keys / sizeof keys[0])

_Static_assert(sizeof(enum account_tls) == sizeof(int), "take_choice writes an int");

const struct key *keys_all(size_t *count)
{
    *count = KEYS;
    return keys;
}

const struct key *keys_find(const char *name, enum key_scope scope)
{
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].scope == scope && name[0] == keys[i].name[0] && strcmp(name, keys[i].name) == 0)
            return &keys[i];
    return NULL;
}

int keys_take(const struct setting *setting, void *target, struct err *err)
{
    struct take take = {.key = setting->key, .setting = setting, .target = target, .err = err};
    return setting->key->type->take(&take, setting->items);
}

static const struct setting *first_before(const struct section *section, size_t end,
                                          enum key_group group)
{
    for (size_t i = 0; i < end; i++)
        if (section->settings[i].key->group == group)
            return &section->settings[i];
    return NULL;
}

const struct setting *keys_first_of(const struct section *section, enum key_group group)
{
    return first_before(section, section->count, group);
}

int keys_check_groups(const struct section *section, struct err *err)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct setting *this = &section->settings[i];
        if (this->key->group == KEY_ALONE)
            continue;
        const struct setting *first = first_before(section, i, this->key->group);
        if (first != NULL)
            return err_set(err, ERR_CONFIG,
                           "%s:%u: both %s and %s (line %u) are set; keep one of them", this->file,
                           this->line, this->key->name, first->key->name, first->line);
    }
    return 0;
}

void keys_fill(enum key_scope scope, void *target)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (keys[i].scope != scope || keys[i].initial == NULL)
            continue;
        char *items = xstrdup(keys[i].initial);
        struct setting setting = {&keys[i], items, 1, (unsigned)strlen(items) + 1, "built in", 0};
        struct err err;
        int result = keys_take(&setting, target, &err);
        assert(result == 0); /* test_config reads them all */
        (void)result;
        free(items);
    }
}

void keys_clear(enum key_scope scope, void *target)
{
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].scope == scope && keys[i].type->owned != NULL)
            keys[i].type->owned->clear((char *)target + keys[i].offset);
}

void keys_pack(enum key_scope scope, void *target, struct block *block)
{
    for (size_t i = 0; i < KEYS; i++) {
        /* Keys of one field stand next to each other. */
        bool again = i > 0 && keys[i - 1].scope == scope && keys[i - 1].offset == keys[i].offset;
        if (keys[i].scope == scope && keys[i].type->owned != NULL && !again)
            keys[i].type->owned->pack((char *)target + keys[i].offset, block);
    }
}

bool keys_hide(const struct key *key, const char *value)
{
    return key->secret && (key->group == KEY_SECRET || strchr(value, '@') != NULL);
}
