/* SPDX-License-Identifier: ISC */
/*
 * The head of a message as it streams past: in whatever pieces it comes, fingerprint and addresses
 * are the same, and an address is clean.
 */
#include "base/header.h"
#include "fuzz/fuzz.h"

struct result {
    unsigned char print[HEADER_FINGERPRINT];
    bool done;
    enum header_kind kind;
    char sender[HEADER_ADDRESS_MAX + 1], recipient[HEADER_ADDRESS_MAX + 1];
};

static void keep_address(char *out, const char *address)
{
    size_t len = strlen(address);
    fuzz_check(len <= HEADER_ADDRESS_MAX);
    for (size_t i = 0; i < len; i++)
        fuzz_check(address[i] > 0x20 && address[i] < 0x7f);
    memcpy(out, address, len + 1);
}

static struct result read_header(struct str in, size_t step)
{
    struct result result;
    memset(&result, 0, sizeof result);
    struct header *header = header_new();
    for (size_t at = 0; at < in.len; at += step) {
        size_t len = in.len - at < step ? in.len - at : step;
        char *piece = fuzz_copy(in.ptr + at, len);
        header_feed(header, piece, len);
        free(piece);
    }
    result.done = header_is_done(header);
    header_fingerprint(header, result.print);
    result.kind = header_kind(header);
    keep_address(result.sender, header_sender(header));
    keep_address(result.recipient, header_recipient(header));
    header_free(header);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {data, size};
    size_t step = 1 + fuzz_byte(&fuzz);
    struct str in = fuzz_rest(&fuzz);
    struct result whole = read_header(in, in.len + 1), pieces = read_header(in, step);
    fuzz_check(memcmp(whole.print, pieces.print, sizeof whole.print) == 0);
    fuzz_check(whole.done == pieces.done && whole.kind == pieces.kind);
    fuzz_check(strcmp(whole.sender, pieces.sender) == 0);
    fuzz_check(strcmp(whole.recipient, pieces.recipient) == 0);
    return 0;
}
