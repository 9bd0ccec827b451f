/* SPDX-License-Identifier: ISC */
/*
 * The .netrc file.
 */
#include "app/netrc.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const users[] = {"alice", "bob"};
    char *copy = fuzz_copy(data, size);
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct secret secret = {0};
        struct err err = {0};
        int found =
            netrc_find(str_of(copy, size), "netrc", "pop.example.com", users[i], &secret, &err);
        fuzz_check(found >= -1 && found <= 1);
        fuzz_check(found == 1 ? secret.data != NULL : secret.data == NULL);
        fuzz_check(found >= 0 || (err.kind == ERR_CONFIG && strncmp(err.text, "netrc:", 6) == 0));
        secret_wipe(&secret);
    }
    free(copy);
    return 0;
}
