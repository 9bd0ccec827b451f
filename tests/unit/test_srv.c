/* SPDX-License-Identifier: ISC */
/* SRV records out of DNS messages: what counts, in which order; every cut and every flipped bit of a
 * message is survived. And the account that is made of them. */
#include "net/srv.h"

#include <stdlib.h>

#include "app/config.h"
#include "app/discover.h"
#include "base/str.h"
#include "tap.h"

struct message {
    unsigned char bytes[4096];
    size_t len;
};

static void put8(struct message *m, unsigned value)
{
    m->bytes[m->len++] = (unsigned char)value;
}

static void put16(struct message *m, unsigned value)
{
    put8(m, value >> 8);
    put8(m, value & 0xff);
}

/* "a.b" as labels, and the root behind them. */
static void put_name(struct message *m, const char *name)
{
    for (struct str rest = str_from(name); rest.len > 0;) {
        struct str label = str_until(&rest, '.');
        put8(m, (unsigned)label.len);
        memcpy(m->bytes + m->len, label.ptr, label.len);
        m->len += label.len;
    }
    put8(m, 0);
}

#define QUESTION_AT 12

static void begin(struct message *m, unsigned answers)
{
    m->len = 0;
    put16(m, 0x1234);
    put16(m, 0x8180); /* an answer, recursion wanted and had, no error */
    put16(m, 1);
    put16(m, answers);
    put16(m, 0);
    put16(m, 0);
    put_name(m, "_pop3s._tcp.example.com");
    put16(m, 33);
    put16(m, 1);
}

/* The head of a record about the question's name; its length is filled in by end_record. */
static size_t begin_record(struct message *m, unsigned type, unsigned class)
{
    put16(m, 0xc000 | QUESTION_AT);
    put16(m, type);
    put16(m, class);
    put16(m, 0);
    put16(m, 300);
    put16(m, 0);
    return m->len;
}

static void end_record(struct message *m, size_t from)
{
    m->bytes[from - 2] = (unsigned char)((m->len - from) >> 8);
    m->bytes[from - 1] = (unsigned char)(m->len - from);
}

static void add(struct message *m, unsigned priority, unsigned weight, unsigned port,
                const char *target)
{
    size_t from = begin_record(m, 33, 1);
    put16(m, priority);
    put16(m, weight);
    put16(m, port);
    put_name(m, target);
    end_record(m, from);
}

/* "target:port/priority/weight", blanks between. */
static const char *spell(const struct srv_list *list, char out[2000])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct srv *srv = &list->records[i];
        at += (size_t)snprintf(out + at, 2000 - at, "%s%s:%u/%u/%u", i > 0 ? " " : "", srv->target,
                               srv->port, srv->priority, srv->weight);
    }
    return out;
}

static void test_order(void)
{
    struct message m;
    struct srv_list list;
    char text[2000];
    begin(&m, 5);
    add(&m, 20, 100, 995, "late.example.com");
    add(&m, 10, 1, 995, "light.example.com");
    add(&m, 10, 60, 1995, "heavy.example.com");
    add(&m, 10, 1, 996, "second.example.com");
    add(&m, 0, 0, 995, "first.example.com");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with five records is read");
    is_str(spell(&list, text),
           "first.example.com:995/0/0 heavy.example.com:1995/10/60 light.example.com:995/10/1 "
           "second.example.com:996/10/1 late.example.com:995/20/100",
           "least priority first, then most weight");
    ok(!list.refused, "none of them says that there is no such service");
}

