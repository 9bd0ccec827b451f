/* SPDX-License-Identifier: ISC */
/*
 * tls and trust under conn, against a TLS server in a child process. Keys and certificates are made
 * when the test begins, in a temporary folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/digest.h"
#include "net/conn.h"
#include "tap.h"

/* Writing to a closed peer must not need PIPE ignored, where the system can say so for one call. */
#if defined MSG_NOSIGNAL && !defined FP_PORTABLE
#define PIPE_HANDLING SIG_DFL
#else
#define PIPE_HANDLING SIG_IGN
#endif

#define DAY 86400L
#define BIG (3 * 1024 * 1024)
#define TALK (CONN_INPUT - 5000) /* room is left for it while nobody takes anything */

/* --- certificates ----------------------------------------------------------------------------- */

struct id {
    EVP_PKEY *key;
    X509 *cert;
};

static char folder[] = "/tmp/fetchpop-tls-XXXXXX";
static struct id ca, other_ca, middle;

static void need(int good)
{
    if (!good) {
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static const char *path(const char *name)
{
    static char paths[8][128];
    static int next;
    char *out = paths[next++ % 8];

    snprintf(out, sizeof paths[0], "%s/%s", folder, name);
    return out;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signed by itself. names NULL: no subjectAltName. Days count from now. */
static struct id make(const char *cn, const char *names, const struct id *issuer, bool authority,
                      long from, long until)
{
    static long serial = 1000;
    struct id id = {EVP_EC_gen("P-256"), X509_new()};
    X509_NAME *name = X509_NAME_new();

    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_subject_name(id.cert, name);
    X509_set_issuer_name(id.cert, issuer ? X509_get_subject_name(issuer->cert) : name);
    X509_NAME_free(name);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), until * DAY);
    X509_set_pubkey(id.cert, id.key);
    extend(id.cert, id.cert, NID_basic_constraints,
           authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (authority)
        extend(id.cert, id.cert, NID_key_usage, "keyCertSign,cRLSign");
    if (names)
        extend(id.cert, id.cert, NID_subject_alt_name, names);
    need(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));
    return id;
}

static void drop(struct id id)
{
    EVP_PKEY_free(id.key);
    X509_free(id.cert);
}

static void save(const struct id *id, const char *cert_name, const char *key_name,
                 const char *passphrase)
{
    FILE *file = fopen(path(cert_name), "w");

    need(file != NULL);
    bool good = PEM_write_X509(file, id->cert);
    need(fclose(file) == 0 && good);
    if (!key_name)
        return;
    file = fopen(path(key_name), "w");
    need(file != NULL);
    good = PEM_write_PrivateKey(file, id->key, passphrase ? EVP_aes_128_cbc() : NULL,
                                (const unsigned char *)passphrase,
                                passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
    need(fclose(file) == 0 && good);
}

/* A list of `by` that names `gone` (NULL: an empty one) and runs out at `until`. */
static void save_crl(const struct id *by, X509 *gone, long until, const char *name)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *date = X509_gmtime_adj(NULL, -3 * DAY);
    FILE *file = fopen(path(name), "w");

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
    X509_CRL_set1_lastUpdate(crl, date);
    if (gone) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(gone));
        X509_REVOKED_set_revocationDate(entry, date);
        X509_CRL_add0_revoked(crl, entry);
    }
    X509_gmtime_adj(date, until * DAY);
    X509_CRL_set1_nextUpdate(crl, date);
    need(X509_CRL_sign(crl, by->key, EVP_sha256()) && file && PEM_write_X509_CRL(file, crl) &&
         fclose(file) == 0);
    ASN1_TIME_free(date);
    X509_CRL_free(crl);
}

/* Independent of the code under test: SHA-256 of the SPKI. */
static void pin_of(X509 *cert, unsigned char pin[32])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(X509_get0_pubkey(cert), &der);

    need(len > 0 && EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL));
    OPENSSL_free(der);
}

/* --- the server ------------------------------------------------------------------------------- */

enum scene {
    HELLO,    /* "+OK hello", then QUIT is read, then close_notify */
    TRUNCATE, /* "+OK hel", then the connection is cut */
    FLOOD,    /* BIG bytes while the client writes as many */
    BINDINGS, /* sends what it thinks the three channel bindings are */
    PLAIN,    /* "+OK hello" in the clear */
    HANGUP,   /* closes when it has heard something */
    MUTE,     /* reads and says nothing */
    SNI,      /* sends the name the client asked for */
    TOGETHER, /* its last flight of the handshake and "+OK hello" leave in one packet */
    BYE,      /* "-ERR bye", close_notify, and the socket is closed */
    DRIP      /* one byte of a handshake record at a time, without end */
};

struct server {
    enum scene scene;
    struct id id;
    int max_version;     /* 0: any */
    const char *ciphers; /* NULL: any */
    bool wants_certificate, no_ems, with_middle;
};

static pid_t server_pid;

static void send_all(SSL *ssl, const void *bytes, size_t len)
{
    size_t done;

    if (SSL_write_ex(ssl, bytes, len, &done) != 1)
        _exit(3);
}

