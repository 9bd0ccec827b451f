/* SPDX-License-Identifier: ISC */
/* The configuration file: every rule with its line, and every trap that libconfuse has laid. */
#include "app/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/keys.h"
#include "app/paths.h"
#include "app/rctext.h"
#include "app/settings.h"
#include "kit_config.h"
#include "kit_heap.h"
#include "tap.h"

static void test_builtin(void)
{
    struct config config;
    struct account *a = one(&config, "account \"a b\" { " WHOLE "}");
    is_int((long long)config.count, 1, "the file has one account");
    is_int(config.top.jobs, 16, "jobs is read");
    is_int(config.top.max_per_server, 4, "max_per_server is read");
    is_str(config.top.state_dir, NULL, "state_dir is read");
    is_str(a->title, "a b", "title is read");
    is_int(a->port, 995, "port is read");
    ok(a->tls == ACCOUNT_TLS_IMPLICIT && a->trust == TLS_TRUST_CA, "tls is read");
    ok(a->keep == ACCOUNT_KEEP && a->enabled && a->durable, "keep, enabled, fsync");
    ok(a->target == DELIVER_MAILDIR, "target is read");
    is_str(a->where, "/m", "where is read");
    is_int(a->timeout, 60, "timeout is read");
    is_int(a->session_timeout, 1800, "session_timeout is read");
    is_int(a->mda_timeout, 300, "mda_timeout is read");
    is_int(a->max_tries, 5, "max_tries is read");
    ok(a->spool_max == (uint64_t)1 << 30, "spool_max is read");
    ok(a->max_size == 0 && a->max_messages == 0 && a->interval == 0,
       "there are no limits unless they are set");
    ok(a->pipelining == ACCOUNT_PIPELINING_AUTO, "pipelining is read");
    is_str(a->auth[0], "auto", "auth is read");
    ok(a->auth[1] == NULL && a->tls_pins == NULL && a->password.len == 0, "nothing else is set");
    ok(a->ip == ACCOUNT_IP_ANY && a->source_address == NULL && a->proxy_host == NULL &&
           a->connect_command == NULL,
       "the straight way");
    config_free(&config);
}

static void test_all_keys(void)
{
    struct config config;
    setenv("HOME", "/home/alice", 1);
    struct account *a = one(
        &config,
        "jobs = 3 max_per_server = 2 state_dir = \"~/state\"\n"
        "account a {\n server = \"[::1]\" port = 010 tls = stls tls_trust = both\n"
        "tls_ca_file = \"~/ca\" tls_ca_dir = \"/d\" tls_cert_file = \"c\" tls_key_file = \"/k\"\n"
        "tls_pin = { \"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\",\n"
        "  # the old one\n"
        "  \"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\" }\n"
        "tls_min_version = \"1.3\" tls_server_name = \"n\" tls_crl_file = \"/r\"\n"
        "user = \"u\" password_file = \"~/p\" auth = { \"user\", \"SCRAM-SHA-256\" }\n"
        "keep = 30d mbox = \"~/inbox\" mda_timeout = 90 timeout = 5m session_timeout = 2h\n"
        "interval = 10m "
        "max_size = 20M max_messages = 7 max_bytes = 1G log_messages = yes max_tries = 1 "
        "pipelining = off fsync = "
        "none\n"
        "enabled = no ip = 4 source_address = \"192.0.2.7\" tls_key_password_command = \"pass\"\n"
        "proxy = \"socks5://me:s%40c@[::1]:1080\" }");
    is_int(config.top.jobs, 3, "jobs is read");
    ok(a->ip == ACCOUNT_IP_4, "ip is read");
    is_str(a->source_address, "192.0.2.7", "source_address is read");
    is_str(a->tls_key_password_command, "pass", "tls_key_password_command is read");
    is_str(a->proxy_host, "::1", "proxy: its host");
    is_int(a->proxy_port, 1080, "the proxy's port is read");
    is_str(a->proxy_user, "me", "the proxy's user is read");
    ok(str_is(secret_str(&a->proxy_password), "s@c"), "the proxy's password is read");
    is_int(config.top.max_per_server, 2, "max_per_server is read");
    is_str(config.top.state_dir, "/home/alice/state", "state_dir is read");
    is_str(a->server, "::1", "server: the address without brackets");
    is_int(a->port, 10, "port: 010 is ten");
    ok(a->tls == ACCOUNT_TLS_STLS && a->trust == TLS_TRUST_BOTH, "tls and tls_trust are read");
    is_str(a->tls_ca_file, "/home/alice/ca", "tls_ca_file is read");
    is_str(a->tls_ca_dir, "/d", "tls_ca_dir is read");
    is_str(a->tls_cert_file, "/home/alice/c", "a relative path is relative to the home folder");
    is_str(a->tls_key_file, "/k", "tls_key_file is read");
    is_str(a->tls_crl_file, "/r", "tls_crl_file is read");
    is_str(a->tls_min_version, "1.3", "tls_min_version is read");
    is_str(a->tls_server_name, "n", "tls_server_name is read");
    ok(a->tls_pins[0] != NULL && a->tls_pins[1] != NULL && a->tls_pins[2] == NULL,
       "two pins are read");
    is_str(a->password_file, "/home/alice/p", "password_file is read");
    is_str(a->auth[1], "SCRAM-SHA-256", "auth is read");
    ok(a->auth[2] == NULL, "the list of auth ends there");
    ok(a->keep == ACCOUNT_KEEP_FOR && a->keep_seconds == 30 * 86400, "keep is read");
    ok(a->target == DELIVER_MBOX && strcmp(a->where, "/home/alice/inbox") == 0, "mbox is read");
    ok(a->mda_timeout == 90 && a->timeout == 300 && a->session_timeout == 7200 &&
           a->interval == 600,
       "durations are read");
    ok(a->max_size == 20u << 20 && a->max_messages == 7 && a->max_bytes == 1u << 30 &&
           a->max_tries == 1 && a->log_messages,
       "limits are read");
    ok(a->pipelining == ACCOUNT_PIPELINING_OFF && !a->durable && !a->enabled, "flags are read");
    config_free(&config);
}

