/* SPDX-License-Identifier: ISC */
/*
 * Challenges of a server: decoded, and given to libsasl2 and to our own mechanisms. The first byte
 * chooses the mechanism; each further line is a challenge, in base64 or (if it is none) raw.
 */
#include "base/digest.h"
#include "fuzz/fuzz.h"
#include "pop3/sasl.h"

#define CHALLENGES 8

/* The count of iterations is told by the server, and libsasl2 believes any: one of more than six
 * digits costs minutes, here and there. */
static bool is_slow(struct str challenge)
{
    size_t digits = 0;
    for (size_t i = 0; i < challenge.len; i++) {
        digits = challenge.ptr[i] >= '0' && challenge.ptr[i] <= '9' ? digits + 1 : 0;
        if (digits > 4)
            return true;
    }
    return false;
}

/* libsasl2's DIGEST-MD5 loses a few bytes with each challenge that it refuses; the worker that it
 * happens in ends with the poll. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the sanitizer's name */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static int step(struct sasl *sasl, struct str line)
{
    struct str response = {0};
    struct err err = {0};
    char *decoded = malloc(line.len + 1);
    long len = digest_unbase64(line, decoded, line.len);
    struct str challenge = len < 0 ? line : str_of(decoded, (size_t)len);
    char *alone = fuzz_copy(challenge.ptr, challenge.len);
    int result =
        is_slow(challenge) ? -1 : sasl_step(sasl, str_of(alone, challenge.len), &response, &err);
    free(alone);
    free(decoded);
    unsigned sum = 0; /* the answer can be read */
    for (size_t i = 0; result == 0 && i < response.len; i++)
        sum += (unsigned char)response.ptr[i];
    fuzz_check(sum < UINT32_MAX);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
                                             "DIGEST-MD5",    "NTLM",        "LOGIN",
                                             "PLAIN",         "OAUTHBEARER", "XOAUTH2"};
    struct fuzz fuzz = {data, size};
    const char *mechanism =
        mechanisms[fuzz_byte(&fuzz) % (sizeof mechanisms / sizeof mechanisms[0])];
    struct secret secret = {0};
    struct sasl *sasl;
    struct str initial, rest = fuzz_rest(&fuzz);
    struct err err = {0};
    fuzz_check(secret_set(&secret, str_from("s3cr3t-w0rd")) == 0);
    struct sasl_login login = {.server = "127.0.0.1",
                               .user = "alice",
                               .secret = &secret,
                               .secure = true,
                               .allow_plaintext = true};
    if (sasl_start(&sasl, &login, mechanism, &initial, &err) >= 0) {
        for (int i = 0; i < CHALLENGES && rest.len > 0; i++)
            if (step(sasl, str_until(&rest, '\n')) < 0)
                break;
        /* A server that does not know the password cannot prove that it does. */
        fuzz_check(strncmp(mechanism, "SCRAM", 5) != 0 || !sasl_is_done(sasl));
        sasl_end(sasl);
    } else {
        fuzz_check(err.kind == ERR_LOGIN);
    }
    secret_wipe(&secret);
    return 0;
}
