/* SPDX-License-Identifier: ISC */
#include "net/trust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/maildate.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "net/pin.h"

#define REASON_WORDS 160 /* of a reason that is not a constant */

struct trust {
    const struct tls_options *options;
    char *host;
    SSL_CTX *context;
    X509 *peer;             /* the server's certificate, trusted or not */
    STACK_OF(X509) * chain; /* from it to an authority that is trusted; NULL: none was asked for */
    unsigned char (*pins)[DIGEST_SIZE];
    size_t pin_count;
    struct err why;
    bool given;
};

const char *trust_openssl_words(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *words =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return words != NULL ? words : "unknown reason";
}

/* --- words about certificates ---------------------------------------------------------------- */

static const struct reason {
    int code;
    const char *check, *what, *todo;
} reasons[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "dates", "it has expired",
     "tell the server's administrator, and check the clock here"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "dates", "it is not valid yet", "check the clock here"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "name", "it is for other names",
     "write the server's real name into the configuration file"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "name", "it is not for this address",
     "write the server's name into the configuration file"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "issuer", "it is self-signed",
     "if it is the right one, put it into tls_ca_file, or write its pin into tls_pin"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "issuer", "issued by an unknown authority",
     "if it is the right one, put the authority's certificate into tls_ca_file"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "issuer", "issued by an unknown authority",
     "put the authority's certificate into tls_ca_file"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "issuer", "issued by an unknown authority",
     "install the system's certificates, or put the authority's into tls_ca_file"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "issuer", "issued by an unknown authority",
     "put the authority's certificate into tls_ca_file"},
    {X509_V_ERR_CERT_REVOKED, "revocation", "its authority has revoked it",
     "tell the server's administrator"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, "revocation", "its authority has no CRL in tls_crl_file",
     "get that CRL, or remove tls_crl_file"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "revocation", "the CRL in tls_crl_file has expired",
     "get a new one"},
    {X509_V_ERR_APPLICATION_VERIFICATION, "pin", "its key is not one of those in tls_pin",
     "if the server has a new key, write its pin into tls_pin"},
    {X509_V_ERR_INVALID_PURPOSE, "purpose", "it is not meant for servers",
     "tell the server's administrator"},
};

/* The one that is in the account's note, and how another gets there. */
static void explain_noted(const struct tls_options *options, struct reason *reason,
                          char words[2][REASON_WORDS])
{
    char day[MAILDATE_DAY];
    snprintf(words[0], REASON_WORDS, "its key is not the one noted on %s, which is %s",
             maildate_spell_day(options->noted_when, day), options->noted);
    snprintf(words[1], REASON_WORDS,
             "if the server is known to have a new key, fetchpop --accept-pin \"%.80s\" notes it",
             options->account);
    reason->what = words[0];
    reason->todo = words[1];
}

static const char *quote(const struct trust *trust, BIO *text, char out[LOG_QUOTE_MAX + 4])
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(text, &bytes);
    return log_quote(trust->options->log, str_of(bytes, len > 0 ? (size_t)len : 0), out);
}

static const char *name_words(const struct trust *trust, const X509_NAME *name,
                              char out[LOG_QUOTE_MAX + 4])
{
    BIO *text = BIO_new(BIO_s_mem());
    out[0] = '\0';
    if (text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) > 0)
        quote(trust, text, out);
    BIO_free(text);
    return out;
}

static void add_name(BIO *text, const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    const ASN1_STRING *ip = name->type == GEN_IPADD ? name->d.iPAddress : NULL;
    int family = ip != NULL && ASN1_STRING_length(ip) == 16 ? AF_INET6 : AF_INET;
    if (name->type != GEN_DNS && ip == NULL)
        return;
    BIO_puts(text, BIO_pending(text) > 0 ? ", " : "");
    BIO_puts(text, ip != NULL ? "IP:" : "DNS:");
    if (name->type == GEN_DNS)
        BIO_write(text, ASN1_STRING_get0_data(name->d.dNSName),
                  ASN1_STRING_length(name->d.dNSName));
    else if (ASN1_STRING_length(ip) == (family == AF_INET6 ? 16 : 4) &&
             inet_ntop(family, ASN1_STRING_get0_data(ip), address, sizeof address))
        BIO_puts(text, address);
}

