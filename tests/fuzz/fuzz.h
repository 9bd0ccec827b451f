/* SPDX-License-Identifier: ISC */
/*
 * fuzz: what the fuzz targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput. `make fuzz` links it to libFuzzer; `make check`
 * links it to replay.c, which runs it over its corpus, so that every past finding is tried by any
 * compiler. A target must end, stay within the sanitizers and keep the promises that it checks with
 * fuzz_check; it does not care what an input means.
 */
#ifndef FP_TESTS_FUZZ_H
#define FP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that was broken ends the process, which is what libFuzzer calls a finding. */
#define fuzz_check(good)                                                                           \
    do {                                                                                           \
        if (!(good)) {                                                                             \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #good);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What a person is told: UTF-8, which utf8_show makes a line with nothing that changes how it looks. */
static inline void fuzz_check_told(const char *told)
{
    char shown[8192];
    struct str text = str_from(told);
    while (text.len > 0)
        fuzz_check(utf8_take(&text) != UTF8_NONE);
    utf8_show(str_from(told), shown, sizeof shown);
    for (text = str_from(shown); text.len > 0;)
        fuzz_check(!utf8_is_control(utf8_take(&text)));
}

/* The bytes of an input, taken from the front. */
struct fuzz {
    const uint8_t *at;
    size_t left;
};

static inline unsigned fuzz_byte(struct fuzz *fuzz)
{
    if (fuzz->left == 0)
        return 0;
    fuzz->left--;
    return *fuzz->at++;
}

static inline struct str fuzz_rest(const struct fuzz *fuzz)
{
    return str_of(fuzz->at, fuzz->left);
}

/* A copy of exactly that size, so that a read past its end is one past the allocation. */
static inline char *fuzz_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    fuzz_check(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static inline bool fuzz_is_within(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* A folder of its own for this process, made at the first call (in /dev/shm where there is one)
 * and removed with all that is in it at exit. */
const char *fuzz_folder(void);
/* Removes everything in a folder, but not the folder itself. */
void fuzz_empty(const char *path);
/* Writes a file there. */
void fuzz_write(const char *path, const void *bytes, size_t len);

#endif