static void flood(SSL *ssl)
{
    static char bytes[BIG];
    size_t at = 0, got;

    memset(bytes, 's', sizeof bytes);
    send_all(ssl, bytes, TALK);
    while (at < BIG && SSL_read_ex(ssl, bytes + at, BIG - at, &got) == 1)
        at += got;
    for (size_t i = 0; i < BIG; i++)
        if (i >= at || bytes[i] != 'c')
            _exit(4);
    memset(bytes, 's', sizeof bytes);
    send_all(ssl, bytes, BIG);
}

static void bindings(SSL *ssl, const struct server *server)
{
    unsigned char out[3][64] = {{0}};

    SSL_export_keying_material(ssl, out[0], 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0);
    SSL_get_peer_finished(ssl, out[1], 64);
    X509_digest(server->id.cert, EVP_sha256(), out[2], NULL);
    send_all(ssl, out, sizeof out);
}

static void talk(SSL *ssl, const struct server *server)
{
    char byte;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    if (server->scene == BYE) {
        send_all(ssl, "-ERR bye\r\n", 10);
        SSL_shutdown(ssl);
        return;
    }
    if (server->scene == TRUNCATE) {
        send_all(ssl, "+OK hel", 7);
        return;
    }
    if (server->scene == FLOOD)
        flood(ssl);
    else if (server->scene == BINDINGS)
        bindings(ssl, server);
    else if (server->scene == SNI)
        send_all(ssl, name ? name : "-", name ? strlen(name) : 1);
    else
        send_all(ssl, "+OK hello\r\n", 11);
    while (SSL_read(ssl, &byte, 1) == 1 && byte != '\n')
        ;
    SSL_shutdown(ssl);
}

static SSL *listen_on(int fd, const struct server *server)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl;

    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, server->max_version);
    if (server->ciphers)
        SSL_CTX_set_cipher_list(context, server->ciphers);
    need(SSL_CTX_use_certificate(context, server->id.cert) == 1);
    need(SSL_CTX_use_PrivateKey(context, server->id.key) == 1);
    if (server->with_middle)
        SSL_CTX_add1_chain_cert(context, middle.cert);
    if (server->no_ems)
        SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    if (server->wants_certificate) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        need(SSL_CTX_load_verify_file(context, path("ca.pem")) == 1);
    }
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    return ssl;
}

/* The socket is behind memory, so that what leaves when is ours to say. */
static void together(int fd, SSL *ssl)
{
    char bytes[20000];
    bool done = false;

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    while (!done) {
        ssize_t got = read(fd, bytes, sizeof bytes);

        if (got <= 0)
            _exit(6);
        BIO_write(SSL_get_rbio(ssl), bytes, (int)got);
        done = SSL_accept(ssl) == 1;
        if (done)
            send_all(ssl, "+OK hello\r\n", 11);
        got = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);
        if (got > 0 && write(fd, bytes, (size_t)got) != got)
            _exit(7);
    }
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    _exit(0);
}

static void drip(int fd)
{
    static const unsigned char head[] = {22, 3, 3, 64, 0};

    for (size_t i = 0; write(fd, i < sizeof head ? head + i : head + 4, 1) == 1; i++) {
        struct timespec time = {0, 20 * 1000000L};

        nanosleep(&time, NULL);
    }
}

static void serve(int fd, const struct server *server)
{
    char bytes[4096];
    SSL *ssl;

    signal(SIGPIPE, SIG_IGN);
    if (server->scene == PLAIN && write(fd, "+OK hello\r\n", 11) != 11)
        _exit(5);
    if (server->scene == DRIP)
        drip(fd);
    if (server->scene == PLAIN || server->scene == HANGUP || server->scene == MUTE) {
        while (read(fd, bytes, sizeof bytes) > 0 && server->scene != HANGUP)
            ;
        _exit(0);
    }
    ssl = listen_on(fd, server);
    if (server->scene == TOGETHER)
        together(fd, ssl);
    if (SSL_accept(ssl) == 1)
        talk(ssl, server);
    if (server->scene == TRUNCATE || server->scene == BYE)
        _exit(0);
    shutdown(fd, SHUT_WR);
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    _exit(0);
}

/* As in the program, connecting has idle_ms as a whole. */
static struct conn *start(const struct server *server, int64_t idle_ms)
{
    int pair[2];

    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fflush(stdout);
    server_pid = fork();
    if (server_pid == 0) {
        close(pair[0]);
        serve(pair[1], server);
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return conn_new(pair[0], "pop.test", idle_ms, clock_in(idle_ms));
}

static int finish(struct conn *conn)
{
    int status = -1;

    conn_free(conn);
    waitpid(server_pid, &status, 0);
    return status;
}

/* Reads until len bytes are there or conn_fill says something else than 1. */
static int fill_to(struct conn *conn, size_t len, struct err *err)
{
    int rc = 1;

    while (rc > 0 && conn_view(conn).len < len)
        rc = conn_fill(conn, err);
    return rc;
}

static struct tls_options options_for(const char *host)
{
    struct tls_options options = {.host = host, .ca_file = path("ca.pem")};

