/* SPDX-License-Identifier: ISC */
/*
 * tls_options: what a caller asks of TLS, and how the server's certificate is to be checked.
 */
#ifndef FP_NET_TLS_OPTIONS_H
#define FP_NET_TLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/secret.h"

#define TLS_PIN_TEXT 45 /* a pin in base64, with its NUL */

enum tls_trust { TLS_TRUST_CA, TLS_TRUST_PIN, TLS_TRUST_BOTH, TLS_TRUST_TOFU };

/* All texts are borrowed for the life of the tls. NULL means the default. */
struct tls_options {
    const char *host;    /* the name to be checked and sent as SNI */
    const char *ca_file; /* PEM; NULL and ca_dir NULL: the system's trust */
    const char *ca_dir;
    const char *cert_file; /* client certificate, PEM */
    const char *key_file;
    const struct secret *key_password;
    const char *crl_file;
    enum tls_trust trust;
    const char *const *pins; /* SHA-256 of the public key (SPKI), base64 or hex, NULL-terminated */
    /* With TLS_TRUST_TOFU, in place of pins: the one that was noted at the first sight of the
     * server's key (NULL: this is the first sight, any key will do), when that was (seconds since
     * 1970, 0: not known), and for which account. */
    const char *noted;
    int64_t noted_when;
    const char *account;
    const char *min_version; /* "1.2" (default) or "1.3" */
    const struct log *log;   /* blanks secrets in texts of the server; may be NULL */
    bool worked;             /* the server has let this account in, like this; for error texts */
    bool upgraded; /* the connection began in the clear (STLS); set by conn, for error texts */
};

#endif
