/* SPDX-License-Identifier: ISC */
/*
 * Encoded words: the result is UTF-8, no longer than asked for, and plain ASCII is left alone.
 */
#include "base/rfc2047.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct str in = str_of(copy, size);
    struct buf out;
    buf_init(&out, 8 * size + 100);
    rfc2047_decode(in, &out);
    if (utf8_is_ascii(in) && memmem(copy, size, "=?", 2) == NULL)
        fuzz_check(out.len <= size);
    for (struct str text = buf_str(&out); text.len > 0;)
        fuzz_check(utf8_take(&text) != UTF8_NONE);
    size_t whole = out.len;
    buf_free(&out);
    buf_init(&out, whole / 2);
    rfc2047_decode(in, &out);
    fuzz_check(out.len <= whole / 2);
    buf_free(&out);
    free(copy);
    return 0;
}