    return options;
}

static int lines_of(const char *text)
{
    int lines = 1;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* --- a good one ------------------------------------------------------------------------------- */

static void test_good(int version, const char *words)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 10);
    struct server server = {.scene = HELLO, .id = id, .max_version = version};
    struct conn *conn = start(&server, 5000);
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    unsigned char pin[32], got[32];
    char text[TLS_PIN_TEXT];

    ok(conn_start_tls(conn, &options, &err) == 0, "handshake: %s", err.text);
    ok(conn_is_secure(conn), "after the handshake the conn is secure");
    ok(strncmp(tls_describe(conn_tls(conn)), words, 7) == 0, "%s", tls_describe(conn_tls(conn)));
    is_int(fill_to(conn, 11, &err), 1, "the greeting comes through TLS");
    is_mem(conn_view(conn).ptr, conn_view(conn).len, "+OK hello\r\n", 11,
           "the greeting is the one that was sent");
    is_int((tls_peer_days_left(conn_tls(conn)) + 1) / 10, 1,
           "the certificate has 9 or 10 days left");
    is_int(tls_peer_pin(conn_tls(conn), text), 0, "the pin of the peer is told");
    pin_of(id.cert, pin);
    is_int(digest_unbase64(str_from(text), got, 32), 32, "the pin is 32 bytes in base64");
    is_mem(got, 32, pin, 32, "the pin is that of the server's key");
    is_int(conn_put(conn, "QUIT\r\n", 6, &err), 0, "QUIT is put");
    is_int(conn_flush(conn, &err), 0, "QUIT is sent");
    conn_consume(conn, 11);
    is_int(conn_fill(conn, &err), 0, "close_notify is the end in good order");
    is_int(finish(conn), 0, "the server ended well");
    drop(id);
}

static void test_truncated(void)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 10);

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct server server = {.scene = TRUNCATE, .id = id, .max_version = version};
        struct conn *conn = start(&server, 5000);
        struct tls_options options = options_for("pop.test");
        struct err err = {ERR_NONE, ""};

        is_int(conn_start_tls(conn, &options, &err), 0, "the handshake works");
        is_int(fill_to(conn, 7, &err), 1, "bytes before the cut are read");
        is_mem(conn_view(conn).ptr, conn_view(conn).len, "+OK hel", 7,
               "the bytes before the cut are the right ones");
        is_int(conn_fill(conn, &err), -1, "an end without close_notify is an error");
        is_int(err.kind, ERR_CLOSED, "a cut is ERR_CLOSED");
        ok(strstr(err.text, "cut off") != NULL, "that says so: %s", err.text);
        is_int(conn_fill(conn, &err), -1, "and an error again after that");
        finish(conn);
    }
    drop(id);
}

/* The greeting comes with the end of the handshake: no poll will tell of it. */
static void test_together(int version)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 10);
    struct server server = {.scene = TOGETHER, .id = id, .max_version = version};
    struct conn *conn = start(&server, 1000);
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};

    is_int(conn_start_tls(conn, &options, &err), 0, "the handshake works");
    ok(fill_to(conn, 11, &err) == 1, "greeting in the last packet of the handshake: %s", err.text);
    finish(conn);
    drop(id);
}

static void test_last_words(int version)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 10);
    struct server server = {.scene = BYE, .id = id, .max_version = version};
    struct conn *conn = start(&server, 1000);
    struct tls_options options = options_for("pop.test");
    struct timespec time = {0, 100 * 1000000L};
    struct err err = {ERR_NONE, ""};

    is_int(conn_start_tls(conn, &options, &err), 0, "the handshake works");
    nanosleep(&time, NULL); /* the server is gone before we write */
    for (int i = 0; i < 3; i++) {
        is_int(conn_put(conn, "NOOP\r\n", 6, &err), 0, "put to a peer that has closed works");
        is_int(conn_flush(conn, &err), 0, "flush to a peer that has closed works");
    }
    is_int(fill_to(conn, 10, &err), 1, "its last words are still there");
    is_mem(conn_view(conn).ptr, conn_view(conn).len, "-ERR bye\r\n", 10,
           "its last words are whole");
    is_int(conn_fill(conn, &err), 0, "the end comes after its last words");
    finish(conn);
    drop(id);
}

static void test_flood(void)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 10);
    struct server server = {.scene = FLOOD, .id = id};
    struct conn *conn = start(&server, 5000);
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    static char bytes[BIG];
    size_t total = 0;
    bool right = true;

    memset(bytes, 'c', sizeof bytes);
    is_int(conn_start_tls(conn, &options, &err), 0, "the handshake works");
    ok(conn_put(conn, bytes, BIG, &err) == 0, "3 MB out while more comes in: %s", err.text);
    is_int(conn_flush(conn, &err), 0, "flush sends the rest");
    while (total < BIG + TALK && conn_fill(conn, &err) > 0) {
        struct str view = conn_view(conn);

        for (size_t i = 0; i < view.len; i++)
            right = right && view.ptr[i] == 's';
        total += view.len;
        conn_consume(conn, view.len);
    }
    is_int((long long)total, BIG + TALK, "all of it came in");
    ok(right, "each byte that came in is the right one");
    is_int((long long)conn_figures(conn).sent, BIG, "sent counts what is inside TLS");
    conn_put(conn, "\n", 1, &err);
    conn_flush(conn, &err);
    is_int(conn_fill(conn, &err), 0, "the end of the stream is 0");
    is_int(finish(conn), 0, "the server got every byte");
    drop(id);
}