static void test_secrets_and_commands(void)
{
    struct config config;
    struct account *a = one(&config, "account a { server = s user = u mda = 'a \"b\" %% \\n'\n"
                                     "password = 'a\"b#c*${d}\\'e' }");
    is_mem(a->password.data, a->password.len, "a\"b#c*${d}'e", 12, "single quotes take it all");
    is_str(a->where, "a \"b\" %% \\n", "a command as it stands");
    config_free(&config);

    setenv("FP_WORD", "in it", 1);
    a = one(&config, "account a { server = s user = \"${FP_WORD}${NO_SUCH:-!}\" mda = x\n"
                     "password = \"a\\\"b\\\\c\\$\\x41\\101#\" }");
    is_str(a->user, "in it!", "variables in double quotes");
    is_mem(a->password.data, a->password.len, "a\"b\\c$AA#", 9, "escapes in double quotes");
    config_free(&config);

    a = one(&config, "account a { server = s user = u mda = x token_command = \"a \\\n b\" }");
    is_str(a->token_command, "a  b", "a text over two lines");
    config_free(&config);
}

static void test_shorthands(void)
{
    struct config config;
    struct account *a = one(&config, "account a { " WHOLE " tls = starttls\n tls_pin = "
                                     "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\" }");
    ok(a->tls == ACCOUNT_TLS_STLS && a->port == 110, "starttls is stls");
    ok(a->trust == TLS_TRUST_PIN, "a pin alone is what is trusted");
    config_free(&config);
}

static void test_defaults(void)
{
    struct config config;
    struct account *a =
        one(&config,
            "account a { server = s user = u keep = yes mda = cat password_file = /x }\n"
            "account b { server = s user = v max_size = none }\n"
            "defaults { keep = no tls = none mbox = /box password_command = p max_size = 1K }\n");
    struct account *b = config.accounts[1];
    ok(a->keep == ACCOUNT_KEEP && b->keep == ACCOUNT_NOKEEP, "the account wins over defaults");
    ok(a->tls == ACCOUNT_TLS_NONE && a->port == 110, "defaults win over what is built in");
    ok(a->target == DELIVER_MDA && b->target == DELIVER_MBOX, "one destination hides the others");
    ok(a->password_command == NULL && a->password_file != NULL, "one secret hides the others");
    is_str(b->password_command, "p", "else the one of defaults holds");
    ok(a->max_size == 1024 && b->max_size == 0, "none takes a limit away");
    config_free(&config);
}