static void test_odd(void)
{
    struct message m;
    struct srv_list list;
    char text[2000];
    begin(&m, 1);
    add(&m, 0, 0, 0, "");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with a lone dot is read");
    ok(list.count == 0 && list.refused, "a lone dot is a refusal");

    begin(&m, 7);
    add(&m, 1, 1, 0, "port0.example.com");
    add(&m, 1, 2, 995, "bad\".example.com");
    add(&m, 1, 3, 995, "bad\n.example.com");
    add(&m, 1, 4, 995, "-bad.example.com");
    add(&m, 1, 5, 995, "b\xc3\xa4.example.com");
    add(&m, 1, 6, 995, "${HOME}.example.com");
    add(&m, 9, 9, 995, "good.example.com");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "targets that are no host names");
    is_str(spell(&list, text), "good.example.com:995/9/9",
           "names and ports that cannot be are passed over");

    begin(&m, 3);
    size_t from = begin_record(&m, 5, 1); /* CNAME */
    put_name(&m, "elsewhere.example.net");
    end_record(&m, from);
    from = begin_record(&m, 33, 3); /* another class */
    put16(&m, 0);
    put16(&m, 0);
    put16(&m, 1);
    put_name(&m, "chaos.example.com");
    end_record(&m, from);
    add(&m, 1, 1, 995, "pop.example.net");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with other records between is read");
    is_str(spell(&list, text), "pop.example.net:995/1/1", "other records do not count");

    begin(&m, 40);
    for (int i = 0; i < 40; i++)
        add(&m, 1, 1, (unsigned)(1000 + i), "pop.example.com");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with forty records is read");
    is_int((long long)list.count, SRV_MAX, "of forty records the first sixteen count");

    begin(&m, 0);
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer without a record is read");
    ok(list.count == 0 && !list.refused, "an answer without a record has none, and is no refusal");
    is_int(srv_parse(m.bytes, 0, &list), -1, "an empty answer is refused");
    is_int(srv_parse((const unsigned char *)"HTTP/1.1 400 Bad Request\r\n", 26, &list), -1,
           "an answer that is no DNS message is refused");
}

static void test_short_record(void)
{
    struct message m;
    struct srv_list list;
    for (unsigned len = 0; len <= 6; len++) {
        begin(&m, 1);
        size_t from = begin_record(&m, 33, 1);
        for (unsigned i = 0; i < len; i++)
            put8(&m, 1);
        end_record(&m, from);
        ok(srv_parse(m.bytes, m.len, &list) == -1, "a record of %u bytes", len);
    }
    begin(&m, 1);
    size_t from = begin_record(&m, 33, 1);
    put16(&m, 1);
    put16(&m, 1);
    put16(&m, 995);
    put16(&m, 0xc000 | (unsigned)m.len); /* a name that points at itself */
    end_record(&m, from);
    is_int(srv_parse(m.bytes, m.len, &list), -1, "an answer with a name without end is refused");
}

/* A name whose end is the question's, as servers write it; and labels that only look like a name. */
static void test_names(void)
{
    struct message m;
    struct srv_list list;
    char text[2000];
    begin(&m, 3);
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned char labels[][5] = {"\3pop", "\3p.p", "\3p\0p"};
        size_t from = begin_record(&m, 33, 1);
        put16(&m, i);
        put16(&m, 0);
        put16(&m, 995);
        for (unsigned at = 0; at < 4; at++)
            put8(&m, labels[i][at]);
        put16(&m, 0xc000 | (QUESTION_AT + 12)); /* "example.com" */
        end_record(&m, from);
    }
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with compressed names is read");
    is_str(spell(&list, text), "pop.example.com:995/0/0",
           "a name goes on where it points to; dots and NULs in a label make no name");

    begin(&m, 1);
    add(&m, 1, 1, 995, "pop.example.com");
    m.bytes[11] = 1; /* and one behind the answers */
    add(&m, 1, 1, 995, "more.example.com");
    is_int(srv_parse(m.bytes, m.len, &list), 0, "an answer with an additional record is read");
    is_str(spell(&list, text), "pop.example.com:995/1/1", "what is additional does not count");
    put8(&m, 0);
    is_int(srv_parse(m.bytes, m.len, &list), -1, "an answer with more behind it is refused");

    char longest[300];
    for (unsigned more = 0; more < 2; more++) {
        memset(longest, 'a', sizeof longest);
        longest[63] = longest[127] = longest[191] = '.';
        longest[253 + more] = '\0'; /* 255 octets with its lengths and the root; or one more */
        begin(&m, 1);
        add(&m, 1, 1, 995, longest);
        int want = more == 0 ? 0 : -1;
        is_int(srv_parse(m.bytes, m.len, &list), want,
               more == 0 ? "the longest name there may be" : "a longer one is refused");
    }
}

/* In memory of its exact size, so that a sanitizer sees the first byte too many. */
static int parse_exactly(const unsigned char *bytes, size_t len, struct srv_list *list)
{
    unsigned char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    int rc = srv_parse(copy, len, list);
    free(copy);
    return rc;
}