/* The names that a certificate is for, "DNS:a.example, DNS:*.b.example, IP:192.0.2.1". */
static const char *names_words(const struct trust *trust, X509 *cert, char out[LOG_QUOTE_MAX + 4])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    BIO *text = BIO_new(BIO_s_mem());
    for (int i = 0; text != NULL && i < sk_GENERAL_NAME_num(names); i++)
        add_name(text, sk_GENERAL_NAME_value(names, i));
    if (text == NULL || BIO_pending(text) == 0)
        snprintf(out, LOG_QUOTE_MAX + 4, "none (a common name in the subject does not count)");
    else
        quote(trust, text, out);
    BIO_free(text);
    GENERAL_NAMES_free(names);
    return out;
}

static const char *date_words(const ASN1_TIME *date, char out[32])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(date, &tm) != 1 || strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
        snprintf(out, 32, "?");
    return out;
}

static int pin_of(X509 *cert, unsigned char digest[DIGEST_SIZE])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (len <= 0)
        return -1;
    digest_bytes(str_of(der, (size_t)len), digest);
    OPENSSL_free(der);
    return 0;
}

int trust_pin(const struct trust *trust, char out[TLS_PIN_TEXT])
{
    unsigned char digest[DIGEST_SIZE];
    if (trust->peer == NULL || pin_of(trust->peer, digest) < 0)
        return -1;
    digest_base64(str_of(digest, sizeof digest), out);
    return 0;
}

/* The certificate may be that of a portal, in front of a server that has not changed. */
static bool may_be_of_another(const struct trust *trust, int code)
{
    return trust->options->worked && code != X509_V_ERR_CERT_HAS_EXPIRED &&
           code != X509_V_ERR_CERT_NOT_YET_VALID && code != X509_V_ERR_CERT_REVOKED &&
           code != X509_V_ERR_UNABLE_TO_GET_CRL && code != X509_V_ERR_CRL_HAS_EXPIRED;
}

/* One line: what and what to do, and what one needs to judge it. */
static void explain(struct trust *trust, int code, X509 *cert)
{
    char subject[LOG_QUOTE_MAX + 4], issuer[LOG_QUOTE_MAX + 4], names[LOG_QUOTE_MAX + 4] = "";
    char from[32], until[32], pin[TLS_PIN_TEXT] = "?", words[2][REASON_WORDS];
    char details[ERR_TEXT_MAX];
    struct reason reason = {code, "certificate", X509_verify_cert_error_string(code),
                            "tell the server's administrator"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].code == code)
            reason = reasons[i];
    if (trust->options->trust == TLS_TRUST_TOFU && code == X509_V_ERR_APPLICATION_VERIFICATION)
        explain_noted(trust->options, &reason, words);
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        names_words(trust, cert, names);
    trust_pin(trust, pin);
    snprintf(details, sizeof details,
             "%s: %.150s; issuer: %.150s; valid from %s to %s UTC; pin of the server's key: %s",
             cert == trust->peer ? "subject" : "certificate in the chain, subject",
             name_words(trust, X509_get_subject_name(cert), subject),
             name_words(trust, X509_get_issuer_name(cert), issuer),
             date_words(X509_get0_notBefore(cert), from),
             date_words(X509_get0_notAfter(cert), until), pin);
    err_set(&trust->why, ERR_TRUST, "%s: certificate not trusted (%s): %s%s%.100s; %s%s (%s)",
            trust->host, reason.check, reason.what, *names ? ": " : "", names,
            may_be_of_another(trust, code)
                ? "if a portal or a proxy answers there now, try again later; else "
                : "",
            reason.todo, details);
}

char *trust_describe(const struct trust *trust, char *out, size_t cap)
{
    char names[LOG_QUOTE_MAX + 4], issuer[LOG_QUOTE_MAX + 4], from[32], until[32];
    if (trust->peer == NULL)
        snprintf(out, cap, "no certificate");
    else
        snprintf(out, cap, "%s, issued by %s, valid from %s to %s UTC",
                 names_words(trust, trust->peer, names),
                 name_words(trust, X509_get_issuer_name(trust->peer), issuer),
                 date_words(X509_get0_notBefore(trust->peer), from),
                 date_words(X509_get0_notAfter(trust->peer), until));
    return out;
}

