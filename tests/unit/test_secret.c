/*
 * secret: copies, and what is left of them.
 */
#include "base/secret.h"

#include <stdlib.h>

#include "tap.h"

static void test_set(void)
{
    struct secret secret = {NULL, 0};
    is_int((long long)secret_str(&secret).len, 0, "none at birth");
    is_int(secret_set(&secret, str_of("a\0b", 3)), 0, "a NUL is legal");
    is_mem(secret.data, secret.len, "a\0b", 3, "and kept");
    is_int(secret.data[3], 0, "a NUL is behind it");
    is_int(secret_set(&secret, str_of(secret.data + 1, 2)), 0, "a part of itself");
    is_mem(secret.data, secret.len, "\0b", 2, "is copied before the wipe");
    is_int(secret_set(&secret, str_from("")), 0, "an empty one");
    ok(secret.data != NULL && secret.len == 0, "is one all the same");
    secret_wipe(&secret);
    ok(secret.data == NULL && secret.len == 0, "wiped");
    secret_wipe(&secret);
    ok(secret.data == NULL, "twice is fine");
}

static void test_limit(void)
{
    struct secret secret = {NULL, 0};
    char *big = calloc(1, SECRET_MAX + 1);
    is_int(secret_set(&secret, str_from("old")), 0, "a first one");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX + 1)), -1, "one that is too long");
    is_mem(secret.data, secret.len, "old", 3, "leaves the first alone");
    is_int(secret_set(&secret, str_of(big, SECRET_MAX)), 0, "the longest");
    is_int((long long)secret.len, SECRET_MAX, "is whole");
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
