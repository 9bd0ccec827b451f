/* SPDX-License-Identifier: ISC */
/* Host names, addresses and proxies as they stand in a configuration file. */
#include "app/endpoint.h"

#include <stdlib.h>

#include "tap.h"

static void host(const char *text, const char *want, const char *words)
{
    struct err err = {ERR_NONE, ""};
    char *got = endpoint_host(str_from(text), &err);
    is_str(got, want, text);
    if (want == NULL)
        ok(err.kind == ERR_CONFIG && strstr(err.text, words) != NULL, "%s", err.text);
    free(got);
}

static void test_hosts(void)
{
    char longest[257];
    host("pop.example.com", "pop.example.com", "");
    host("POP_1.Example.Com.", "POP_1.Example.Com.", "");
    host("192.0.2.7", "192.0.2.7", "");
    host("::1", "::1", "");
    host("[2001:db8::7]", "2001:db8::7", "");
    /* A-labels as RFC 3492 and its kin make them */
    host("b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", "");
    host("B\xc3\x9c"
         "CHER.example",
         "xn--bcher-kva.example", "");
    host("bu\xcc\x88"
         "cher.example",
         "xn--bcher-kva.example", "");
    host("fa\xc3\x9f.example", "xn--fa-hia.example", "");
    host("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "xn--r8jz45g.xn--zckzah",
         "");
    host("pop\xe3\x80\x82"
         "example",
         "pop.example", "");
    host("b\xfc"
         "cher.example",
         NULL, "is not a host name");
    host("\xe2\x98\xba\xef\xbf\xbe.example", NULL, "is not a host name");
    host("", NULL, "1 to 255");
    host("pop.example.com:995", NULL, "write port = 995");
    host("pop3://pop.example.com/", NULL, "write server = \"pop.example.com\" and tls = stls");
    host("https://pop.example.com/", NULL, "write server = \"pop.example.com\"");
    host("pop.example.com;", NULL, "must be a host name");
    host("pop.example.com,", NULL, "must be a host name");
    host("pop(example).com", NULL, "must be a host name");
    host("fe80::1%eth0", "fe80::1%eth0", "");
    host("pop example", NULL, "must be a host name such as");
    host("pop/example", NULL, "not \"pop/example\"");
    host("a\nb", NULL, "not \"?\"");
    host("[::1", NULL, "must be a host name");
    memset(longest, 'a', 256);
    longest[256] = '\0';
    host(longest, NULL, "1 to 255");
    longest[255] = '\0';
    host(longest, longest, "");
}

static void test_addresses(void)
{
    static const char *const bad[] = {"", "pop", "1.2.3", "1.2.3.4.5", "::g", "192.0.2.7 ", "\n"};
    struct err err;
    is_int(endpoint_address("192.0.2.7", &err), 0, "an IPv4 address is taken");
    is_int(endpoint_address("2001:db8::7", &err), 0, "an IPv6 address is taken");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(endpoint_address(bad[i], &err) < 0 && err.kind == ERR_CONFIG, "no address: %s",
           err.text);
}