static void test_lines(void)
{
    refused("after three comments", "# 1\n# 2\n# 3\nfoo = 1\n", 4, "no such key: \"foo\"");
    refused("after a comment in a list",
            "account a { auth = { # one\n # two\n\"user\" }\n foo = 1 }", 4, "\"foo\"");
    refused("after a text over two lines", "account a { user = \"a\\\nb\"\n foo = 1 }", 3, "foo");
    refused("in a value, not at the brace", "account a {\n port = 1\n tls = off\n\n}\n", 3,
            "tls must be implicit (TLS from the start, port 995), stls (port 110) or none, not");
    refused("in defaults", "account a { " WHOLE "}\ndefaults {\n\n timeout = never }\n", 4,
            "timeout must be a duration");
    refused("what is missing, at the section", "\n\naccount a {\n user = u\n}\n", 3, "no server");
    refused("no user", "account a {\n server = s\n}", 1, "no user");
    refused("no place", "account a {\n server = s user = u }", 1, "no destination for its mail");
    refused("with DOS line ends", "# x\r\naccount a {\r\n foo = 1\r\n}\r\n", 3, "\"foo\"");
}

static void test_grammar(void)
{
    refused("a key twice", "account a {\nport = 1\nport = 1\n}", 3,
            "port is there already (line 2)");
    refused("a list twice", "account a {\nauth = a\nauth = { b, c }\n}", 3,
            "auth is there already");
    refused("a top key twice", "jobs = 1\njobs = 2\n", 2, "jobs is there already (line 1)");
    refused("a title twice", "account a {" WHOLE "}\naccount a {" WHOLE "}", 2, "second account");
    refused("defaults twice", "defaults { keep = no }\ndefaults { }\n", 2, "second defaults");
    refused("a near key", "account a {\n serve = s }", 2, "did you mean server?");
    refused("a key from elsewhere", "account a {\n passwordeval = s }", 2, "password_command");
    refused("a key outside", "user = u\n", 1, "belongs inside an account");
    refused("a key inside", "account a { jobs = 1 }\n", 1, "belongs at the top level");
    refused("a text without quotes", "account a {\n mda = procmail -d bob\n}", 2,
            "\"-d\"; if it belongs to the text before it, put quotes around the whole");
    refused("a near key behind one", "account a {\n port = 3 usr = x\n}", 2, "did you mean user?");
    refused("a far key behind one", "account a {\n port = 3 zzz=x\n}", 2, "lists them");
    refused("a far key in a section", "account a { zzz = x }", 1, "lists them");
    refused("a section misspelt", "acount a { }\n", 1, "did you mean account?");
    refused("no title", "account {\n}\n", 1, "needs a title");
    refused("ssl", "account a {\n ssl = yes }", 2, "did you mean tls = implicit?");
    refused("starttls", "account a {\n starttls = yes }", 2, "did you mean tls = stls?");
    refused("include as others write it", "include \"x\"\n", 1,
            "include takes parentheses: include(\"path\")");
    refused("no =", "account a {\n port 3\n}", 2, "= is missing after port");
    refused("a path as name", "account a { }\n\"account=a|port\" = 3\n", 2, "|");
    refused("a path as name, no such section", "\"account=a|port\" = 3\n", 1, "|");
    refused("a bare path as name", "defaults { }\ndefaults|port = 3\n", 2, "|");
    refused("include inside", "account a {\n include(\"x\") }\n", 2, "at the top level");
    refused("include of two", "include(\"x\", \"y\")\n", 1, "one path");
    refused("a section in a section", "account a {\n account b { port = 1 } }", 2, "account");
    refused("many braces", "account a {\n x = {{{{{{ }", 2, "too many braces");
    refused("no }", "# x\naccount a {\n port = 1\n", 2, "has no }");
    refused("a } too many", "account a { " WHOLE "}\n}\n", 2, "} too many");
    refused("an empty list", "account a {\n auth = { # x\n }\n}", 3, "empty list");
    struct config config;
    struct err err;
    is_int(parse(&config, "# nothing\n", &err), -1, "a file without an account is refused");
    is_str(err.text, "rc: has no account; fetchpoprc(5) begins with an example", "its words");
    is_int(parse(&config, "", &err), -1, "an empty file");
}

