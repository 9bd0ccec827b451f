#include "app/settings.h"

#include <stdlib.h>
#include <string.h>

#include "app/convert.h"
#include "base/secret.h"
#include "base/xalloc.h"

#define WORD_MAX 64

/* What people write who come from elsewhere. */
static const struct {
    const char *word, *key;
} ALIASES[] = {
    {"host", "server"},
    {"hostname", "server"},
    {"poll", "server"},
    {"username", "user"},
    {"login", "user"},
    {"pass", "password"},
    {"passwd", "password"},
    {"passwordeval", "password_command"},
    {"delivery", "maildir"},
    {"path", "maildir"},
    {"folder", "maildir"},
    {"command", "mda"},
    {"ssl", "tls"},
    {"tls_starttls", "tls"},
    {"starttls", "tls"},
    {"tls_trust_file", "tls_ca_file"},
    {"tls_fingerprint", "tls_pin"},
    {"limit", "max_size"},
    {"fetchlimit", "max_messages"},
    {"delete", "keep"},
    {"nokeep", "keep"},
    {"idfile", "state_dir"},
    {"uidls_file", "state_dir"},
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to change, drop or add to make b of a. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t len = strlen(b);
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t change = corner + (a[i] != b[j]);
            corner = row[j + 1];
            row[j + 1] = least(change, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[len];
}

const char *settings_near(const char *name, bool top)
{
    static const char *const WORDS[] = {"account", "defaults", "include"};
    if (strlen(name) > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++)
        if (strcmp(name, ALIASES[i].word) == 0 && settings_key(ALIASES[i].key, top) >= 0)
            return ALIASES[i].key;
    const char *best = NULL;
    size_t limit = strlen(name) <= 4 ? 2 : 3; /* fewer changes than this */
    size_t count;
    const struct key *keys = convert_keys(top, &count);
    for (size_t i = 0; i < count; i++) {
        size_t away = distance(name, keys[i].name);
        if (away < limit) {
            limit = away;
            best = keys[i].name;
        }
    }
    for (size_t i = 0; top && i < sizeof WORDS / sizeof WORDS[0]; i++) {
        size_t away = distance(name, WORDS[i]);
        if (away < limit) {
            limit = away;
            best = WORDS[i];
        }
    }
    return best;
}

int settings_key(const char *name, bool top)
{
    size_t count;
    const struct key *keys = convert_keys(top, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, keys[i].name) == 0)
            return (int)i;
    return -1;
}

const struct setting *settings_of(const struct section *section, int key)
{
    static const struct setting NONE = {0};
    for (size_t i = 0; i < section->count; i++)
        if (section->settings[i].key == key)
            return &section->settings[i];
    return &NONE;
}

const char *settings_next(const struct setting *setting, const char *item)
{
    const char *next = item != NULL ? item + strlen(item) + 1 : setting->items;
    return setting->count > 0 && next < setting->items + setting->octets ? next : NULL;
}

void settings_add(struct section *section, int key, const char *text, const char *file,
                  unsigned line)
{
    size_t at = 0;
    while (at < section->count && section->settings[at].key != key)
        at++;
    if (at == section->count) {
        section->settings = xreallocarray(section->settings, at + 1, sizeof *section->settings);
        section->settings[at] = (struct setting){.file = file, .line = line, .key = key};
        section->count++;
    }
    struct setting *setting = &section->settings[at];
    size_t size = strlen(text) + 1;
    setting->items = xreallocarray(setting->items, setting->octets + size, 1);
    memcpy(setting->items + setting->octets, text, size);
    setting->octets += (unsigned)size;
    setting->count++;
}

void settings_clear(struct section *section)
{
    for (size_t i = 0; i < section->count; i++) {
        struct setting *setting = &section->settings[i];
        secret_wipe_bytes(setting->items, setting->octets);
        free(setting->items);
    }
    free(section->settings);
    section->settings = NULL;
    section->count = 0;
    free(section->title);
    section->title = NULL;
}

/* Keys of which only one can hold: where the account names one of them, those of `defaults` are
 * out. */