static void test_damage(void)
{
    struct message m;
    struct srv_list list;
    size_t good = 0, bad = 0;
    begin(&m, 2);
    add(&m, 10, 1, 995, "pop.example.com");
    add(&m, 20, 1, 995, "pop2.example.com");
    for (size_t len = 0; len < m.len; len++)
        good += parse_exactly(m.bytes, len, &list) == 0;
    is_int((long long)good, 0, "no cut is taken for the whole");
    for (size_t bit = 0; bit < 8 * m.len; bit++) {
        m.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        parse_exactly(m.bytes, m.len, &list);
        for (size_t i = 0; i < list.count; i++) {
            bad += memchr(list.records[i].target, '\0', SRV_TARGET_MAX) == NULL ||
                   strpbrk(list.records[i].target, "\"'$\\ \n") != NULL;
        }
        m.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    is_int((long long)bad, 0, "no flipped bit makes a target that is none");
}

/* --- the account ------------------------------------------------------------------------------ */

static const char *stanza(const char *who, const struct srv_list *list, bool secure)
{
    static char text[DISCOVER_TEXT_MAX];
    struct discover_address address;
    struct err err;
    struct buf out;
    text[0] = '\0';
    if (discover_read(&address, who, &err) < 0)
        return err.text[0] != '\0' ? "refused" : "refused without a word";
    buf_init(&out, sizeof text - 1);
    discover_spell(&address, list, secure, &out);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    buf_free(&out);
    discover_free(&address);
    return text;
}

static void test_stanza(void)
{
    struct srv_list list = {
        .count = 2,
        .records = {{10, 5, 995, "pop.example.com"}, {20, 0, 1995, "pop2.example.com"}}};
    is_str(stanza("alice@Example.com", &list, true),
           "# What the DNS of Example.com names for POP3 (RFC 6186).\n"
           "# It also names pop2.example.com, port 1995 (priority 20, weight 0).\n"
           "account \"alice@Example.com\" {\n"
           "    server  = \"pop.example.com\"\n"
           "    port    = 995\n"
           "    tls     = implicit\n"
           "    # Some servers want the part before the @ alone.\n"
           "    user    = \"alice@Example.com\"\n"
           "    maildir = \"~/Mail/alice@Example.com\"\n"
           "    # Without password_command, fetchpop asks for the password. To store it:\n"
           "    # secret-tool store --label=fetchpop mail 'alice@Example.com'\n"
           "    # password_command = \"secret-tool lookup mail 'alice@Example.com'\"\n"
           "}\n",
           "TLS, a server of the domain's own");
    list.count = 1;
    const char *text = stanza("alice@example.com", &list, false);
    ok(strstr(text, "tls     = stls\n") != NULL, "the stanza says STLS where the server has it");
    ok(strstr(text, "Take care") == NULL, "a server below the domain needs no warning");
    static const char *const strangers[] = {"pop.example.net", "pop.badexample.com", "example.co",
                                            "com"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        snprintf(list.records[0].target, SRV_TARGET_MAX, "%s", strangers[i]);
        text = stanza("alice@example.com", &list, true);
        ok(strstr(text, "# Take care: ") != NULL && strstr(text, "\n# Only the DNS says") != NULL,
           "%s is not of example.com", strangers[i]);
    }
    snprintf(list.records[0].target, SRV_TARGET_MAX, "EXAMPLE.com");
    ok(strstr(stanza("alice@example.com", &list, true), "Take care") == NULL,
       "the domain itself needs no warning");
    text = stanza("alice@b\xc3\xbc"
                  "cher.example",
                  &list, true);
    ok(strstr(text, "The DNS of xn--bcher-kva.example") != NULL ||
           strstr(text, "the DNS of xn--bcher-kva.example") != NULL,
       "an internationalised domain");
}

/* The command in the comment is one that can be used, whatever the address. */
static void test_command(void)
{
    static const struct {
        const char *whom, *line;
    } rows[] = {
        {"a|b&c@example.com",
         "# password_command = \"secret-tool lookup mail 'a|b&c@example.com'\"\n"},
        {"o'brien;x@example.com", "refused"},
        {"o'brien@example.com", "# password_command = \"secret-tool lookup mail example.com\"\n"},
    };
    const struct srv_list list = {.count = 1, .records = {{1, 1, 995, "p.example.com"}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ok(strstr(stanza(rows[i].whom, &list, true), rows[i].line) != NULL, "%s: %s", rows[i].whom,
           rows[i].line);
}

/* The title and the Maildir of this address, which are the same. */
static void name_of(const char *whom, char title[100])
{
    const struct srv_list list = {.count = 1, .records = {{1, 1, 995, "p.example.com"}}};
    struct config config;
    struct err err = {ERR_NONE, ""};
    const char *text = stanza(whom, &list, true);
    if (config_parse(&config, "rc", text, strlen(text), &err) < 0) {
        snprintf(title, 100, "%.90s", err.text);
        return;
    }
    const struct account *account = config.accounts[0];
    const char *slash = strrchr(account->where, '/');
    bool same = slash != NULL && strcmp(slash + 1, account->title) == 0;
    bool whole = strcmp(account->user, whom) == 0;
    snprintf(title, 100, "%s",
             !whole  ? "not the user in full"
             : !same ? "another Maildir"
                     : account->title);
    config_free(&config);
}

/* A title is shorter than an address may be. */
static void test_long_address(void)
{
    char whom[300] = "", title[100], again[100];
    memset(whom, 'a', 64);
    snprintf(whom + 64, sizeof whom - 64, "@%s%s%s%s.example.com", "a.long.domain.",
             "a.long.domain.", "a.long.domain.", "a.long.domain");
    name_of(whom, title);
    ok(strlen(title) == 64 && strncmp(title, whom, 55) == 0 && title[55] == '-',
       "a long address is the title as far as there is room: %s", title);
    name_of(whom, again);
    is_str(again, title, "it always is the same");
    whom[100] = 'x';
    name_of(whom, again);
    ok(strcmp(again, title) != 0, "an address that differs at its end has another");
    for (int i = 0; i < 28; i++)
        memcpy(whom + i * 2, "\xc3\xbc", 2);
    strcpy(whom + 56, "@example.com");
    name_of(whom, title);
    ok(strlen(title) == 63 && title[54] == '-', "no character is cut in two: %s", title);
    memset(whom, 'b', 52);
    strcpy(whom + 52, "@example.com");
    name_of(whom, title);
    is_str(title, whom, "64 octets are not too many");
}

/* What is printed is a configuration file. */
static void test_taken(void)
{
    static const char *const whom[] = {"alice@example.com",
                                       "o'brien+pop{}@b\xc3\xbc"
                                       "cher.example",
                                       "o'brien+a=b%F#x@b\xc3\xbc"
                                       "cher.example"};
    const struct srv_list list = {
        .count = 2, .records = {{1, 1, 1995, "pop.example.net"}, {2, 2, 995, "b.example.com"}}};
    struct config config;
    struct err err = {ERR_NONE, ""};
    setenv("HOME", "/h", 1);
    for (size_t i = 0; i < sizeof whom / sizeof whom[0]; i++) {
        const char *text = stanza(whom[i], &list, false);
        if (i == 1) {
            is_str(text, "refused", "an address with a brace is refused");
            continue;
        }
        if (config_parse(&config, "rc", text, strlen(text), &err) < 0) {
            ok(false, "%s: %s", whom[i], err.text);
            continue;
        }
        const struct account *account = config.accounts[0];
        is_str(account->title, whom[i], "the title reads back");
        is_str(account->user, whom[i], "the user reads back");
        is_str(account->server, "pop.example.net", "the server reads back");
        ok(account->port == 1995 && account->tls == ACCOUNT_TLS_STLS, "port and tls read back");
        ok(strncmp(account->where, "/h/Mail/", 8) == 0 && strcmp(account->where + 8, whom[i]) == 0,
           "its Maildir is named after the address");
        config_free(&config);
    }
}

static void test_addresses(void)
{
    static const char *const bad[] = {"alice",        "@example.com",     "alice@",
                                      "alice@.com",   "alice@-a.com",     "al ice@example.com",
                                      "a\"b@x.com",   "a\\b@x.com",       "a$b@x.com",
                                      "a{b@x.com",    "a/b@x.com",        "a:b@x.com",
                                      "a\nb@x.com",   "alice@x\ny.com",   "alice@x.com/",
                                      "alice@x.com.", "alice@x..com\xff", ".a@x.com",
                                      "-a@x.com",     "alice@x\"y.com"};
    static const char *const good[] = {"a@b", "o'brien+pop@example.com", "a@b@example.com"};
    const struct srv_list list = {.count = 1, .records = {{1, 1, 995, "p"}}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(strcmp(stanza(bad[i], &list, true), "refused") == 0, "refused: address %zu", i);
    for (size_t i = 0; i + 1 < sizeof good / sizeof good[0]; i++)
        ok(strncmp(stanza(good[i], &list, true), "# What", 6) == 0, "taken: %s", good[i]);
    is_str(stanza(good[2], &list, true), "refused", "an address with two @ is refused");
}

int main(void)
{
    test_order();
    test_odd();
    test_short_record();
    test_names();
    test_damage();
    test_stanza();
    test_taken();
    test_command();
    test_long_address();
    test_addresses();
    return tap_done();
}