static void test_scan(void)
{
    refused_setting("password = abc#def", "follows a word directly");
    refused_setting("password = abc*def", "* outside quotes");
    refused_setting("password = abc+def", "+ outside quotes");
    refused_setting("password = abc\\def", "outside quotes");
    refused_setting("password = ${HOME}", "outside quotes");
    refused_setting("password = \"abc", "not closed");
    refused_setting("password = 'abc", "not closed");
    refused_setting("password = \"ab\"cd\"", "directly after a quote");
    refused_setting("password = \"ab\";", "a ; after a quote");
    refused_setting("port = 995;", "a ; at the end of a value");
    refused_setting("user = al; # x", "a ; at the end of a value");
    refused_setting("usr = al password = p", "did you mean user?");
    refused_setting("password = p usr = al", "it may be secret");
    refused_setting("password = ab\"cd", "inside a word");
    refused_setting("password = 'it''s'", "inside a word");
    refused_setting("password = \"a\\d\"", "\\d means nothing");
    refused_setting("password = \"a\\0b\"", "NUL");
    refused_setting("password = \"a\\x00b\"", "NUL");
    refused_setting("password = \"${FP_NOT_SET}\"", "FP_NOT_SET is not set");
    refused_setting("password = \"a${b\"", "single quotes");
    refused_setting("password = \"a${\"", "single quotes");
    refused_setting("password = \"a\\nb\"", "line end");
    refused_setting("user = \xe2\x80\x9c"
                    "alice\xe2\x80\x9d",
                    "a typographic quote");
    refused_setting("user = \xc2\xab alice \xc2\xbb", "a typographic quote");
    refused_setting("// x", "comments begin with #");
    refused_setting("/* x */", "comments begin with #");
    refused_setting("port = 1\x01", "control character (0x01)");
    refused("a byte order mark", "\xef\xbb\xbf# x\n", 1, "byte order mark");
    struct config config;
    struct err err;
    is_int(parse_bytes(&config, "# a\nb\0c", 7, &err), -1, "a NUL in the file is refused");
    ok(strncmp(err.text, "rc:2: a NUL", 11) == 0, "in line 2");
}

static void test_values(void)
{
    refused_setting("port = 0", "from 1 to 65535");
    refused_setting("port = 65536", "from 1 to 65535");
    refused_setting("port = 0x3e3", "port");
    refused_setting("port = -1", "port");
    refused_setting("port = \"\"", "port");
    refused_setting("timeout = 0", "timeout");
    refused_setting("timeout = 2d", "timeout");
    refused_setting("timeout = \"1 m\"", "timeout");
    refused_setting("session_timeout = 8d", "session_timeout");
    refused_setting("interval = 0", "interval");
    refused_setting("interval = 31d", "interval");
    refused_setting("max_size = 0", "max_size");
    refused_setting("max_size = 20MB", "max_size");
    refused_setting("max_size = 99999999999G", "max_size");
    refused_setting("max_messages = 0", "or none");
    refused_setting("max_tries = 0", "max_tries");
    refused_setting("keep = maybe", "yes, no or a duration");
    refused_setting("keep = 0", "yes, no or a duration");
    refused_setting("enabled = true", "no or yes");
    refused_setting("fsync = yes", "none or full");
    refused_setting("pipelining = yes", "auto, on or off");
    refused_setting("tls_trust = yes", "ca, pin, both or tofu");
    refused_setting("tofu = yes", "tls_trust = tofu");
    refused_setting("tls_min_version = 1.1", "1.2 or 1.3");
    refused_setting("tls_pin = abc", "44 characters of base64 or 64 hexadecimal digits as fetchpop "
                                     "--print-pin shows it, not \"abc\"");
    refused_setting("tls_pin = \"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\"", "--print-pin");
    refused_setting("tls_pin = \"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=47DE\"",
                    "--print-pin");
    refused_setting("auth = { auto, plain }", "auto alone");
    refused_setting("auth = \"plain login\"", "auth must be auto, user, apop or a SASL name");
    refused_setting("auth = { plain, scram }", "such as \"plain\", not \"scram\"");
    refused_setting("auth = oauth2", "auth must be xoauth2 or oauthbearer, with token_command");
    refused_setting("auth = anonymous", "not \"anonymous\"");
    refused_setting("auth = \"\"", "not \"\"");
    refused_setting("tls_ca_file = \"\"", "empty");
    refused_setting("tls_ca_file = \"~bob/x\"", "~ stands for your own");
    refused_setting("tls_ca_file = \"$HOME/ca\"", "$ stands for itself; write \"${HOME}\"");
    refused_setting("tls_ca_file = '${HOME}/ca'", "$ stands for itself");
    refused_setting("password = ''", "empty");
    refused_setting("tls_pin = 47DEQpj8HBSa", "tls_pin");
    refused_setting("tls_server_name = \"a b\"", "host name");
    refused_setting("tls_server_name = \"\xff.example\"", "tls_server_name is not a host name");
    refused_setting("ip = 5", "any, 4 or 6");
    refused_setting("source_address = localhost", "must be an address of this machine");
    refused_setting("source_address = \"\"", "source_address");
    refused_setting("proxy = \"proxy:1080\"", "must begin with socks5://");
    refused_setting("proxy = \"socks5://u:hunter2@proxy\"",
                    "proxy must end in the proxy's host and port");
    refused_setting("connect_command = \" \"", "connect_command is empty");
    refused_setting("tls_key_password_command = \"\"", "tls_key_password_command is empty");
    refused("a URL", "account a {\n server = \"pop3s://u@pop.example.com:995/\" }", 2,
            "write server = \"pop.example.com\" and tls = implicit");
    refused("a URL of an address", "account a {\n server = \"pop://[::1]:110\" }", 2,
            "write server = \"[::1]\" and tls = stls");
    refused("host:port", "account a {\n server = \"s:995\" }", 2, "port = 995");
    refused("user with a line end", "account a {\n user = \"u\\nQUIT\" }", 2, "line end");
    refused("jobs", "jobs = 0\n", 1, "jobs");
    refused("max_per_server", "max_per_server = many\n", 1, "max_per_server");
}