/* --- certificates that must be refused, and some that must not --------------------------------- */

struct refusal {
    const char *what, *host, *names, *cn;
    struct id *issuer; /* NULL: self-signed */
    long from, until;
    const char *ca, *crl;
    const char *want; /* words of the first line; NULL: must be accepted */
};

static const struct refusal refusals[] = {
    {"good", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"dot at the end", "pop.test.", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"case", "POP.Test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"expired", "pop.test", "DNS:pop.test", "x", &ca, -3, -1, "ca.pem", NULL,
     "not trusted (dates): it has expired"},
    {"not yet valid", "pop.test", "DNS:pop.test", "x", &ca, 1, 3, "ca.pem", NULL,
     "not trusted (dates): it is not valid yet"},
    {"self-signed", "pop.test", "DNS:pop.test", "x", NULL, -1, 1, "ca.pem", NULL,
     "not trusted (issuer): it is self-signed"},
    {"self-signed, and so in tls_ca_file", "pop.test", "DNS:pop.test", "x", NULL, -1, 1, "self",
     NULL, NULL},
    {"other CA", "pop.test", "DNS:pop.test", "x", &other_ca, -1, 1, "ca.pem", NULL,
     "not trusted (issuer): issued by an unknown authority"},
    {"system's trust", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, NULL, NULL,
     "not trusted (issuer): issued by an unknown authority"},
    {"wrong host", "pop.test", "DNS:www.test,DNS:a.pop.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name): it is for other names: DNS:www.test, DNS:a.pop.test;"},
    {"name in CN only", "pop.test", NULL, "pop.test", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name): it is for other names: none (a common name in"},
    {"wildcard", "pop.a.test", "DNS:*.a.test", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"wildcard two labels deep", "x.pop.a.test", "DNS:*.a.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"wildcard and no label", "a.test", "DNS:*.a.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"partial wildcard", "pop.a.test", "DNS:p*.a.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"wildcard in the middle", "pop.a.test", "DNS:pop.*.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"bare star", "localhost", "DNS:*", "x", &ca, -1, 1, "ca.pem", NULL, "not trusted (name)"},
    {"bare star for two labels", "pop.test", "DNS:*", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"star under a top level", "pop.test", "DNS:*.test", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"IPv4", "127.0.0.1", "IP:127.0.0.1", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"IPv6", "::1", "IP:0:0:0:0:0:0:0:1", "x", &ca, -1, 1, "ca.pem", NULL, NULL},
    {"other IPv4", "127.0.0.1", "IP:127.0.0.2", "x", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name): it is not for this address: IP:127.0.0.2;"},
    {"IP as a DNS name", "127.0.0.1", "DNS:127.0.0.1", "127.0.0.1", &ca, -1, 1, "ca.pem", NULL,
     "not trusted (name)"},
    {"revoked", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", "gone.crl",
     "not trusted (revocation): its authority has revoked it"},
    {"not in the list", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", "none.crl", NULL},
    {"old list", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", "old.crl",
     "not trusted (revocation): the CRL in tls_crl_file has expired"},
    {"list of another", "pop.test", "DNS:pop.test", "x", &ca, -1, 1, "ca.pem", "other.crl",
     "not trusted (revocation): its authority has no CRL"},
};

static void make_lists(const struct id *id)
{
    save_crl(&ca, id->cert, 3, "gone.crl");
    save_crl(&ca, NULL, 3, "none.crl");
    save_crl(&ca, NULL, -1, "old.crl");
    save_crl(&other_ca, NULL, 3, "other.crl");
}

static void check_words(const struct refusal *row, const struct err *err)
{
    const char *pin = strstr(err->text, "key: ");

    is_int(err->kind, ERR_TRUST, row->what);
    const char *details = strstr(err->text, " (subject: ");
    if (details == NULL)
        details = strstr(err->text, " (certificate in the chain, subject: ");

    ok(details != NULL && strstr(err->text, row->want) && strstr(err->text, row->want) < details,
       "%s: what is wrong comes first: %s", row->what, err->text);
    ok(strchr(err->text, '\n') == NULL && strstr(err->text, "issuer: CN=") &&
           strstr(err->text, "valid "),
       "%s: one line with issuer and dates", row->what);
    ok(pin && strlen(pin) == 5 + 44 + 1 && pin[48] == '=', "%s: and the pin", row->what);
}

static void test_refusal(const struct refusal *row)
{
    struct id id = make(row->cn, row->names, row->issuer, false, row->from, row->until);
    struct server server = {.scene = HELLO, .id = id};
    struct tls_options options = options_for(row->host);
    struct err err = {ERR_NONE, ""};
    struct conn *conn = start(&server, 5000);
    char pin[TLS_PIN_TEXT];
    int rc;

    save(&id, "self", NULL, NULL);
    make_lists(&id);
    options.ca_file = row->ca ? path(row->ca) : NULL;
    options.crl_file = row->crl ? path(row->crl) : NULL;
    rc = conn_start_tls(conn, &options, &err);
    if (!row->want) {
        ok(rc == 0 && fill_to(conn, 11, &err) == 1, "%s is accepted: %s", row->what, err.text);
    } else {
        is_int(rc, -1, row->what);
        check_words(row, &err);
        ok(!conn_is_secure(conn) && conn_fill(conn, &err) < 0 && conn_figures(conn).sent == 0,
           "%s: nothing goes on", row->what);
        is_int(tls_peer_pin(conn_tls(conn), pin), 0, "its pin can still be asked for");
    }
    finish(conn);
    drop(id);
}

/* Behind the middle's own list comes one of ca, which names the middle. */
static void save_two_lists(const char *name)
{
    FILE *from, *to;
    int byte;

    save_crl(&middle, NULL, 3, name);
    save_crl(&ca, middle.cert, 3, "more.crl");
    from = fopen(path("more.crl"), "r");
    to = fopen(path(name), "a");
    need(from && to);
    while ((byte = getc(from)) != EOF)
        putc(byte, to);
    fclose(from);
    fclose(to);
}

static void test_chain(const char *what, const char *ca_file, const char *crl, const char *want)
{
    struct id id = make("x", "DNS:pop.test", &middle, false, -1, 1);
    struct server server = {.scene = HELLO, .id = id, .with_middle = true};
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    struct conn *conn = start(&server, 5000);

    options.ca_file = path(ca_file);
    options.crl_file = crl ? path(crl) : NULL;
    is_int(conn_start_tls(conn, &options, &err), want ? -1 : 0, what);
    ok(want ? strstr(err.text, want) != NULL : err.text[0] == '\0', "%s: %s", what, err.text);
    ok(!want || strstr(err.text, "certificate in the chain, subject: CN=middle"),
       "the message says which certificate of the chain it is");
    finish(conn);
    drop(id);
}

static void test_chains(void)
{
    save_crl(&middle, NULL, 3, "none.crl");
    save_two_lists("gone.crl");
    test_chain("intermediate", "ca.pem", NULL, NULL);
    test_chain("intermediate as tls_ca_file", "middle.pem", NULL, NULL);
    test_chain("list of the intermediate only", "ca.pem", "none.crl", NULL);
    test_chain("intermediate revoked", "ca.pem", "gone.crl", "its authority has revoked it");
}

/* --- pins ------------------------------------------------------------------------------------- */

static void test_pin(const char *what, const struct id *id, const char *host, enum tls_trust trust,
                     const char *pin, enum err_kind want, const char *words)
{
    const char *pins[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", pin, NULL};
    struct server server = {.scene = HELLO, .id = *id};
    struct tls_options options = options_for(host);
    struct err err = {ERR_NONE, ""};
    struct conn *conn = start(&server, 5000);

    options.trust = trust;
    if (trust == TLS_TRUST_TOFU) {
        options.noted = pin;
        options.noted_when = 86400 * 365 + 43200; /* noon, wherever the clock is */
        options.account = "my mail";
    } else {
        options.pins = pins;
    }
    is_int(conn_start_tls(conn, &options, &err), want == ERR_NONE ? 0 : -1, what);
    ok(err.kind == want && strstr(err.text, words), "%s: %s", what, err.text);
    finish(conn);
}

static void test_pins(void)
{
    struct id own = make("x", "DNS:www.test", NULL, false, -3, -1);
    struct id good = make("x", "DNS:pop.test", &ca, false, -1, 1);
    unsigned char raw[32];
    char hex[65], colons[3 * 32 + 1], own_pin[TLS_PIN_TEXT], good_pin[TLS_PIN_TEXT];

    pin_of(good.cert, raw);
    EVP_EncodeBlock((unsigned char *)good_pin, raw, 32);
    pin_of(own.cert, raw);
    EVP_EncodeBlock((unsigned char *)own_pin, raw, 32);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
        snprintf(colons + 3 * i, 4, "%02X:", raw[i]);
    }
    colons[3 * 32 - 1] = '\0';
    test_pin("pin alone", &own, "pop.test", TLS_TRUST_PIN, own_pin, ERR_NONE, "");
    test_pin("pin in hex", &own, "pop.test", TLS_TRUST_PIN, hex, ERR_NONE, "");
    test_pin("pin in hex with colons", &own, "pop.test", TLS_TRUST_PIN, colons, ERR_NONE, "");
    test_pin("wrong pin", &own, "pop.test", TLS_TRUST_PIN, good_pin, ERR_TRUST, "not one of those");
    test_pin("wrong pin is said with the right one", &own, "pop.test", TLS_TRUST_PIN, good_pin,
             ERR_TRUST, own_pin);
    test_pin("both", &good, "pop.test", TLS_TRUST_BOTH, good_pin, ERR_NONE, "");
    test_pin("both, wrong pin", &good, "pop.test", TLS_TRUST_BOTH, own_pin, ERR_TRUST,
             "not trusted (pin)");
    test_pin("both, wrong CA", &own, "pop.test", TLS_TRUST_BOTH, own_pin, ERR_TRUST,
             "not trusted (issuer)");
    test_pin("both, wrong name", &good, "www.test", TLS_TRUST_BOTH, good_pin, ERR_TRUST,
             "not trusted (name)");
    test_pin("no pin at all", &own, "pop.test", TLS_TRUST_PIN, "QUJD", ERR_CONFIG, "tls_pin");
    test_pin("63 digits", &own, "pop.test", TLS_TRUST_PIN, hex + 1, ERR_CONFIG, "tls_pin");
    test_pin("first sight", &own, "pop.test", TLS_TRUST_TOFU, NULL, ERR_NONE, "");
    test_pin("seen before", &own, "pop.test", TLS_TRUST_TOFU, own_pin, ERR_NONE, "");
    test_pin("another key, although its authority is good", &good, "pop.test", TLS_TRUST_TOFU,
             own_pin, ERR_TRUST, "the one noted on 1971-01-01, which is ");
    test_pin("both are said: the old one", &good, "pop.test", TLS_TRUST_TOFU, own_pin, ERR_TRUST,
             own_pin);
    test_pin("both are said: the new one", &good, "pop.test", TLS_TRUST_TOFU, own_pin, ERR_TRUST,
             good_pin);
    test_pin("and what to do", &good, "pop.test", TLS_TRUST_TOFU, own_pin, ERR_TRUST,
             "fetchpop --accept-pin \"my mail\"");
    drop(own);
    drop(good);
}

/* --- handshakes that come to nothing ---------------------------------------------------------- */

static void test_failure(const char *what, struct server server, const char *min, int64_t idle_ms,
                         enum err_kind want, const char *words)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 1);
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    struct conn *conn;
    int64_t begun = clock_ms();

    server.id = id;
    conn = start(&server, idle_ms);
    options.min_version = min;
    is_int(conn_start_tls(conn, &options, &err), -1, what);
    is_int(err.kind, want, what);
    ok(strstr(err.text, words) && lines_of(err.text) == 1, "%s: %s", what, err.text);
    ok(clock_ms() - begun < 3000, "%s: in time", what);
    finish(conn);
    drop(id);
}