static const char *const TARGETS[] = {"maildir", "mbox", "mda", NULL};
static const char *const SECRETS[] = {"password", "password_command", "password_file",
                                      "token_command", NULL};
static const char *const WAYS[] = {"proxy", "connect_command", NULL};

static const struct setting *setting_of(const struct section *section, const char *name)
{
    return settings_of(section, settings_key(name, false));
}

static bool has_any(const struct section *section, const char *const *group)
{
    for (size_t i = 0; group[i] != NULL; i++)
        if (setting_of(section, group[i])->count > 0)
            return true;
    return false;
}

static bool is_in(const char *name, const char *const *group)
{
    for (size_t i = 0; group[i] != NULL; i++)
        if (strcmp(name, group[i]) == 0)
            return true;
    return false;
}

/* At most one of the group in this section. */
static int check_group(const struct section *section, const char *const *group, struct err *err)
{
    const struct setting *first = NULL;
    const char *first_name = NULL;
    for (size_t i = 0; group[i] != NULL; i++) {
        const struct setting *this = setting_of(section, group[i]);
        if (this->count == 0)
            continue;
        if (first != NULL) {
            bool later = this->line >= first->line;
            const struct setting *at = later ? this : first;
            return err_set(err, ERR_CONFIG, "%s:%u: %s beside %s (line %u); keep one of them",
                           at->file, at->line, later ? group[i] : first_name,
                           later ? first_name : group[i], later ? first->line : this->line);
        }
        first = this;
        first_name = group[i];
    }
    return 0;
}

static int check_groups(const struct section *section, struct err *err)
{
    if (check_group(section, TARGETS, err) < 0 || check_group(section, SECRETS, err) < 0)
        return -1;
    return check_group(section, WAYS, err);
}

static int check_title(const struct section *own, struct err *err)
{
    const char *title = own->title;
    if (title[0] == '\0' || title[0] == '-' || title[0] == '.' || strlen(title) > WORD_MAX) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: an account's title has 1 to %d characters and does not begin with "
                       "- or .",
                       own->file, own->line, WORD_MAX);
    }
    for (const char *p = title; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/' || *p == ':') {
            return err_set(err, ERR_CONFIG,
                           "%s:%u: an account's title holds no /, no : and no control character",
                           own->file, own->line);
        }
    }
    return 0;
}

static const struct section *section_of(const struct section *own, const struct section *defaults,
                                        const char *name)
{
    return setting_of(own, name)->count > 0 || defaults == NULL ? own : defaults;
}

/* With a pin alone nobody looks at the list: who writes both believes that somebody does. */
static int check_revocation(const struct section *own, const struct section *defaults,
                            const struct account *account, struct err *err)
{
    const struct section *from = section_of(own, defaults, "tls_crl_file");
    const struct setting *crl = setting_of(from, "tls_crl_file");
    if (account->trust != TLS_TRUST_PIN || crl->count == 0 ||
        from != section_of(own, defaults, "tls_trust"))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "%s:%u: tls_crl_file counts only with tls_trust = ca or both; take one of them "
                   "out",
                   crl->file, crl->line);
}

/* Two pins of which none counts are a trap, unless `defaults` and the account differ on purpose. */
static int check_tls(const struct section *own, const struct section *defaults,
                     const struct account *account, struct err *err)
{
    bool pinned = account->tls_pins != NULL;
    const struct section *from = setting_of(own, "tls_pin")->count > 0 ? own : defaults;
    const struct setting *pin = from != NULL ? setting_of(from, "tls_pin") : NULL;
    bool differs = from == defaults && setting_of(own, "tls_trust")->count > 0;
    if (pinned && pin != NULL && account->trust == TLS_TRUST_CA && !differs) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: tls_pin counts only with tls_trust = pin or both; add one of them",
                       pin->file, pin->line);
    }
    if (!pinned && account->trust != TLS_TRUST_CA) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" trusts a pin and has none; add tls_pin (without "
                       "tls_trust, fetchpop --print-pin shows it)",
                       own->file, own->line, own->title);
    }
    bool keyed = account->tls_key_file != NULL || account->tls_key_password_command != NULL;
    if (keyed && account->tls_cert_file == NULL) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" has %s without tls_cert_file; add it", own->file,
                       own->line, own->title,
                       account->tls_key_file != NULL ? "tls_key_file" : "tls_key_password_command");
    }
    return 0;
}

