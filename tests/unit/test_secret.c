/* SPDX-License-Identifier: ISC */
/*
 * secret: copies, and what is left of them.
 */
#include "base/secret.h"

#include <stdlib.h>

#include "tap.h"

static void test_set(void)
{
    struct secret secret = {NULL, 0};
    is_int((long long)secret_str(&secret).len, 0, "a new secret is none");
    is_int(secret_set(&secret, str_of("a\0b", 3)), 0, "a secret may hold a NUL");
    is_mem(secret.data, secret.len, "a\0b", 3, "the NUL is kept");
    is_int(secret.data[3], 0, "a NUL stands behind the secret");
    is_int(secret_set(&secret, str_of(secret.data + 1, 2)), 0,
           "a secret may be set to a part of itself");
    is_mem(secret.data, secret.len, "\0b", 2, "is copied before the wipe");
    is_int(secret_set(&secret, str_from("")), 0, "a secret may be empty");
    ok(secret.data != NULL && secret.len == 0, "an empty secret is one all the same");
    secret_wipe(&secret);
    ok(secret.data == NULL && secret.len == 0, "a wiped secret is none");
    secret_wipe(&secret);
    ok(secret.data == NULL, "a secret may be wiped twice");
}

static void test_limit(void)
{
    struct secret secret = {NULL, 0};
    char *big = calloc(1, SECRET_MAX + 1);
    is_int(secret_set(&secret, str_from("old")), 0, "a secret is set");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX + 1)), -1,
           "a secret longer than the limit is refused");
    is_mem(secret.data, secret.len, "old", 3, "the refused one leaves the first alone");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX)), 0,
           "a secret as long as the limit is taken");
    is_int((long long)secret.len, SECRET_MAX, "it is kept whole");
    secret_wipe(&secret);
    free(big);
}

static void test_wipe_bytes(void)
{
    char bytes[8] = "1234567";
    secret_wipe_bytes(bytes + 2, 3);
    is_mem(bytes, sizeof bytes,
           "12\0\0\0"
           "67",
           8, "wipes what it is told to and no more");
    secret_wipe_bytes(NULL, 0);
}

int main(void)
{
    test_set();
    test_limit();
    test_wipe_bytes();
    return tap_done();
}