static void test_failures(void)
{
    struct server old = {.scene = HELLO, .max_version = TLS1_1_VERSION};
    struct server oldest = {.scene = HELLO, .max_version = TLS1_VERSION};
    struct server middling = {.scene = HELLO, .max_version = TLS1_2_VERSION};
    struct server nameless = {
        .scene = HELLO, .max_version = TLS1_2_VERSION, .ciphers = "aNULL:@SECLEVEL=0"};

    test_failure("TLS 1.1", old, NULL, 5000, ERR_TRUST, "too old (it has no version 1.2");
    test_failure("TLS 1.0", oldest, "1.2", 5000, ERR_TRUST, "too old (it has no version 1.2");
    test_failure("TLS 1.2 where 1.3 is asked for", middling, "1.3", 5000, ERR_TRUST,
                 "too old (it has no version 1.3");
    test_failure("no certificate", nameless, NULL, 5000, ERR_TRUST, "no TLS with this server");
    test_failure(
        "plain text", (struct server){.scene = PLAIN}, NULL, 5000, ERR_PROTOCOL,
        "pop.test: no TLS on this port; for STLS write tls = \"stls\" (as a URL: pop3://)");
    test_failure("hang up", (struct server){.scene = HANGUP}, NULL, 5000, ERR_CLOSED,
                 "hung up in the TLS handshake");
    test_failure("no answer", (struct server){.scene = MUTE}, NULL, 200, ERR_TIMEOUT,
                 "the TLS handshake took longer than 0.2 seconds");
    test_failure("drip", (struct server){.scene = DRIP}, NULL, 200, ERR_TIMEOUT,
                 "the TLS handshake took longer than 0.2 seconds");
}