/* What is wrong in the line of a secret may be a part of it. */
static void test_discretion(void)
{
    static const char *const lines[] = {
        "password = one hunter2",          "password = one, hunter2",
        "password = one hunter2 = two",    "PASSWORD = hunter2",
        "password = { hunter2, hunter2 }", "password hunter2",
        "password += hunter2 hunter2",     "proxy = hunter2",
        "proxy = 'socks5://u:p' hunter2"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[300];
        struct config config;
        struct err err;
        snprintf(text, sizeof text, "account a { " WHOLE "\n%s\n}\n", lines[i]);
        ok(parse(&config, text, &err) < 0 && strncmp(err.text, "rc:2: ", 6) == 0 &&
               strstr(err.text, "hunter2") == NULL,
           "%s: %s", lines[i], err.text);
    }
    refused_setting("password_comand = x", "did you mean password_command?");
    refused_setting("password_command = secret-tool lookup", "\"lookup\"");
}

static void test_ways(void)
{
    struct config config;
    struct account *a =
        one(&config,
            "defaults { proxy = \"socks5://u:p@proxy:1\" ip = 4 }\n"
            "account a { server = \"b\xc3\xbc"
            "cher.example\" user = u mda = x }\n"
            "account b { server = s user = u mda = x connect_command = 'nc $FETCHPOP_SERVER' }\n"
            "account c { server = t user = u mda = x ip = any source_address = \"::1\" }\n");
    is_str(a->server, "xn--bcher-kva.example", "a server's name as the DNS has it");
    is_str(a->proxy_host, "proxy", "a proxy of defaults");
    const struct account *b = config.accounts[1];
    is_str(b->connect_command, "nc $FETCHPOP_SERVER", "an account's own command");
    ok(b->proxy_host == NULL && b->proxy_password.data == NULL, "takes the place of that proxy");
    const struct account *c = config.accounts[2];
    ok(c->ip == ACCOUNT_IP_ANY && strcmp(c->source_address, "::1") == 0, "ip = any");
    config_free(&config);
}

