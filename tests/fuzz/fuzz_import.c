/* SPDX-License-Identifier: ISC */
/*
 * Files of other fetchers: their configuration, and their lists of UIDLs. What is made of a
 * configuration is read as one of ours, without a NUL or a line that would be none of ours.
 */
#include "fuzz/fuzz.h"
#include "import/import.h"
#include "import/seen.h"

#define OUT_MAX ((size_t)4 * 1024 * 1024)

/* Outside of accounts there are comments alone, and a line is as long as its text. */
static void check_lines(struct str out)
{
    bool inside = false;
    while (out.len > 0) {
        struct str line = str_until(&out, '\n');
        bool opens = str_has_prefix(line, "account \"");
        fuzz_check(line.len == 0 || line.ptr[0] == '#' || inside == (line.ptr[0] != 'a'));
        fuzz_check(!inside || line.ptr[0] == ' ' || str_is(line, "}"));
        inside = opens || (inside && !str_is(line, "}"));
    }
    fuzz_check(!inside);
}

static void import(const char *name, struct str text)
{
    const struct translate_place place = {"file", "/folder", true, "alice"};
    struct import import;
    struct err err = {0};
    struct buf out;
    buf_init(&out, OUT_MAX);
    import_begin(&import, import_find(name));
    int result = import_add(&import, text, &place, &err);
    fuzz_check(result == 0 ? import.sheets.count > 0 : err.kind == ERR_CONFIG);
    import_spell(&import, &out);
    fuzz_check(out.len > 0 && memchr(out.data, '\0', out.len) == NULL);
    check_lines(buf_str(&out));
    import_end(&import);
    buf_free(&out);
}

static void take(void *ctx, const struct seen *seen)
{
    const struct str *text = ctx;
    fuzz_check(seen->uidl.len > 0 && seen->uidl.len <= 255 && seen->when >= 0);
    fuzz_check(seen->uidl.ptr >= text->ptr &&
               seen->uidl.ptr + seen->uidl.len <= text->ptr + text->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"fetchmail", "mpop", "getmail", "fdm", "uidl"};
    char *copy = fuzz_copy(data, size);
    struct str text = str_of(copy, size);
    (void)import_recognise(text);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (import_find(names[i]) != NULL)
            import(names[i], text);
        struct err err = {0};
        int result = seen_read(seen_find(names[i]), text, take, &text, &err);
        fuzz_check(result == 0 || err.kind == ERR_CONFIG);
    }
    free(copy);
    return 0;
}