/* Bytes in the clear before the handshake, in one packet with the answer to STLS. */
static void test_injection(void)
{
    struct server server = {.scene = PLAIN};
    struct tls_options options = options_for("pop.test");
    struct conn *conn = start(&server, 5000);
    struct err err = {ERR_NONE, ""};

    is_int(fill_to(conn, 11, &err), 1, "the answer to STLS comes in the clear");
    conn_consume(conn, 4);
    is_int(conn_start_tls(conn, &options, &err), -1,
           "bytes behind the answer to STLS: no TLS begins");
    is_int(err.kind, ERR_TRUST, "bytes behind the answer to STLS are ERR_TRUST");
    ok(strstr(err.text, "bytes follow the answer to STLS") != NULL, "%s", err.text);
    finish(conn);
}

static void plain_then(int fd, const char *more, int after_ms)
{
    struct timespec time = {0, after_ms * 1000000L};
    char bytes[4096];

    if (write(fd, "+OK begin\r\n", 11) != 11)
        _exit(5);
    nanosleep(&time, NULL);
    if (write(fd, more, strlen(more)) < 0)
        _exit(6);
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    _exit(0);
}

/* The injected bytes come in a packet of their own, just before or long after we go on. */
static void test_late_injection(int after_ms, int wait_ms, const char *words)
{
    struct timespec time = {0, wait_ms * 1000000L};
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    struct conn *conn;
    int pair[2];

    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    server_pid = fork();
    if (server_pid == 0) {
        close(pair[0]);
        plain_then(pair[1], "+OK injected\r\n", after_ms);
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    conn = conn_new(pair[0], "pop.test", 5000, clock_in(10000));
    is_int(fill_to(conn, 11, &err), 1, "the answer to STLS comes");
    conn_consume(conn, 11);
    nanosleep(&time, NULL);
    is_int(conn_start_tls(conn, &options, &err), -1,
           "injected bytes in a packet of their own: no TLS begins");
    ok(err.kind == ERR_TRUST && strstr(err.text, words), "%s", err.text);
    finish(conn);
}

/* --- who we are ------------------------------------------------------------------------------- */

static void test_identity(const char *what, int version, const char *cert, const char *key,
                          const char *passphrase, enum err_kind want, const char *words)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 1);
    struct server server = {
        .scene = HELLO, .id = id, .max_version = version, .wants_certificate = true};
    struct tls_options options = options_for("pop.test");
    struct err err = {ERR_NONE, ""};
    struct secret secret = {NULL, 0};
    struct conn *conn = start(&server, 5000);
    int rc;

    secret_set(&secret, str_from(passphrase));
    options.cert_file = cert ? path(cert) : NULL;
    options.key_file = key ? path(key) : NULL;
    options.key_password = passphrase ? &secret : NULL;
    rc = conn_start_tls(conn, &options, &err);
    if (rc == 0) /* TLS 1.3: a refusal comes behind the handshake */
        rc = fill_to(conn, 11, &err) == 1 ? 0 : -1;
    is_int(rc, want == ERR_NONE ? 0 : -1, what);
    ok(err.kind == want && strstr(err.text, words), "%s: %s", what, err.text);
    finish(conn);
    secret_wipe(&secret);
    drop(id);
}

