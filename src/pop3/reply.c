/* SPDX-License-Identifier: ISC */
#include "pop3/reply.h"

#include <string.h>

static struct str skip_blanks(struct str text)
{
    size_t n = 0;
    while (n < text.len && str_is_blank(text.ptr[n]))
        n++;
    return str_behind(text, n);
}

/* The phrase occurs with no letter or digit on either side: "locked", but not "blocked". */
static bool says_one(struct str text, struct str phrase)
{
    for (size_t i = 0; i + phrase.len <= text.len; i++)
        if (str_equal_nocase(str_of(text.ptr + i, phrase.len), phrase) &&
            (i == 0 || !str_is_alnum(text.ptr[i - 1])) &&
            (i + phrase.len == text.len || !str_is_alnum(text.ptr[i + phrase.len])))
            return true;
    return false;
}

/* One of several, which have | between them. */
static bool says(struct str text, const char *phrases)
{
    for (struct str rest = str_from(phrases); rest.len > 0;)
        if (says_one(text, str_until(&rest, '|')))
            return true;
    return false;
}

/* What servers without response codes say: phrases, with | between them; first match wins. */
static const struct {
    enum reply_code code;
    const char *phrases;
} meanings[] = {
    {REPLY_CODE_LOGIN_DELAY,
     "login delay|login-delay|too often|too frequent|too frequently|too soon|too quickly|"
     "too fast|login limit|rate limit|rate limited|throttled|frequency|number of logins|"
     "logins per|between logins|next login|once every|must wait"},
    {REPLY_CODE_IN_USE,
     "in use|in-use|locked|is lock|lock file|lock busy|get lock|lock maildrop|lock mailbox|"
     "lock the maildrop|lock the mailbox|lock your maildrop|lock your mailbox|already open|"
     "another session|busy|wait a few minutes"},
    {REPLY_CODE_SYS_TEMP,
     "try again later|try later|retry later|temporary|temporarily|too many connections|"
     "too many simultaneous|too many sessions|too many requests|maximum number of|"
     "too many login attempts|too many failed login attempts|too many logins"},
};

/* The user's account is locked: waiting does not help. */
static bool is_account_locked(struct str text)
{
    return says(text, "account") && !says(text, "mailbox|maildrop|temporarily|in use|too many");
}

static enum reply_code code_by_words(struct str text)
{
    if (says(text, "password|credentials|invalid"))
        return REPLY_CODE_NONE;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (says(text, meanings[i].phrases) &&
            (meanings[i].code == REPLY_CODE_LOGIN_DELAY || !is_account_locked(text)))
            return meanings[i].code;
    return REPLY_CODE_NONE;
}

/* RFC 2449 section 8: codes are a hierarchy; a code below a level that we know counts as that
 * level. */
static bool is_code(struct str code, const char *name)
{
    size_t len = strlen(name);
    return str_has_prefix_nocase(code, name) && (code.len == len || code.ptr[len] == '/');
}

