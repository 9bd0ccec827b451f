/* SPDX-License-Identifier: ISC */
#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "net/sock.h"
#include "net/trust.h"

#define READ_AHEAD (64 * 1024) /* what one recv may bring: four records */
#define RECV_TURNS 16          /* recvs between two polls at most: deadlines are looked at there */
#define SECURITY_LEVEL 2       /* OpenSSL's: 112 bits, no SHA-1 signature, no anonymous cipher */

struct tls {
    struct tls_options options;
    char *host; /* without the dot at its end */
    SSL_CTX *context;
    SSL *ssl;
    BIO_METHOD *method;
    struct trust *trust;
    bool done, dead;
    bool asked; /* the server wanted a certificate, and we have none */

    int fd;
    char *ahead; /* what was received, and OpenSSL has not asked for: ahead[at..end) */
    int at, end;
    int turns; /* recvs left before the socket has to be polled */
    int lost;  /* errno of a failed recv */
    bool eof, send_failed, heard;
    unsigned char first; /* byte that came from the server: tells TLS from plain text */
    char words[80];
};

/* --- the socket under OpenSSL ---------------------------------------------------------------- */

/* What is there, up to READ_AHEAD octets. As recv(2). */
static ssize_t receive_ahead(struct tls *tls)
{
    errno = EAGAIN;
    if (tls->turns == 0)
        return -1;
    ssize_t got = sock_recv(tls->fd, tls->ahead, READ_AHEAD);
    if (got > 0) {
        tls->turns = got < READ_AHEAD ? 0 : tls->turns - 1;
        tls->at = 0;
        tls->end = (int)got;
        if (!tls->heard)
            tls->first = (unsigned char)tls->ahead[0];
        tls->heard = true;
    } else if (got == 0) {
        tls->eof = true;
    }
    return got;
}

/* OpenSSL asks for a record in two parts, its header and the rest. Its own reading ahead moves all
 * that is behind a record to the front for each of them. */
static int bio_read(BIO *bio, char *to, int cap)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = tls->at < tls->end ? 1 : receive_ahead(tls);
    if (got > 0) {
        int part = tls->end - tls->at < cap ? tls->end - tls->at : cap;
        memcpy(to, tls->ahead + tls->at, (size_t)part);
        tls->at += part;
        return part;
    }
    if (got < 0 && sock_is_busy(errno)) {
        tls->turns = 0;
        BIO_set_retry_read(bio);
    } else if (got < 0) {
        tls->lost = errno;
    }
    return (int)got;
}

/* A peer that reads no more may have said why before: the bytes are dropped as if sent, and reading
 * finds its alert or how the connection ended. */
static int bio_write(BIO *bio, const char *from, int len)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->send_failed)
        return len;
    ssize_t put = sock_send(tls->fd, from, (size_t)len);
    if (put >= 0)
        return (int)put;
    if (sock_is_busy(errno)) {
        BIO_set_retry_write(bio);
        return -1;
    }
    tls->send_failed = true;
    return len;
}

static long bio_ctrl(BIO *bio, int what, long number, void *ptr)
{
    struct tls *tls = BIO_get_data(bio);
    (void)number;
    (void)ptr;
    if (what == BIO_CTRL_EOF)
        return tls->eof;
    return what == BIO_CTRL_FLUSH;
}