static void test_identities(void)
{
    struct id mine = make("me", NULL, &ca, false, -1, 1);
    struct id foreign = make("me", NULL, &other_ca, false, -1, 1);

    save(&mine, "me.pem", "me.key", NULL);
    save(&mine, "me.pem", "me-locked.key", "open sesame");
    save(&foreign, "foreign.pem", "foreign.key", NULL);
    for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
        test_identity("client certificate", v, "me.pem", "me.key", NULL, ERR_NONE, "");
        test_identity("passphrase", v, "me.pem", "me-locked.key", "open sesame", ERR_NONE, "");
        test_identity("foreign certificate", v, "foreign.pem", "foreign.key", NULL, ERR_TRUST,
                      "refuses our certificate");
        test_identity("none", v, NULL, NULL, NULL, ERR_TRUST, "wants a certificate of ours");
    }
    test_identity("wrong passphrase", 0, "me.pem", "me-locked.key", "x", ERR_CONFIG,
                  "tls_key_file");
    test_identity("no passphrase", 0, "me.pem", "me-locked.key", NULL, ERR_CONFIG, "tls_key_file");
    test_identity("key of another", 0, "me.pem", "foreign.key", NULL, ERR_CONFIG, "tls_key_file");
    test_identity("no such file", 0, "nothing.pem", NULL, NULL, ERR_CONFIG, "tls_cert_file");
    test_identity("certificate without key", 0, "me.pem", NULL, NULL, ERR_CONFIG,
                  "the key in tls_cert_file");
    test_identity("key without certificate", 0, NULL, "me.key", NULL, ERR_CONFIG, "tls_key_file");
    drop(mine);
    drop(foreign);
}

/* --- bindings, SNI, bad options --------------------------------------------------------------- */

static void test_binding(int version, bool no_ems, const char *want, int row, size_t want_len)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 1);
    struct server server = {.scene = BINDINGS, .id = id, .max_version = version, .no_ems = no_ems};
    struct tls_options options = options_for("pop.test");
    struct conn *conn = start(&server, 5000);
    struct err err = {ERR_NONE, ""};
    unsigned char out[64];
    const char *type = NULL;
    size_t len = 0;

    is_int(conn_start_tls(conn, &options, &err), 0, want);
    is_int(tls_binding(conn_tls(conn), &type, out, sizeof out, &len), 0, want);
    is_str(type, want, "the binding has the type that fits the version");
    is_int(fill_to(conn, 192, &err), 1, "the server sends the binding as it sees it");
    is_mem(out, len, conn_view(conn).ptr + 64 * row, want_len, "both sides have the same binding");
    is_int(tls_binding(conn_tls(conn), &type, out, 4, &len), -1,
           "without room there is no binding");
    finish(conn);
    drop(id);
}

static void test_sni(const char *host, const char *names, const char *want)
{
    struct id id = make("x", names, &ca, false, -1, 1);
    struct server server = {.scene = SNI, .id = id};
    struct tls_options options = options_for(host);
    struct conn *conn = start(&server, 5000);
    struct err err = {ERR_NONE, ""};

    is_int(conn_start_tls(conn, &options, &err), 0, host);
    is_int(fill_to(conn, strlen(want), &err), 1, "the server sends the name it was asked for");
    is_mem(conn_view(conn).ptr, conn_view(conn).len, want, strlen(want),
           "the server was asked for the right name, or for none");
    finish(conn);
    drop(id);
}