static enum reply_code bracket_code(struct str text)
{
    if (text.len == 0 || text.ptr[0] != '[')
        return REPLY_CODE_NONE;
    const char *end = memchr(text.ptr, ']', text.len);
    if (end == NULL)
        return REPLY_CODE_NONE;
    struct str code = str_trim(str_of(text.ptr + 1, (size_t)(end - text.ptr) - 1));
    static const struct {
        const char *words;
        enum reply_code code;
    } codes[] = {
        {"IN-USE", REPLY_CODE_IN_USE},     {"LOGIN-DELAY", REPLY_CODE_LOGIN_DELAY},
        {"SYS/TEMP", REPLY_CODE_SYS_TEMP}, {"SYS/PERM", REPLY_CODE_SYS_PERM},
        {"AUTH", REPLY_CODE_AUTH},         {"UTF8", REPLY_CODE_UTF8},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (is_code(code, codes[i].words))
            return codes[i].code;
    return REPLY_CODE_OTHER;
}

/* Gmail's, Yandex's, Yahoo's, Microsoft's and Tencent's words, and the like. The Chinese ones are
 * "not switched on" and "no permission", in UTF-8 and in GBK. */
static bool says_pop_is_off(struct str text)
{
    static const char off[] =
        "not enabled|n't enabled|not been enabled|disabled|not active|not open|not opened|"
        "n't open|service is closed|service closed|service is off|switched off|turned off|"
        "not switched on|not turned on|not allowed|not permitted|no permission|pop access|"
        "enable pop|turn on pop|switch on pop|open pop|not have pop|n't have pop|pop off|"
        "pop3 off|not authori|not provisioned|not subscribed|not set up for pop|"
        "not available for|not supported for|forbidden|blocked|activate|deaktiviert|nicht aktiv|"
        "nicht freigeschaltet|\xe6\x9c\xaa\xe5\xbc\x80|\xce\xb4\xbf\xaa|"
        "\xe6\xb2\xa1\xe6\x9c\x89\xe6\x9d\x83\xe9\x99\x90|\xc3\xbb\xd3\xd0\xc8\xa8\xcf\xde";
    static const char other[] = "temporar|connection|plaintext|session|your ip|ip address";
    return says(text, "pop|pop3") && str_contains_any_nocase(text, off) &&
           (!str_contains_any_nocase(text, other) || says(text, "secure connection"));
}

static enum reply_code find_code(struct str text)
{
    enum reply_code code = bracket_code(text);
    bool vague = code == REPLY_CODE_NONE || code == REPLY_CODE_OTHER;
    enum reply_code words = vague ? code_by_words(text) : REPLY_CODE_NONE;
    if (words == REPLY_CODE_LOGIN_DELAY)
        return words;
    if (code != REPLY_CODE_SYS_TEMP && code != REPLY_CODE_IN_USE &&
        code != REPLY_CODE_LOGIN_DELAY && says_pop_is_off(text))
        return REPLY_CODE_POP_OFF;
    return words != REPLY_CODE_NONE ? words : code;
}

bool reply_blames_server(struct str text)
{
    static const char own[] =
        "unavailable|not available|maintenance|internal|server error|system error|timed out|"
        "timeout|time out|backend|database|unreachable|overload|too loaded|not responding|"
        "is down|restarting|cannot open|can't open|unable to open|could not open|failed to open|"
        "failed to create|unable to create|could not access|cannot access|unable to access|"
        "cannot connect|can't connect|unable to conn|could not connect|connection refused|"
        "unable to process|i/o error|input/output|out of memory";
    return str_contains_any_nocase(text, own) || says(text, "ldap|sql");
}

bool reply_blames_secret(struct str text)
{
    static const char blame[] =
        "password|authentication|credentials|login|user|invalid|incorrect|denied|failed";
    return str_contains_any_nocase(text, blame) && !reply_blames_server(text);
}

bool reply_wants_tls(struct str text)
{
    static const char words[] =
        "stls|starttls|ssl|non-secure|encrypted conn|unencrypted|without encryption|insecure|"
        "encryption req|secure connection|secure port|plaintext auth|cleartext|clear text|"
        "not valid in this state";
    return says(text, "tls") || str_contains_any_nocase(text, words);
}

struct reply reply_parse(struct str line)
{
    struct reply reply = {.kind = REPLY_JUNK, .code = REPLY_CODE_NONE, .text = line};
    if (str_has_prefix(line, "+OK")) {
        reply.kind = REPLY_OK;
        reply.text = skip_blanks(str_behind(line, 3));
    } else if (str_has_prefix(line, "-ERR")) {
        reply.kind = REPLY_ERR;
        reply.text = skip_blanks(str_behind(line, 4));
        reply.code = find_code(reply.text);
    } else if (line.len > 0 && line.ptr[0] == '+' && (line.len == 1 || line.ptr[1] == ' ')) {
        reply.kind = REPLY_CONTINUE;
        reply.text = skip_blanks(str_behind(line, 1));
    }
    return reply;
}

int reply_line(struct str view, size_t max, struct str *line, size_t *used, bool *bare_lf)
{
    size_t scan = view.len < max + 2 ? view.len : max + 2;
    const char *lf = scan == 0 ? NULL : memchr(view.ptr, '\n', scan);
    if (lf == NULL) {
        /* With max + 1 bytes at hand there is hope only if the last one is the CR. */
        bool hope = scan <= max || (scan == max + 1 && view.ptr[max] == '\r');
        return hope ? 0 : -1;
    }
    size_t len = (size_t)(lf - view.ptr);
    bool cr = len > 0 && lf[-1] == '\r';
    if (len - cr > max)
        return -1;
    *line = str_of(view.ptr, len - cr);
    *used = len + 1;
    *bare_lf = !cr;
    return 1;
}

static int read_index(struct str *rest, uint32_t count, uint32_t *number)
{
    uint64_t value;
    if (str_take_number(rest, count, &value) != 0 || value == 0)
        return -1;
    *number = (uint32_t)value;
    return 0;
}

/* Some servers count in fractions (VIOLATIONS): what is behind the dot is dropped. */
static int read_size(struct str *rest, uint64_t *size)
{
    struct str whole = *rest;
    if (str_take_number(&whole, INT64_MAX, size) == 0) {
        *rest = whole;
        return 0;
    }
    struct str fraction = str_word(rest);
    struct str digits = str_until(&fraction, '.');
    for (size_t i = 0; i < fraction.len; i++)
        if (!str_is_digit(fraction.ptr[i]))
            return -1;
    return str_number(digits, INT64_MAX, size);
}

int reply_list_line(struct str line, uint32_t count, uint32_t *number, uint64_t *size)
{
    uint32_t index;
    if (read_index(&line, count, &index) < 0 || read_size(&line, size) < 0)
        return -1;
    *number = index;
    return 0;
}

int reply_uidl_line(struct str line, uint32_t count, uint32_t *number, struct str *uidl)
{
    if (read_index(&line, count, number) < 0)
        return -1;
    struct str rest = skip_blanks(line);
    while (rest.len > 0 && str_is_blank(rest.ptr[rest.len - 1]))
        rest.len--;
    *uidl = rest.len <= REPLY_UIDL_MAX ? rest : str_of(rest.ptr, 0);
    return 0;
}

int reply_stat(struct str text, uint32_t *count, uint64_t *octets)
{
    uint64_t value;
    if (str_number(str_word(&text), REPLY_MESSAGES_MAX, &value) < 0 || read_size(&text, octets) < 0)
        return -1;
    *count = (uint32_t)value;
    return 0;
}

void reply_capa_init(struct reply_capa *capa)
{
    memset(capa, 0, sizeof *capa);
    capa->expire_days = -1;
    capa->login_delay = -1;
}

bool reply_capa_has(const struct reply_capa *capa, const char *mechanism)
{
    struct str rest = str_from(capa->mechanisms);
    for (struct str word = str_word(&rest); word.len > 0; word = str_word(&rest))
        if (str_is(word, mechanism))
            return true;
    return false;
}

/* RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores. */
static void add_mechanism(struct reply_capa *capa, struct str word)
{
    char name[21];
    if (word.len >= sizeof name)
        return;
    for (size_t i = 0; i < word.len; i++) {
        if (!str_is_alnum(word.ptr[i]) && word.ptr[i] != '-' && word.ptr[i] != '_')
            return;
        name[i] = str_upper(word.ptr[i]);
    }
    name[word.len] = '\0';
    size_t have = strlen(capa->mechanisms);
    if (have + 1 + word.len >= sizeof capa->mechanisms || reply_capa_has(capa, name))
        return;
    if (have > 0)
        capa->mechanisms[have++] = ' ';
    memcpy(capa->mechanisms + have, name, word.len + 1);
}

static void read_sasl(struct reply_capa *capa, struct str rest)
{
    capa->sasl = true;
    for (struct str word = str_word(&rest); word.len > 0; word = str_word(&rest))
        add_mechanism(capa, word);
}

static void read_implementation(struct reply_capa *capa, struct str text)
{
    size_t n = text.len < sizeof capa->implementation ? text.len : sizeof capa->implementation - 1;
    for (size_t i = 0; i < n; i++) {
        char c = text.ptr[i];
        capa->implementation[i] = c;
        if (c < 0x20 || c > 0x7e)
            capa->implementation[i] = '?';
    }
    capa->implementation[n] = '\0';
}

/* The number behind EXPIRE and LOGIN-DELAY; anything else (NEVER, or junk) is "not said". */
static int64_t read_count(struct str rest)
{
    uint64_t value;
    return str_number(str_word(&rest), INT32_MAX, &value) == 0 ? (int64_t)value : -1;
}

void reply_capa_line(struct reply_capa *capa, struct str line)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"USER", &capa->user},
        {"STLS", &capa->stls},
        {"TOP", &capa->top},
        {"UIDL", &capa->uidl},
        {"PIPELINING", &capa->pipelining},
        {"RESP-CODES", &capa->resp_codes},
        {"AUTH-RESP-CODE", &capa->auth_resp_code},
        {"UTF8", &capa->utf8},
    };
    struct str word = str_word(&line);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (str_is_nocase(word, flags[i].name))
            *flags[i].flag = true;
    if (str_is_nocase(word, "SASL"))
        read_sasl(capa, line);
    else if (str_is_nocase(word, "EXPIRE"))
        capa->expire_days = read_count(line);
    else if (str_is_nocase(word, "LOGIN-DELAY"))
        capa->login_delay = read_count(line);
    else if (str_is_nocase(word, "IMPLEMENTATION"))
        read_implementation(capa, str_trim(line));
}

