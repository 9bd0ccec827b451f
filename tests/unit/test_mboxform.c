/* SPDX-License-Identifier: ISC */
/* mboxrd: the quoting at every split point against a plain reference, and the From_ line. */
#include "delivery/mboxform.h"

#include "unit/kit_delivery.h"

/* Line by line, with all of the message at hand. */
static char *reference(const char *body, size_t len, size_t *out_len)
{
    char *out = xmalloc(2 * len + 3);
    size_t at = 0;
    for (size_t i = 0; i < len;) {
        size_t marks = i, end = i;
        while (marks < len && body[marks] == '>')
            marks++;
        if (len - marks >= 5 && memcmp(body + marks, "From ", 5) == 0)
            out[at++] = '>';
        while (end < len && body[end++] != '\n')
            ;
        memcpy(out + at, body + i, end - i);
        at += end - i;
        i = end;
    }
    if (len > 0 && body[len - 1] != '\n')
        out[at++] = '\n';
    out[at++] = '\n';
    *out_len = at;
    return out;
}

/* Forms a message given in two parts and then pieces; what is to be appended, malloced. */
static char *form(const char *body, size_t len, size_t split, size_t piece, size_t *out_len)
{
    struct spool_names names;
    spool_names_init(&names, KIT_A, KIT_STATE);
    struct parcel *parcel;
    struct err err = {0};
    int folder = open(kit_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool_begin(&parcel, folder, kit_folder, SPOOL_WHOLE, &names, &err) < 0 ||
        mboxform_into(parcel, &err) < 0)
        xdie(err.text);
    struct sink sink = spool_sink(parcel);
    for (size_t at = 0; at < len;) {
        size_t part = at < split ? split - at : piece;
        part = part < len - at ? part : len - at;
        if (sink.write(sink.ctx, body + at, part, &err) < 0)
            xdie(err.text);
        at += part;
    }
    if (mboxform_end(parcel, 1700000000, &err) < 0)
        xdie(err.text);
    struct span span = mboxform_span(parcel);
    char *out = xmalloc(span.length + 1);
    *out_len = (size_t)span_read(span.fd, span.offset, out, span.length + 1);
    spool_drop(parcel);
    close(folder);
    return out;
}

struct held {
    char bytes[400000];
    size_t len;
};

static int hold(void *ctx, const char *bytes, size_t len, struct err *err)
{
    struct held *held = ctx;
    (void)err;
    memcpy(held->bytes + held->len, bytes, len);
    held->len += len;
    return 0;
}

/* What was made of a message is the message again; one without an end gets one. */
static bool is_undone(const char *form, size_t form_len, size_t piece, const char *body, size_t len)
{
    static struct held held;
    struct err err;
    struct mboxform_undo undo = {.sink = {.write = hold, .ctx = &held}};
    held.len = 0;
    for (size_t at = 0; at < form_len; at += piece)
        if (mboxform_undo(&undo, form + at, form_len - at < piece ? form_len - at : piece, &err) <
            0)
            return false;
    bool lf = len > 0 && body[len - 1] != '\n';
    return held.len == len + lf && memcmp(held.bytes, body, len) == 0 &&
           (!lf || held.bytes[len] == '\n');
}

static bool agrees(const char *body, size_t len, size_t split, size_t piece)
{
    static const char line[] = "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n";
    size_t got_len, want_len;
    char *got = form(body, len, split, piece, &got_len);
    char *want = reference(body, len, &want_len);
    bool same = got_len == want_len + sizeof line - 1 && memcmp(got, line, sizeof line - 1) == 0 &&
                memcmp(got + sizeof line - 1, want, want_len) == 0;
    same = same && is_undone(want, want_len, piece, body, len);
    if (!same) {
        tap_bytes("     got", got, got_len);
        tap_bytes("expected", want, want_len);
    }
    free(got);
    free(want);
    return same;
}

static void try_splits(const char *body)
{
    size_t len = strlen(body), bad = 0;
    for (size_t split = 0; split <= len; split++)
        bad += !agrees(body, len, split, len + 1);
    bad += !agrees(body, len, 0, 1);
    bad += !agrees(body, len, 0, 2);
    bad += !agrees(body, len, 0, 3);
    ok(bad == 0, "%zu bytes at every split point", len);
}

static void try_mixtures(void)
{
    static const char *const parts[] = {"From ", ">", "\n", "F",      "Fr",      "Fro",
                                        "From",  " ", "x",  ">From ", "\nFrom ", "\r"};
    unsigned seed = 1;
    size_t bad = 0;
    for (int round = 0; round < 1500; round++) {
        char body[256] = "";
        size_t len = 0;
        for (unsigned i = seed % 12; i < 14; i++) {
            seed = seed * 1103515245 + 12345;
            const char *part = parts[seed / 65536 % 12];
            memcpy(body + len, part, strlen(part));
            len += strlen(part);
        }
        bad += !agrees(body, len, 0, 1 + seed / 65536 % 7);
    }
    ok(bad == 0, "1500 mixtures in small pieces");
}

static void try_long(void)
{
    size_t len = 200000;
    char *body = xmalloc(len);
    memset(body, '>', len);
    memcpy(body + len - 6, "From x", 6);
    ok(agrees(body, len, 0, 4096), "a very long run of > before From");
    memset(body, 'x', len);
    ok(agrees(body, len, 0, len), "one line longer than any buffer, without LF");
    for (size_t i = 0; i + 6 <= len; i += 6)
        memcpy(body + i, "From \n", 6);
    ok(agrees(body, len, 0, 1000), "every line a From_ line");
    free(body);
}

static void sender(const char *body, const char *want, const char *name)
{
    size_t len;
    char *got = form(body, strlen(body), 0, 1000, &len);
    char *line = xasprintf("From %s Tue Nov 14 22:13:20 2023\n", want);
    is_mem(got, len < strlen(line) ? len : strlen(line), line, strlen(line), name);
    free(line);
    free(got);
}

static void try_senders(void)
{
    sender("Return-Path: <a@b.example>\nFrom: c@d.example\n\nx\n", "a@b.example", "Return-Path");
    sender("From: C <c@d.example>\n\nx\n", "c@d.example", "From");
    sender("Return-Path: <>\nFrom: c@d.example\n\nx\n", "MAILER-DAEMON", "the null sender");
    sender("Subject: x\n\nx\n", "MAILER-DAEMON", "none at all");
    sender("From: <\"a b\"@d.example>\n\nx\n", "MAILER-DAEMON", "one with a blank");
    char longest[HEADER_ADDRESS_MAX + 1], body[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    snprintf(body, sizeof body, "From: <%s>\n\n", longest);
    sender(body, longest, "the longest that is kept");
}

int main(void)
{
    kit_fresh();
    try_splits("");
    try_splits("x");
    try_splits("From ");
    try_splits("From a\n>From b\n>>From c\n From d\nFrom;e\nFrom\nxFrom f\n>>>Fro\n>\n>x\nFrom ");
    try_splits("Subject: x\n\nbody\n>>>From here\nFrom\tthere\nFFrom x\nFrFrom x\n>F>From x\n");
    try_splits("no end of line\n\nFrom x");
    try_splits("\nFrom x\r\n\rFrom y\n\n\nFrom z\n");
    try_mixtures();
    try_long();
    try_senders();
    kit_remove(kit_folder);
    return tap_done();
}