char *trust_spell_chain(const struct trust *trust, char *out, size_t cap)
{
    char name[LOG_QUOTE_MAX + 4];
    size_t at = 0;
    snprintf(out, cap, "not looked at: the key alone counts");
    for (int i = 0; i < sk_X509_num(trust->chain) && at < cap; i++) {
        X509 *cert = sk_X509_value(trust->chain, i);
        int len = snprintf(out + at, cap - at, "%s%s", i > 0 ? ", issued by " : "",
                           name_words(trust, X509_get_subject_name(cert), name));
        at += len > 0 ? (size_t)len : 0;
    }
    return out;
}

/* --- the check itself ------------------------------------------------------------------------ */

static bool asks_authorities(const struct trust *trust)
{
    return trust->options->trust == TLS_TRUST_CA || trust->options->trust == TLS_TRUST_BOTH;
}

static bool asks_pins(const struct trust *trust)
{
    return trust->options->trust == TLS_TRUST_TOFU ? trust->options->noted != NULL
                                                   : trust->options->trust != TLS_TRUST_CA;
}

static bool is_pinned(const struct trust *trust, X509 *cert)
{
    unsigned char digest[DIGEST_SIZE];
    if (pin_of(cert, digest) < 0)
        return false;
    for (size_t i = 0; i < trust->pin_count; i++)
        if (memcmp(trust->pins[i], digest, DIGEST_SIZE) == 0)
            return true;
    return false;
}

/* Of the authorities above the server's own, tls_crl_file need not have a CRL; where it has one, it
 * counts. */
static int forgive(int good, X509_STORE_CTX *store)
{
    if (good || X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL ||
        X509_STORE_CTX_get_error_depth(store) == 0)
        return good;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int refuse(struct trust *trust, X509_STORE_CTX *store, int code)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (code == X509_V_OK) /* a failure inside OpenSSL must not look like success */
        code = X509_V_ERR_UNSPECIFIED;
    X509_STORE_CTX_set_error(store, code);
    explain(trust, code,
            cert != NULL && code != X509_V_ERR_APPLICATION_VERIFICATION ? cert : trust->peer);
    return 0;
}

/* Takes the place of OpenSSL's own check, which is called from here unless the key is all that
 * counts. */
static int check_certificate(X509_STORE_CTX *store, void *arg)
{
    struct trust *trust = arg;
    trust->peer = X509_STORE_CTX_get0_cert(store);
    if (trust->peer == NULL)
        return 0;
    X509_up_ref(trust->peer);
    if (asks_authorities(trust)) {
        X509_STORE_CTX_set_verify_cb(store, forgive);
        if (X509_verify_cert(store) != 1)
            return refuse(trust, store, X509_STORE_CTX_get_error(store));
        trust->chain = X509_STORE_CTX_get1_chain(store);
    }
    if (asks_pins(trust) && !is_pinned(trust, trust->peer))
        return refuse(trust, store, X509_V_ERR_APPLICATION_VERIFICATION);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    trust->given = true;
    return 1;
}

/* --- making one ------------------------------------------------------------------------------ */

int trust_check_file(const char *key, const char *path, struct err *err)
{
    int fd = file_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "%s %s cannot be read: %s; check path and mode", key, path,
                       strerror(errno));
    struct stat st;
    bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    close(fd);
    if (folder)
        return err_set(err, ERR_CONFIG, "%s %s is a folder; name a file in it", key, path);
    return 0;
}

static int load_authorities(struct trust *trust, struct err *err)
{
    const char *file = trust->options->ca_file, *dir = trust->options->ca_dir;
    struct stat st;
    if (!asks_authorities(trust))
        return 0;
    if (file == NULL && dir == NULL && SSL_CTX_set_default_verify_paths(trust->context) != 1)
        return err_set(err, ERR_SYSTEM,
                       "the system's certificates cannot be read: %s; see tls_ca_file",
                       trust_openssl_words());
    if (file != NULL && trust_check_file("tls_ca_file", file, err) < 0)
        return -1;
    if (file != NULL && SSL_CTX_load_verify_file(trust->context, file) != 1)
        return err_set(err, ERR_CONFIG, "tls_ca_file %s cannot be used: %s; is it PEM?", file,
                       trust_openssl_words());
    if (dir != NULL && stat(dir, &st) < 0)
        return err_set(err, ERR_CONFIG, "tls_ca_dir %s cannot be read: %s; check the path", dir,
                       strerror(errno));
    if (dir != NULL && !S_ISDIR(st.st_mode))
        return err_set(err, ERR_CONFIG, "tls_ca_dir %s is not a folder; for a file use tls_ca_file",
                       dir);
    if (dir != NULL && SSL_CTX_load_verify_dir(trust->context, dir) != 1)
        return err_set(err, ERR_CONFIG, "tls_ca_dir %s cannot be used: %s; see openssl rehash", dir,
                       trust_openssl_words());
    return 0;
}