static bool is_atext(char c)
{
    return str_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* dot-atom-text: atoms with single dots between. */
static bool is_dot_atom(struct str text)
{
    bool atom = false; /* the last byte was of an atom */
    for (size_t i = 0; i < text.len; i++)
        if (is_atext(text.ptr[i]))
            atom = true;
        else if (text.ptr[i] == '.' && atom)
            atom = false;
        else
            return false;
    return atom;
}

static bool is_literal(struct str text)
{
    if (text.len < 3 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        char c = text.ptr[i];
        if (c < 0x21 || c > 0x7e || c == '[' || c == ']' || c == '\\')
            return false;
    }
    return true;
}

struct str reply_stamp(struct str greeting)
{
    struct str rest = greeting;
    while (rest.len > 0) {
        str_until(&rest, '<');
        struct str inside = rest;
        const char *end = rest.len == 0 ? NULL : memchr(rest.ptr, '>', rest.len);
        if (end == NULL)
            break;
        inside.len = (size_t)(end - rest.ptr);
        struct str domain = inside;
        struct str left = str_until(&domain, '@');
        if (is_dot_atom(left) && (is_dot_atom(domain) || is_literal(domain)))
            return str_of(inside.ptr - 1, inside.len + 2);
    }
    return str_of(greeting.ptr, 0);
}