static void test_whole_accounts(void)
{
    refused("two places", "account a {\n maildir = /a\n mbox = /b }", 3, "both mbox and maildir");
    refused("two places, other order", "account a {\n mda = a\n mbox = /b }", 3,
            "both mbox and mda");
    refused("two secrets", "account a {\n password_file = /a\n password = b }", 3,
            "both password and password_file (line 2) are set");
    refused("a token beside a password", "account a {\n token_command = a\n password = b }", 3,
            "both password and token_command");
    refused("two places in defaults", "account a {" WHOLE "}\ndefaults {\n mda = a\n mbox = b }", 4,
            "both mbox and mda");
    refused("%F", "account a { server = s user = u\n mda = 'x -f %F' }", 2, "FETCHPOP_SENDER");
    refused("%T", "account a { server = s user = u\n mda = 'x -d %T' }", 2, "FETCHPOP_RECIPIENT");
    refused("an mbox that ends in /", "account a {\n mbox = '/x/' }", 2, "maildir");
    refused("one mailbox twice",
            "account a { server = POP.example.com user = u mda = x }\n\n"
            "account b { server = \"pop.EXAMPLE.com.\" user = u mda = y port = 110 }\n",
            3, "the same mailbox as \"a\" (rc:1)");
    refused("a pin for nothing",
            "account a { " WHOLE "\n tls_trust = ca\n tls_pin = "
            "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\" }",
            3, "tls_pin counts only with tls_trust = pin or both; change tls_trust");
    refused("a list that nobody looks at",
            "account a { " WHOLE "\n tls_trust = pin\n tls_pin = "
            "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"\n tls_crl_file = \"~/c\" }",
            4, "tls_crl_file counts only with tls_trust = ca or both");
    refused("a pin beside the key that is seen first",
            "account a { " WHOLE "\n tls_trust = tofu\n tls_pin = "
            "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\" }",
            3, "tls_pin counts only with tls_trust = pin or both; change tls_trust");
    refused("a list beside the key that is seen first",
            "account a { " WHOLE "\n tls_trust = tofu\n tls_crl_file = \"~/c\" }", 3,
            "tls_crl_file counts only with tls_trust = ca or both");
    refused("no pin", "account a { " WHOLE "\n tls_trust = pin }", 1, "no");
    refused("a key without certificate", "account a { " WHOLE "\n tls_key_file = /k }", 1,
            "without tls_cert_file");
    refused("a passphrase without certificate",
            "account a { " WHOLE "\n tls_key_password_command = p }", 1,
            "has tls_key_password_command without tls_cert_file");
    refused("a proxy beside a command",
            "account a {\n connect_command = c\n"
            " proxy = \"socks5://p:1\" }",
            3, "both proxy and connect_command (line 2) are set");
    refused("a source of the other kind",
            "account a { " WHOLE "ip = 6 source_address = 192.0.2.7 }", 1,
            "has ip = 6, and source_address 192.0.2.7 is not of that kind");
    refused("and the other way round", "account a { " WHOLE "ip = 4 source_address = \"::1\" }", 1,
            "ip = 4");
    refused("one mailbox under two spellings",
            "account a { server = \"b\xc3\xbc"
            "cher.example\" user = u mda = x }\n"
            "account b { server = \"xn--bcher-kva.example\" user = u mda = y }\n",
            2, "the same mailbox as");
    refused("a title with /", "account \"a/b\" { " WHOLE "}", 1, "title");
    refused("a title with -", "account \"-a\" { " WHOLE "}", 1, "title");
    refused("an empty title", "account \"\" { " WHOLE "}", 1, "title");
    struct config config;
    struct account *a = one(&config, "account a { server = s user = U maildir = \"/m/box//\" }\n"
                                     "account b { server = s user = u mda = x }\n");
    is_int((long long)config.count, 2, "user names that differ in case are two");
    is_str(a->where, "/m/box", "no slash at the end");
    config_free(&config);
}

/* --- files -------------------------------------------------------------------------------------- */

static void taken_file(const char *name, size_t accounts)
{
    struct config config;
    struct err err;
    err_clear(&err);
    int result = config_read(&config, path_of(name), &all, &err);
    if (!ok(result == 0 && config.count == accounts, "file taken: %s", name))
        printf("# %s\n", err.text);
    if (result == 0)
        config_free(&config);
}

static void test_files(void)
{
    write_file("open", 0644, "account a { " WHOLE "}");
    write_file("secret", 0600, "account a { " WHOLE "\n password = x }");
    write_file("shown", 0644, "account a { " WHOLE "\n password = x }");
    write_file("group", 0640, "account a { " WHOLE "\n password = x }");
    write_file("writable", 0666, "account a { " WHOLE "}");
    taken_file("open", 1);
    taken_file("secret", 1);
    refused_file("shown", "@/shown:2: a password in a file that others can read; chmod 600");
    refused_file("group", "/group:2: a password");
    write_file("way", 0644, "account a { " WHOLE "\n proxy = \"socks5://u:hunter2@p:1\" }");
    refused_file("way", "/way:2: a password in a file that others can read");
    write_file("open-way", 0644, "account a { " WHOLE "\n proxy = \"socks5://p:1\" }");
    taken_file("open-way", 1);
    refused_file("writable", "chmod go-w");
    refused_file("missing", "missing: No such file");
    refused_file("", "is a folder");
    if (mkfifo(path_of("fifo"), 0600) == 0)
        refused_file("fifo", "is not a regular file");
    if (geteuid() == 0 && chown(path_of("open"), 12345, 12345) == 0)
        refused_file("open", "belongs to somebody else");
    char *large = malloc(RCTEXT_MAX + 2);
    memset(large, '\n', RCTEXT_MAX + 1);
    large[RCTEXT_MAX + 1] = '\0';
    write_file("large", 0600, large);
    refused_file("large", "larger than 32 MB");
    static const char TEXT[] = "account a { " WHOLE "}";
    large[RCTEXT_MAX] = '\0';
    memcpy(large + RCTEXT_MAX - (sizeof TEXT - 1), TEXT, sizeof TEXT - 1);
    write_file("large", 0600, large);
    taken_file("large", 1);
    free(large);
}

