/* SPDX-License-Identifier: ISC */
/*
 * The JSON with which a server refuses a token, and the token itself.
 */
#include "fuzz/fuzz.h"
#include "pop3/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const fields[] = {"status", "error_description", "scope", ""};
    char *copy = fuzz_copy(data, size);
    struct str in = str_of(copy, size);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct str value = oauth_field(in, fields[i]);
        fuzz_check(fuzz_is_within(value, in));
    }
    if (oauth_is_token(in)) {
        struct buf message;
        fuzz_check(in.len > 0);
        oauth_bearer(&message, in, "pop.example.com", 995, in);
        fuzz_check(message.len > 2 * in.len && message.data[message.len - 1] == '\1');
        buf_free(&message);
        oauth_xoauth2(&message, in, in);
        fuzz_check(message.len > 2 * in.len);
        buf_free(&message);
    }
    free(copy);
    return 0;
}