static int load_crl(struct trust *trust, struct err *err)
{
    const char *file = trust->options->crl_file;
    X509_STORE *store = SSL_CTX_get_cert_store(trust->context);
    X509_LOOKUP *lookup = file != NULL ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;
    if (file != NULL && trust_check_file("tls_crl_file", file, err) < 0)
        return -1;
    if (file != NULL &&
        (lookup == NULL || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) <= 0))
        return err_set(err, ERR_CONFIG, "tls_crl_file %s cannot be used: %s; is it PEM?", file,
                       trust_openssl_words());
    return 0;
}

static int read_pins(struct trust *trust, struct err *err)
{
    const char *const noted[] = {trust->options->noted, NULL};
    const char *const *pins =
        trust->options->trust == TLS_TRUST_TOFU ? noted : trust->options->pins;
    size_t count = 0;
    while (pins != NULL && pins[count] != NULL)
        count++;
    if (count == 0 && asks_pins(trust))
        return err_set(err, ERR_CONFIG, "tls_trust asks for a pin, and tls_pin has none; add it");
    trust->pins = xcalloc(count, sizeof *trust->pins);
    for (; trust->pin_count < count; trust->pin_count++)
        if (pin_read(pins[trust->pin_count], trust->pins[trust->pin_count]) < 0)
            return err_set(
                err, ERR_CONFIG,
                "tls_pin \"%s\" is not a SHA-256 in base64 or hex; fetchpop --print-pin prints one",
                pins[trust->pin_count]);
    return 0;
}

/* OpenSSL takes an empty name for "do not check", and one with a dot in front for every name below
 * it: neither may get there. */
int trust_set_host(struct trust *trust, SSL *session, struct err *err)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session);
    /* What the user names is trusted as it is, root or not. */
    if (trust->options->ca_file != NULL || trust->options->ca_dir != NULL)
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (trust->options->crl_file != NULL)
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    if (trust->host[0] == '\0' || trust->host[0] == '.')
        return err_set(err, ERR_CONFIG, "\"%s\" is not a server name; correct it",
                       trust->options->host);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    unsigned char address[16];
    int good;
    if (inet_pton(AF_INET, trust->host, address) == 1)
        good = X509_VERIFY_PARAM_set1_ip(param, address, 4);
    else if (inet_pton(AF_INET6, trust->host, address) == 1)
        good = X509_VERIFY_PARAM_set1_ip(param, address, 16);
    else
        good = X509_VERIFY_PARAM_set1_host(param, trust->host, 0) == 1 &&
               SSL_set_tlsext_host_name(session, trust->host) == 1;
    if (good != 1)
        return err_set(err, ERR_CONFIG, "\"%s\" is not a server name; correct it", trust->host);
    return 0;
}

int trust_new(struct trust **made, const struct tls_options *options, const char *host,
              SSL_CTX *context, struct err *err)
{
    struct trust *trust = xcalloc(1, sizeof *trust);
    *made = trust;
    trust->options = options;
    trust->host = xstrdup(host);
    trust->context = context;
    if (read_pins(trust, err) < 0 || load_authorities(trust, err) < 0 || load_crl(trust, err) < 0) {
        trust_free(trust);
        *made = NULL;
        return -1;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, check_certificate, trust);
    return 0;
}

void trust_free(struct trust *trust)
{
    if (trust == NULL)
        return;
    X509_free(trust->peer);
    sk_X509_pop_free(trust->chain, X509_free);
    free(trust->pins);
    free(trust->host);
    free(trust);
}

bool trust_is_given(const struct trust *trust)
{
    return trust->given;
}

const struct err *trust_refusal(const struct trust *trust)
{
    return trust->why.kind == ERR_NONE ? NULL : &trust->why;
}

X509 *trust_peer(const struct trust *trust)
{
    return trust->peer;
}