static void test_include(void)
{
    if (mkdir(path_of("sub"), 0700) < 0) {
        printf("Bail out! mkdir\n");
        exit(1);
    }
    write_file("sub/more", 0600,
               "# x\naccount b { server = t user = u mda = x }\n"
               "include(\"even-more\")\n");
    write_file("sub/even-more", 0600, "account c { server = v user = u mda = x }\n");
    write_file("main", 0600,
               "account a { " WHOLE "}\ninclude(\"sub/more\")\naccount d {\n"
               "server = w user = u mda = x }\n");
    taken_file("main", 4);
    write_file("after", 0600, "# 1\ninclude('sub/more')\n# 3\nfoo = 1\n");
    refused_file("after", "@/after:4: no such key");
    write_file("inner", 0600, "\ninclude('sub/bad')\n");
    write_file("sub/bad", 0600, "# 1\n\naccount x { port = no }");
    refused_file("inner", "@/sub/bad:3: port must be a number");
    write_file("sub/bad", 0600, "# 1\naccount x { server = 'a\n}");
    refused_file("inner", "@/sub/bad:2: a ' that is not closed");
    write_file("sub/bad", 0644, "account x {\n password = x }");
    refused_file("inner", "@/sub/bad:2: a password in a file that others can read");
    write_file("none", 0600, "\n\ninclude(\"nope\")\n");
    refused_file("none", "/none:3: include: ");
    write_file("loop", 0600, "include(\"loop\")\n");
    refused_file("loop", "/loop:1: ");
    write_file("loop", 0600, "include(\"sub/loop\")\n");
    write_file("sub/loop", 0600, "\ninclude(\"../loop\")\n");
    refused_file("loop", "includes itself");
    write_file("double", 0600, "include(\"sub/even-more\")\ninclude(\"sub/even-more\")\n");
    refused_file("double", "@/sub/even-more:1: a second account \"c\"");
    for (int i = 0; i < RCPARSE_INCLUDES + 1; i++) {
        char name[20], text[60];
        snprintf(name, sizeof name, "deep%d", i);
        snprintf(text, sizeof text, "include(\"deep%d\")\n", i + 1);
        write_file(name, 0600, text);
    }
    refused_file("deep0", "more than 10 files");
    write_file("keys", 0600, "include(\"sub/keys\")\njobs = 2\n");
    write_file("sub/keys", 0600, "jobs = 1\n");
    refused_file("keys", "/keys:2: jobs is there already");
}

/* Whatever the key, an empty value is refused where it stands, and the key is named. */
static void test_empty_values(void)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    for (size_t i = 0; i < count; i++) {
        char text[100];
        snprintf(text, sizeof text,
                 keys[i].scope == KEY_TOP    ? "\n\n%s = \"\"\n"
                 : keys[i].scope == KEY_RULE ? "account a { " WHOLE "\n\n rule { %s = \"\" }\n}"
                                             : "account a {\n\n %s = \"\"\n}",
                 keys[i].name);
        refused(keys[i].name, text, 3, keys[i].name);
    }
}

/* What is left in freed memory. */
static void test_wiped(void)
{
    if (!heap_can_tell)
        return;
    char word[80], other[80];
    heap_secret("0981-yreve-nekorb-5-sdeewaes-4-edoc-3", word);
    heap_secret("7-rehtona-si-yxorp-eht-rof-eno-siht-dna", other);
    write_file("wiped", 0600, "");
    FILE *file = fopen(path_of("wiped"), "w");
    setvbuf(file, NULL, _IONBF, 0);
    fprintf(file, "account a { " WHOLE " password = \"%s\"\nproxy = \"socks5://u:%s@p:1\" }", word,
            other);
    fclose(file);
    struct config config;
    struct err err;
    if (config_read(&config, path_of("wiped"), &all, &err) < 0) {
        ok(false, "wiped: %s", err.text);
        return;
    }
    const struct account *account = config.accounts[0];
    is_mem(account->password.data, account->password.len, word, strlen(word), "a password");
    is_mem(account->proxy_password.data, account->proxy_password.len, other, strlen(other),
           "and that of a proxy");
    is_int(heap_count(word), 1, "one copy of the first");
    is_int(heap_count(other), 1, "and of the second");
    config_free(&config);
    is_int(heap_count(word), 0, "which is wiped in the end");
    is_int(heap_count(other), 0, "as is the other");
}