/* An address of one kind cannot reach those of the other. */
static int check_way(const struct section *own, const struct account *account, struct err *err)
{
    bool is_v6 = account->source_address != NULL && strchr(account->source_address, ':') != NULL;
    if (account->source_address != NULL && account->ip == (is_v6 ? ACCOUNT_IP_4 : ACCOUNT_IP_6)) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" has ip = %d, and source_address %s is none of that "
                       "kind; change one of them",
                       own->file, own->line, own->title, is_v6 ? 4 : 6, account->source_address);
    }
    return 0;
}

static int check_whole(const struct section *own, const struct section *defaults,
                       const struct account *account, struct err *err)
{
    const char *missing = NULL;
    if (account->server == NULL)
        missing = "server; add server = \"pop.example.com\"";
    else if (account->user == NULL)
        missing = "user; add user = \"alice\"";
    else if (account->where == NULL)
        missing = "place for its mail; add one of maildir, mbox and mda";
    if (missing != NULL) {
        return err_set(err, ERR_CONFIG, "%s:%u: account \"%s\" has no %s", own->file, own->line,
                       own->title, missing);
    }
    if (check_tls(own, defaults, account, err) < 0 ||
        check_revocation(own, defaults, account, err) < 0)
        return -1;
    return check_way(own, account, err);
}

static struct account *new_account(const char *title)
{
    struct account *account = xcalloc(1, sizeof *account);
    *account = (struct account){
        .title = xstrdup(title),
        .enabled = true,
        .keep = ACCOUNT_KEEP,
        .mda_timeout = 300,
        .timeout = 60,
        .session_timeout = 1800,
        .max_tries = 5,
        .durable = true,
    };
    return account;
}

static int fill(struct account *account, const struct section *own, const struct section *defaults,
                struct err *err)
{
    bool own_target = has_any(own, TARGETS);
    bool own_secret = has_any(own, SECRETS);
    bool own_way = has_any(own, WAYS);
    size_t count;
    const struct key *keys = convert_keys(false, &count);
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = settings_of(own, (int)i);
        if (setting->count == 0 && defaults != NULL &&
            !(own_target && is_in(keys[i].name, TARGETS)) &&
            !(own_secret && is_in(keys[i].name, SECRETS)) &&
            !(own_way && is_in(keys[i].name, WAYS)))
            setting = settings_of(defaults, (int)i);
        if (setting->count > 0 && convert_take(&keys[i], setting, account, err) < 0)
            return -1;
    }
    return 0;
}

int settings_account(const struct section *own, const struct section *defaults,
                     struct account **account, struct err *err)
{
    if (check_title(own, err) < 0 || check_groups(own, err) < 0 ||
        (defaults != NULL && check_groups(defaults, err) < 0))
        return -1;
    struct account *made = new_account(own->title);
    if (fill(made, own, defaults, err) < 0 || check_whole(own, defaults, made, err) < 0) {
        account_free(made);
        return -1;
    }
    if (made->port == 0)
        made->port = made->tls == ACCOUNT_TLS_IMPLICIT ? 995 : 110;
    if (made->auth == NULL) {
        made->auth = xcalloc(2, sizeof *made->auth);
        made->auth[0] = xstrdup("auto");
    }
    *account = made;
    return 0;
}

int settings_read_top(const struct section *top, struct settings_top *result, struct err *err)
{
    *result = (struct settings_top){.jobs = 16, .max_per_server = 4};
    size_t count;
    const struct key *keys = convert_keys(true, &count);
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = settings_of(top, (int)i);
        if (setting->count > 0 && convert_take(&keys[i], setting, result, err) < 0) {
            free(result->state_dir);
            result->state_dir = NULL;
            return -1;
        }
    }
    return 0;
}
