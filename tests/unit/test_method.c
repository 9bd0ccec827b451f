/* SPDX-License-Identifier: ISC */
/* The table of login methods: what each needs, and which package has its plugin. */
#include "pop3/method.h"

#include "tap.h"

#define PLUGINS "libsasl2-modules"
#define KERBEROS "libsasl2-modules-gssapi-mit"

/* RFC 7628 for tokens, RFC 4422 appendix A for EXTERNAL, RFC 4752, 4178 and 5801 for Kerberos;
 * IAKERB is for who has no ticket and asks with a password. */
static const struct {
    const char *name;
    enum method_proof proof;
    const char *package;
    bool plus;
} rows[] = {
    {"auto", METHOD_ANY, NULL, false},
    {"user", METHOD_PASSWORD, NULL, false},
    {"apop", METHOD_PASSWORD, NULL, false},
    {"plain", METHOD_PASSWORD, PLUGINS, false},
    {"login", METHOD_PASSWORD, PLUGINS, false},
    {"cram-md5", METHOD_PASSWORD, PLUGINS, false},
    {"digest-md5", METHOD_PASSWORD, PLUGINS, false},
    {"ntlm", METHOD_PASSWORD, PLUGINS, false},
    {"scram-sha-1", METHOD_PASSWORD, PLUGINS, true},
    {"scram-sha-224", METHOD_PASSWORD, PLUGINS, true},
    {"scram-sha-256", METHOD_PASSWORD, PLUGINS, true},
    {"scram-sha-384", METHOD_PASSWORD, PLUGINS, true},
    {"scram-sha-512", METHOD_PASSWORD, PLUGINS, true},
    {"otp", METHOD_PASSWORD, "libsasl2-modules-otp", false},
    {"oauthbearer", METHOD_TOKEN, NULL, false},
    {"xoauth2", METHOD_TOKEN, NULL, false},
    {"gssapi", METHOD_TICKET, KERBEROS, false},
    {"gss-spnego", METHOD_TICKET, KERBEROS, false},
    {"gs2-krb5", METHOD_TICKET, KERBEROS, true},
    {"gs2-iakerb", METHOD_PASSWORD, KERBEROS, true},
    {"external", METHOD_CERTIFICATE, NULL, false},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void test_row(size_t i)
{
    char upper[METHOD_NAME];
    const char *name = rows[i].name;
    method_name(str_from(name), upper);
    ok(method_is_known(str_from(name)) && method_is_known(str_from(upper)),
       "%s is known in either case", name);
    ok(method_proof(str_from(upper)) == rows[i].proof, "%s needs what it should", name);
    is_str(method_package(upper), rows[i].package, "its plugin's package");
}

static void test_plus(size_t i)
{
    char name[METHOD_NAME + 5];
    snprintf(name, sizeof name, "%s-plus", rows[i].name);
    ok(method_is_known(str_from(name)) == rows[i].plus, "%s is%s known", name,
       rows[i].plus ? "" : " not");
    if (rows[i].plus) {
        ok(method_proof(str_from(name)) == rows[i].proof, "%s needs what it should", name);
        is_str(method_package(name), rows[i].package, "its plugin's package");
    }
}

int main(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        test_row(i);
        test_plus(i);
    }
    ok(!method_is_known(str_from("")) && !method_is_known(str_from("-plus")) &&
           !method_is_known(str_from("anonymous")) && !method_is_known(str_from("scram")),
       "other words are not known");
    is_int(method_proof(str_from("x-new")), METHOD_PASSWORD, "and are taken to need a password");
    return tap_done();
}