static BIO *make_bio(struct tls *tls)
{
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "conn");
    if (tls->method == NULL)
        return NULL;
    BIO_meth_set_read(tls->method, bio_read);
    BIO_meth_set_write(tls->method, bio_write);
    BIO_meth_set_ctrl(tls->method, bio_ctrl);
    BIO *bio = BIO_new(tls->method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

void tls_ready(struct tls *tls)
{
    tls->turns = RECV_TURNS;
}

/* --- making one ------------------------------------------------------------------------------ */

/* The system's configuration may ask for more than we do, never for less. */
static int set_floor(struct tls *tls, struct err *err)
{
    const char *version = tls->options.min_version;
    long least = version == NULL || strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    if (version != NULL && strcmp(version, "1.2") != 0 && strcmp(version, "1.3") != 0)
        return err_set(err, ERR_CONFIG, "tls_min_version must be \"1.2\" or \"1.3\"");
    if (SSL_CTX_get_min_proto_version(tls->context) < least)
        SSL_CTX_set_min_proto_version(tls->context, (int)least);
    if (SSL_CTX_get_security_level(tls->context) < SECURITY_LEVEL)
        SSL_CTX_set_security_level(tls->context, SECURITY_LEVEL);
    SSL_CTX_clear_options(tls->context, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                            SSL_OP_LEGACY_SERVER_CONNECT |
                                            SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return 0;
}

void tls_prepare(void)
{
    SSL_CTX_free(SSL_CTX_new(TLS_client_method()));
    ERR_clear_error();
}

static int make_context(struct tls *tls, struct err *err)
{
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL)
        return err_set(err, ERR_SYSTEM, "OpenSSL does not start: %s", trust_openssl_words());
    if (set_floor(tls, err) < 0)
        return -1;
    SSL_CTX_set_mode(tls->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
    return 0;
}

/* Also stands in for OpenSSL's own, which would ask on the terminal. */
static int give_passphrase(char *to, int cap, int writing, void *arg)
{
    const struct tls *tls = arg;
    const struct secret *secret = tls->options.key_password;
    (void)writing;
    if (secret == NULL || secret->data == NULL || cap < 0 || secret->len > (size_t)cap)
        return -1;
    memcpy(to, secret->data, secret->len);
    return (int)secret->len;
}

static int load_identity(struct tls *tls, struct err *err)
{
    const char *cert = tls->options.cert_file;
    const char *key = tls->options.key_file != NULL ? tls->options.key_file : cert;
    SSL_CTX_set_default_passwd_cb(tls->context, give_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(tls->context, tls);
    if (cert == NULL)
        return tls->options.key_file != NULL
                   ? err_set(err, ERR_CONFIG, "tls_key_file needs a tls_cert_file; add it")
                   : 0;
    if (trust_check_file("tls_cert_file", cert, err) < 0 ||
        trust_check_file("tls_key_file", key, err) < 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(tls->context, cert) != 1)
        return err_set(err, ERR_CONFIG, "tls_cert_file %s cannot be used: %s; is it PEM?", cert,
                       trust_openssl_words());
    if (SSL_CTX_use_PrivateKey_file(tls->context, key, SSL_FILETYPE_PEM) != 1)
        return err_set(err, ERR_CONFIG,
                       "%s %s cannot be used: %s; is it the key of the "
                       "certificate, and the passphrase right?",
                       tls->options.key_file != NULL ? "tls_key_file" : "the key in tls_cert_file",
                       key, trust_openssl_words());
    return 0;
}

/* Called only where there is none to show. */
static int note_request(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct tls *tls = BIO_get_data(SSL_get_rbio(ssl));
    (void)cert;
    (void)key;
    tls->asked = true;
    return 0;
}

static int make_session(struct tls *tls, struct err *err)
{
    SSL_CTX_set_client_cert_cb(tls->context, note_request);
    tls->ssl = SSL_new(tls->context);
    BIO *bio = tls->ssl != NULL ? make_bio(tls) : NULL;
    if (bio == NULL)
        return err_set(err, ERR_SYSTEM, "OpenSSL does not start: %s", trust_openssl_words());
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    return trust_set_host(tls->trust, tls->ssl, err);
}

int tls_new(struct tls **made, int fd, const struct tls_options *options, struct err *err)
{
    struct tls *tls = xcalloc(1, sizeof *tls);
    struct str host = str_from(options->host);
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    tls->host = xmemdup0(host.ptr, host.len);
    tls->options = *options;
    tls->fd = fd;
    tls->ahead = xmalloc(READ_AHEAD);
    ERR_clear_error();
    if (make_context(tls, err) < 0 || load_identity(tls, err) < 0 ||
        trust_new(&tls->trust, &tls->options, tls->host, tls->context, err) < 0 ||
        make_session(tls, err) < 0) {
        err_prefix(err, "%s", options->host);
        tls_free(tls);
        *made = NULL;
        return -1;
    }
    *made = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    trust_free(tls->trust);
    free(tls->ahead);
    free(tls->host);
    free(tls);
}

/* --- what can go wrong on the line ----------------------------------------------------------- */

/* TLS 1.2 has no alert for "no certificate": it looks like any handshake that fails, behind a
 * certificate of the server's that was found good. */
static bool is_about_us(const struct tls *tls, int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return trust_is_given(tls->trust) && (tls->asked || tls->options.cert_file != NULL);
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static bool is_version(int reason)
{
    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_NO_PROTOCOLS_AVAILABLE;
}

/* Record types of TLS are 20 to 24; a letter, '+' or '-' is none of them. */
static bool is_plain_text(const struct tls *tls)
{
    return tls->heard && (tls->first < 20 || tls->first > 24);
}

static int explain_handshake(const struct tls *tls, int reason, struct err *err)
{
    if (is_plain_text(tls) && tls->options.upgraded)
        return err_set(err, ERR_TRUST,
                       "%s: the server agreed to STLS but goes on without TLS; no secret was sent; "
                       "ask its administrator",
                       tls->host);
    if (is_plain_text(tls) && tls->options.worked)
        return err_set(err, ERR_PROTOCOL,
                       "%s: no TLS on this port; if it had TLS, a portal or a proxy answers now: "
                       "try again later",
                       tls->host);
    if (is_plain_text(tls))
        return err_set(err, ERR_PROTOCOL,
                       "%s: no TLS on this port; for STLS write tls = \"stls\" (as a URL: pop3://)",
                       tls->host);
    if (tls->lost != 0)
        return err_set(err, ERR_CLOSED,
                       "%s: connection lost in the TLS handshake: %s; try again later", tls->host,
                       strerror(tls->lost));
    if (tls->eof)
        return err_set(err, ERR_CLOSED, "%s: the server hung up in the TLS handshake; %s",
                       tls->host,
                       tls->heard ? "try again later" : "does it speak TLS on this port?");
    if (is_version(reason))
        return err_set(err, ERR_TRUST,
                       "%s: the server's TLS is too old (it has no version %s or newer); "
                       "tell its administrator",
                       tls->host,
                       tls->options.min_version != NULL ? tls->options.min_version : "1.2");
    return err_set(err, ERR_TRUST, "%s: no TLS with this server: %s; ask its administrator",
                   tls->host, trust_openssl_words());
}

static int explain_line(const struct tls *tls, struct err *err)
{
    if (tls->lost != 0)
        return err_set(err, ERR_CLOSED, "%s: connection lost: %s; try again later", tls->host,
                       strerror(tls->lost));
    if (tls->eof)
        return err_set(err, ERR_CLOSED,
                       "%s: the TLS connection was cut off (no close_notify); try again later",
                       tls->host);
    return err_set(err, ERR_CLOSED, "%s: the TLS connection broke: %s; try again later", tls->host,
                   trust_openssl_words());
}

static void explain_failure(struct tls *tls, struct err *err)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (trust_refusal(tls->trust) != NULL) {
        if (err != NULL)
            *err = *trust_refusal(tls->trust);
    } else if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL && is_about_us(tls, reason)) {
        err_set(err, ERR_TRUST, "%s: the server %s (%s); see tls_cert_file and tls_key_file",
                tls->host,
                tls->options.cert_file != NULL ? "refuses our certificate"
                                               : "wants a certificate of ours",
                trust_openssl_words());
    } else if (tls->done) {
        explain_line(tls, err);
    } else {
        explain_handshake(tls, reason, err);
    }
}

/* What a call that did not succeed came to. */
static enum tls_want outcome(struct tls *tls, int rc, struct err *err)
{
    int code = SSL_get_error(tls->ssl, rc);
    if (code == SSL_ERROR_WANT_READ)
        return TLS_WANT_READ;
    if (code == SSL_ERROR_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (code == SSL_ERROR_ZERO_RETURN && tls->done)
        return TLS_END;
    tls->dead = true;
    explain_failure(tls, err);
    ERR_clear_error();
    return TLS_FAILED;
}

/* --- at work --------------------------------------------------------------------------------- */

enum tls_want tls_handshake(struct tls *tls, struct err *err)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc != 1)
        return outcome(tls, rc, err);
    /* Whatever the system's configuration made of the ciphers: without a certificate that was
     * checked nothing is trusted. */
    if (!trust_is_given(tls->trust) || SSL_get_verify_result(tls->ssl) != X509_V_OK ||
        SSL_get0_peer_certificate(tls->ssl) == NULL) {
        tls->dead = true;
        err_set(err, ERR_TRUST, "%s: the server showed no certificate; ask its administrator",
                tls->host);
        return TLS_FAILED;
    }
    tls->done = true;
    snprintf(tls->words, sizeof tls->words, "%s %s", SSL_get_version(tls->ssl),
             SSL_get_cipher_name(tls->ssl));
    return TLS_DONE;
}

enum tls_want tls_read(struct tls *tls, void *to, size_t cap, size_t *done, struct err *err)
{
    ERR_clear_error();
    if (SSL_read_ex(tls->ssl, to, cap, done) == 1)
        return TLS_DONE;
    return outcome(tls, 0, err);
}

enum tls_want tls_write(struct tls *tls, const void *from, size_t len, size_t *done,
                        struct err *err)
{
    ERR_clear_error();
    if (SSL_write_ex(tls->ssl, from, len, done) == 1)
        return TLS_DONE;
    return outcome(tls, 0, err);
}

void tls_close_notify(struct tls *tls)
{
    if (!tls->done || tls->dead)
        return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

const char *tls_describe(const struct tls *tls)
{
    return tls->words;
}

/* --- what SASL and the report want to know --------------------------------------------------- */

/* RFC 5929, section 3: the client's Finished is the first, unless the session was resumed. */
static size_t unique_binding(const struct tls *tls, unsigned char *out, size_t cap)
{
    return SSL_session_reused(tls->ssl) ? SSL_get_peer_finished(tls->ssl, out, cap)
                                        : SSL_get_finished(tls->ssl, out, cap);
}

/* RFC 5929, section 4.1: the hash of the certificate's own signature, SHA-256 in place of the weak
 * ones; none where the signature names no hash. */
static size_t end_point_binding(const struct tls *tls, unsigned char *out, size_t cap)
{
    int nid = NID_undef;
    X509 *peer = trust_peer(tls->trust);
    if (cap < EVP_MAX_MD_SIZE || peer == NULL ||
        X509_get_signature_info(peer, &nid, NULL, NULL, NULL) != 1 || nid == NID_undef)
        return 0;
    const EVP_MD *md = nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);
    unsigned int len = 0;
    return md != NULL && X509_digest(peer, md, out, &len) == 1 ? len : 0;
}

int tls_binding(struct tls *tls, const char **type, unsigned char *out, size_t cap, size_t *len)
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266, section 2 */
    ERR_clear_error();
    *len = 0;
    if (!tls->done)
        return -1;
    if (SSL_version(tls->ssl) >= TLS1_3_VERSION) {
        *type = "tls-exporter";
        if (cap >= 32 && SSL_export_keying_material(tls->ssl, out, 32, label, sizeof label - 1,
                                                    (const unsigned char *)"", 0, 1) == 1)
            *len = 32;
    } else if (SSL_get_extms_support(tls->ssl) == 1) { /* else open to the triple handshake */
        *type = "tls-unique";
        *len = unique_binding(tls, out, cap);
    } else {
        *type = "tls-server-end-point";
        *len = end_point_binding(tls, out, cap);
    }
    return *len > 0 && *len <= cap ? 0 : -1;
}

int tls_peer_pin(const struct tls *tls, char out[TLS_PIN_TEXT])
{
    return trust_pin(tls->trust, out);
}

bool tls_is_trusted(const struct tls *tls)
{
    return trust_is_given(tls->trust);
}

const char *tls_peer_text(const struct tls *tls, char out[TLS_PEER_TEXT])
{
    return trust_describe(tls->trust, out, TLS_PEER_TEXT);
}

const char *tls_chain_text(const struct tls *tls, char out[TLS_PEER_TEXT])
{
    return trust_spell_chain(tls->trust, out, TLS_PEER_TEXT);
}

int tls_peer_days_left(const struct tls *tls)
{
    X509 *peer = trust_peer(tls->trust);
    int days, seconds;
    if (peer == NULL || ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(peer)) != 1)
        return INT_MAX;
    return days == 0 && seconds < 0 ? -1 : days;
}
