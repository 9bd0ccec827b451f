/* SPDX-License-Identifier: ISC */
/*
 * What a SOCKS5 proxy answers. Byte 0: with or without a user; byte 1: how many bytes come at once.
 */
#include "fuzz/fuzz.h"
#include "net/socks.h"

#define SECRET "s3cr3t-w0rd"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {data, size};
    bool named = fuzz_byte(&fuzz) & 1;
    size_t step = 1 + fuzz_byte(&fuzz), taken = 0;
    struct secret password = {0};
    struct socks socks;
    struct err err = {0};
    fuzz_check(secret_set(&password, str_from(SECRET)) == 0);
    struct socks_target target = {.host = "pop.example.com",
                                  .port = 995,
                                  .user = named ? "alice" : NULL,
                                  .password = &password};
    fuzz_check(socks_begin(&socks, &target, &err) == 0);
    int result = 0;
    while (result == 0 && socks_wants(&socks) > 0 && fuzz.left > 0) {
        size_t len = socks_wants(&socks) < step ? socks_wants(&socks) : step;
        len = len < fuzz.left ? len : fuzz.left;
        fuzz_check(socks.out_len <= sizeof socks.out);
        socks.out_len = 0;
        char *piece = fuzz_copy(fuzz.at, len);
        result = socks_take(&socks, (const unsigned char *)piece, len, &err);
        free(piece);
        fuzz.at += len;
        fuzz.left -= len;
        taken += len;
    }
    /* Its three answers are so long at most: it cannot swallow the server's bytes. */
    fuzz_check(taken <= 2 + 2 + 4 + 1 + 255 + 2);
    fuzz_check(result == 0 || (err.text[0] != '\0' && strstr(err.text, SECRET) == NULL));
    if (result == 0 && socks_wants(&socks) == 0)
        fuzz_check(socks.step == SOCKS_DONE);
    socks_end(&socks);
    for (size_t i = 0; i < sizeof socks.out; i++)
        fuzz_check(socks.out[i] == 0);
    secret_wipe(&password);
    return 0;
}
