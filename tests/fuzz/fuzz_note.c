/* SPDX-License-Identifier: ISC */
/*
 * The note of a mailbox. Head and sum are made here, since no fuzzer guesses a checksum; an input
 * that begins with '!' is the whole file. Whatever is there: it is read or says nothing, no time is
 * one that cannot be true, and what is written is read again as it was.
 */
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "state/mailbox.h"
#include "state/note.h"

#define NOW 1800000000

static char *path;

static struct note *load(void)
{
    return note_load(fuzz_folder(), "pop.example.com", "alice", NOTE_WRITE, NOW);
}

static void write_file(struct str in)
{
    struct buf out;
    if (in.len > 0 && in.ptr[0] == '!') {
        fuzz_write(path, in.ptr + 1, in.len - 1);
        return;
    }
    char mailbox[MAILBOX_ID + 1];
    mailbox_id("pop.example.com", "alice", mailbox);
    buf_init(&out, in.len + 1024);
    buf_addf(&out, "fetchpop-note 1 %s\n", mailbox);
    buf_add(&out, in.ptr, in.len);
    buf_addf(&out, "sum %08lx\n", (unsigned long)digest_crc32(0, out.data, out.len));
    fuzz_write(path, out.data, out.len);
    buf_free(&out);
}

static void check_times(const struct note *note)
{
    fuzz_check(note->not_before <= NOW + NOTE_DELAY_MAX);
    fuzz_check(note->failing_since <= NOW && note->polled <= NOW && note->refused.when <= NOW);
    fuzz_check(note->told_status == 0 || note->told_when <= NOW);
    fuzz_check(note->told_status >= 0 && note->told_status <= 255);
    fuzz_check(note->refused.next <= NOW + NOTE_DELAY_MAX && note->worked_when <= NOW);
    fuzz_check(note->held_told <= NOW && note->no_capa <= NOW && note->one_by_one <= NOW);
    fuzz_check(memchr(note->trouble, '\0', sizeof note->trouble) != NULL);
    fuzz_check(memchr(note->refused.text, '\0', sizeof note->refused.text) != NULL);
}

static bool same_capa(const struct note *a, const struct note *b)
{
    int64_t when_a, when_b;
    struct str capa_a = note_capa(a, &when_a), capa_b = note_capa(b, &when_b);
    return str_equal(capa_a, capa_b) && when_a == when_b && capa_a.len <= NOTE_CAPA_MAX;
}

static void check_same(const struct note *a, const struct note *b)
{
    fuzz_check(a->not_before == b->not_before);
    fuzz_check(a->not_before == 0 || a->why == b->why);
    fuzz_check(a->failures == b->failures);
    fuzz_check(a->failures == 0 || a->failing_since == b->failing_since);
    fuzz_check(a->told_status == b->told_status && a->polled == b->polled);
    fuzz_check(a->told_status == 0 || a->told_hash == b->told_hash);
    fuzz_check(a->refused.secret.known == b->refused.secret.known);
    fuzz_check(!a->refused.secret.known || strcmp(a->refused.text, b->refused.text) == 0);
    fuzz_check(!a->refused.secret.known ||
               memcmp(a->refused.secret.check, b->refused.secret.check, NOTE_CHECK) == 0);
    fuzz_check(!a->refused.secret.known || a->refused.tries == b->refused.tries);
    fuzz_check(a->worked.known == b->worked.known && a->expires == b->expires);
    fuzz_check(strcmp(a->trouble, b->trouble) == 0 && a->utf8 == b->utf8);
    fuzz_check(strcmp(a->pin, b->pin) == 0 && a->pin_when == b->pin_when);
    fuzz_check(same_capa(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (path == NULL) {
        char *stem = mailbox_stem("pop.example.com", "alice");
        path = xasprintf("%s/%s.note", fuzz_folder(), stem);
        free(stem);
    }
    write_file(str_of(data, size));
    struct note *note = load();
    check_times(note);
    note->polled = NOW - 1;
    fuzz_check(note_save(note) == 0);
    struct note *again = load();
    check_times(again);
    check_same(note, again);
    note_free(again);
    note_free(note);
    return 0;
}