static const struct {
    const char *text, *host;
    unsigned port;
    const char *user, *password; /* host NULL: refused, with the words in `user` */
} proxies[] = {
    {"socks5://proxy.example.com:1080", "proxy.example.com", 1080, NULL, ""},
    {"SOCKS5://[2001:db8::7]:9/", "2001:db8::7", 9, NULL, ""},
    {"socks5://127.0.0.1:65535", "127.0.0.1", 65535, NULL, ""},
    {"socks5://alice:secret@proxy:1080", "proxy", 1080, "alice", "secret"},
    {"socks5://al%3aice:se%40%2Fcr%25et@proxy:1080", "proxy", 1080, "al:ice", "se@/cr%et"},
    {"socks5://alice:se:c@ret@proxy:1080", "proxy", 1080, "alice", "se:c@ret"},
    {"socks5://alice:%41@p:1", "p", 1, "alice", "A"},
    {"socks5://a:b@b\xc3\xbc"
     "cher.example:1080",
     "xn--bcher-kva.example", 1080, "a", "b"},
    {"", NULL, 0, "socks5://", ""},
    {"proxy:1080", NULL, 0, "socks5://", ""},
    {"socks4://proxy:1080", NULL, 0, "socks5://", ""},
    {"socks5h://proxy:1080", NULL, 0, "names are always resolved by the proxy", ""},
    {"http://alice:hunter2@proxy:1080", NULL, 0, "socks5://", ""},
    {"socks5://", NULL, 0, "host and port", ""},
    {"socks5://proxy", NULL, 0, "host and port", ""},
    {"socks5://proxy:", NULL, 0, "host and port", ""},
    {"socks5://:1080", NULL, 0, "host and port", ""},
    {"socks5://proxy:0", NULL, 0, "host and port", ""},
    {"socks5://proxy:65536", NULL, 0, "host and port", ""},
    {"socks5://proxy:10x", NULL, 0, "host and port", ""},
    {"socks5://proxy:1080/way", NULL, 0, "host and port", ""},
    {"socks5://::1:1080", NULL, 0, "host and port", ""},
    {"socks5://[::1:1080", NULL, 0, "host and port", ""},
    {"socks5://pro xy:1080", NULL, 0, "host and port", ""},
    {"socks5://hunter2@proxy:1080", NULL, 0, "user:password", ""},
    {"socks5://:hunter2@proxy:1080", NULL, 0, "user:password", ""},
    {"socks5://hunter2:@proxy:1080", NULL, 0, "user:password", ""},
    {"socks5://alice:hunter2%@proxy:1080", NULL, 0, "%25", ""},
    {"socks5://alice:hunter2%4@proxy:1080", NULL, 0, "%25", ""},
    {"socks5://alice:hunter2%4g@proxy:1080", NULL, 0, "%25", ""},
    {"socks5://alice:hunter2%00@proxy:1080", NULL, 0, "%25", ""},
    {"socks5://alice:hunter2@proxy", NULL, 0, "host and port", ""},
};

static void test_proxies(void)
{
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        struct endpoint_proxy got;
        struct err err = {ERR_NONE, ""};
        int rc = endpoint_proxy(proxies[i].text, &got, &err);
        if (proxies[i].host != NULL) {
            ok(rc == 0 && got.port == proxies[i].port, "taken: %s", proxies[i].text);
            is_str(got.host, proxies[i].host, "its host is read");
            is_str(got.user, proxies[i].user, "its user is read");
            ok(str_is(secret_str(&got.password), proxies[i].password), "its password is read");
        } else {
            ok(rc == -1 && err.kind == ERR_CONFIG && strstr(err.text, proxies[i].user) != NULL,
               "refused: %s: %s", proxies[i].text, err.text);
            ok(strstr(err.text, "hunter2") == NULL && strstr(err.text, "alice") == NULL,
               "and nothing of it is told");
            ok(got.host == NULL && got.user == NULL && got.password.data == NULL,
               "and it is empty");
        }
        free(got.host);
        free(got.user);
        secret_wipe(&got.password);
    }
    char longer[600] = "socks5://u:", *at = longer + strlen(longer);
    struct endpoint_proxy got;
    struct err err;
    memset(at, 'p', 256);
    snprintf(at + 256, 20, "@proxy:1080");
    is_int(endpoint_proxy(longer, &got, &err), -1, "a password of 256 characters");
    snprintf(at + 255, 20, "@proxy:1080");
    is_int(endpoint_proxy(longer, &got, &err), 0, "one of 255");
    free(got.host);
    free(got.user);
    secret_wipe(&got.password);
}

int main(void)
{
    test_hosts();
    test_addresses();
    test_proxies();
    return tap_done();
}