static void test_paths(void)
{
    struct err err;
    setenv("HOME", "/h", 1);
    char *path = paths_expand("~", &err);
    is_str(path, "/h", "~ alone is the home folder");
    free(path);
    path = paths_expand("Mail/x", &err);
    is_str(path, "/h/Mail/x", "relative to the home folder");
    free(path);
    path = paths_expand("/x", &err);
    is_str(path, "/x", "an absolute path stays as it is");
    free(path);
    is_str(paths_expand("~bob", &err), NULL, "another user's home folder is refused");
}

/* --- in one piece of memory ------------------------------------------------------------------- */

static const char every_text[] =
    "account a { server = s user = u maildir = \"/m\" source_address = \"127.0.0.1\"\n"
    "proxy = \"socks5://me:sesame@p:1080\" tls_ca_file = /ca tls_ca_dir = /dir\n"
    "tls_cert_file = /cert tls_key_file = /key tls_key_password_command = kp\n"
    "tls_min_version = \"1.3\" tls_server_name = n tls_crl_file = /crl tls_trust = both\n"
    "tls_pin = {\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\n"
    "\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}\n"
    "password_command = pc auth = {plain, user} authorization_identity = z\n"
    "lmtp_recipient = \"r@example.com\" filter_command = f pipe_through = t after_new = n\n"
    "rule { subject = hello action = leave } }\n";

/* The words of the account that differ where the same account was made twice: what it points to. Of
 * these, how many are the same in the copy? */
static int count_shared(const struct account *account, const struct account *twin,
                        const struct account *copy)
{
    int shared = 0;
    for (size_t at = 0; at + sizeof(uintptr_t) <= sizeof *account; at += sizeof(uintptr_t)) {
        uintptr_t one, two, three;
        memcpy(&one, (const char *)account + at, sizeof one);
        memcpy(&two, (const char *)twin + at, sizeof two);
        memcpy(&three, (const char *)copy + at, sizeof three);
        shared += one != two && one == three;
    }
    return shared;
}

static void test_packed(void)
{
    struct config config, other;
    struct account *account = one(&config, every_text), *twin = one(&other, every_text);
    account->journal_name = strdup("a:rc");
    account->former = strdup("u@s-0");
    twin->journal_name = strdup("a:rc");
    twin->former = strdup("u@s-0");
    size_t size = settings_size(account);
    struct account *copy = settings_pack(account, malloc(size));
    is_int(count_shared(account, twin, copy), 2,
           "an account and its copy have a secret and the rules in common, and nothing else");
    is_int((long long)settings_size(copy), (long long)size, "a copy is as large as its original");
    struct account *moved = settings_move(account, malloc(size));
    free(copy);
    config.count = 0;
    is_str(moved->title, "a", "one that was moved has its title");
    is_str(moved->where, "/m", "and where its mail goes");
    is_str(moved->proxy_user, "me", "and both texts of its proxy");
    is_str(moved->tls_pins[1], twin->tls_pins[1], "and its pins");
    ok(moved->tls_pins[2] == NULL, "to the last");
    is_str(moved->auth[1], "user", "and its methods");
    is_mem(moved->proxy_password.data, moved->proxy_password.len, "sesame", 6, "and its secret");
    is_int((long long)moved->rules.count, 1, "and its rules");
    rules_free(&moved->rules);
    account_wipe(moved);
    free(moved);
    config_free(&config);
    config_free(&other);
}

int main(void)
{
    test_builtin();
    test_all_keys();
    test_secrets_and_commands();
    test_shorthands();
    test_defaults();
    test_lines();
    test_grammar();
    test_scan();
    test_values();
    test_discretion();
    test_ways();
    test_whole_accounts();
    test_paths();
    test_packed();
    make_folder();
    test_files();
    test_include();
    test_empty_values();
    test_wiped();
    remove_folder();
    return tap_done();
}