static void test_option(const char *what, struct tls_options options, const char *words)
{
    struct err err = {ERR_NONE, ""};
    struct tls *tls = NULL;

    is_int(tls_new(&tls, -1, &options, &err), -1, what);
    ok(err.kind == ERR_CONFIG && strstr(err.text, words), "%s: %s", what, err.text);
    ok(tls == NULL, "a bad option makes no TLS object");
}

static void test_options(void)
{
    const char *none[] = {NULL};

    test_option("empty host", (struct tls_options){.host = ""}, "not a server name");
    test_option("only a dot", (struct tls_options){.host = "."}, "not a server name");
    test_option("dot in front", (struct tls_options){.host = ".test"}, "not a server name");
    test_option("no such CA file",
                (struct tls_options){.host = "a.test", .ca_file = path("nothing")}, "tls_ca_file");
    test_option("CA file without certificate",
                (struct tls_options){.host = "a.test", .ca_file = "/dev/null"}, "tls_ca_file");
    test_option("CA folder that is a file",
                (struct tls_options){.host = "a.test", .ca_dir = path("ca.pem")}, "tls_ca_dir");
    test_option("no list in the CRL file",
                (struct tls_options){.host = "a.test", .crl_file = path("ca.pem")}, "tls_crl_file");
    test_option("TLS 1.1", (struct tls_options){.host = "a.test", .min_version = "1.1"},
                "tls_min_version");
    test_option("trust in pins, and none",
                (struct tls_options){.host = "a.test", .trust = TLS_TRUST_PIN, .pins = none},
                "tls_pin");
}

static void test_ca_dir(void)
{
    struct id id = make("x", "DNS:pop.test", &ca, false, -1, 1);
    struct server server = {.scene = HELLO, .id = id};
    struct tls_options options = {.host = "pop.test"};
    struct conn *conn = start(&server, 5000);
    struct err err = {ERR_NONE, ""};
    char name[64];

    snprintf(name, sizeof name, "certs/%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(ca.cert), NULL, NULL, NULL));
    mkdir(path("certs"), 0700);
    save(&ca, name, NULL, NULL);
    options.ca_dir = path("certs");
    ok(conn_start_tls(conn, &options, &err) == 0, "tls_ca_dir: %s", err.text);
    finish(conn);
    unlink(path(name));
    rmdir(path("certs"));
    drop(id);
}

/* A configuration of OpenSSL that allows everything must not make us allow it. */
static void test_weak_config(void)
{
    FILE *file = fopen(path("weak.cnf"), "w");
    if (file == NULL) {
        ok(false, "a configuration of OpenSSL is made");
        return;
    }
    fputs("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
          "MinProtocol = TLSv1\nCipherString = ALL:aNULL:eNULL@SECLEVEL=0\n"
          "Options = UnsafeLegacyRenegotiation\nVerifyMode = Request\n",
          file);
    fclose(file);
    setenv("OPENSSL_CONF", path("weak.cnf"), 1);
}

static void clean_up(void)
{
    static const char *const names[] = {"ca.pem",      "middle.pem", "self",          "gone.crl",
                                        "none.crl",    "old.crl",    "other.crl",     "more.crl",
                                        "me.pem",      "me.key",     "me-locked.key", "foreign.pem",
                                        "foreign.key", "weak.cnf"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path(names[i]));
    rmdir(folder);
    drop(ca);
    drop(other_ca);
    drop(middle);
}

int main(void)
{
    signal(SIGPIPE, PIPE_HANDLING);
    need(mkdtemp(folder) != NULL);
    test_weak_config(); /* before OpenSSL is first used: it holds for all that follows */
    ca = make("ca", NULL, NULL, true, -10, 100);
    other_ca = make("other", NULL, NULL, true, -10, 100);
    middle = make("middle", NULL, &ca, true, -10, 100);
    save(&ca, "ca.pem", NULL, NULL);
    save(&middle, "middle.pem", NULL, NULL);

    test_good(TLS1_3_VERSION, "TLSv1.3");
    test_good(TLS1_2_VERSION, "TLSv1.2");
    test_together(TLS1_3_VERSION);
    test_together(TLS1_2_VERSION);
    test_last_words(TLS1_3_VERSION);
    test_last_words(TLS1_2_VERSION);
    test_truncated();
    test_flood();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        test_refusal(&refusals[i]);
    test_chains();
    test_pins();
    test_failures();
    test_injection();
    test_late_injection(50, 150, "bytes follow the answer to STLS");
    test_late_injection(250, 0, "goes on without TLS");
    test_identities();
    test_binding(TLS1_3_VERSION, false, "tls-exporter", 0, 32);
    test_binding(TLS1_2_VERSION, false, "tls-unique", 1, 12);
    test_binding(TLS1_2_VERSION, true, "tls-server-end-point", 2, 32);
    test_sni("pop.test", "DNS:pop.test", "pop.test");
    test_sni("pop.test.", "DNS:pop.test", "pop.test");
    test_sni("127.0.0.1", "IP:127.0.0.1", "-");
    test_options();
    test_ca_dir();
    clean_up();
    return tap_done();
}
