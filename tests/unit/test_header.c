/* SPDX-License-Identifier: ISC */
/*
 * header: one fingerprint however the bytes arrive, and addresses out of odd fields.
 */
#include "base/header.h"

#include <stdlib.h>

#include "base/digest.h"
#include "tap.h"

/* Feeds `first` bytes, then the rest (or one byte at a time if `single`). */
static struct header *fed(struct str text, size_t first, bool single)
{
    struct header *header = header_new();
    if (single) {
        for (size_t i = 0; i < text.len; i++)
            header_feed(header, text.ptr + i, 1);
    } else {
        header_feed(header, text.ptr, first);
        header_feed(header, text.ptr + first, text.len - first);
    }
    return header;
}

static void print_of(struct str text, size_t first, bool single,
                     unsigned char out[HEADER_FINGERPRINT])
{
    struct header *header = fed(text, first, single);
    header_fingerprint(header, out);
    header_feed(header, "more\n", 5);
    header_free(header);
}

static bool same(struct str a, struct str b)
{
    unsigned char x[HEADER_FINGERPRINT];
    unsigned char y[HEADER_FINGERPRINT];
    print_of(a, a.len, false, x);
    print_of(b, b.len, false, y);
    return memcmp(x, y, sizeof x) == 0;
}

static const char mail[] = "From bob@example.com Mon Jan  1 00:00:00 2024\n"
                           "Return-Path: <bob@example.com>\n"
                           "Status: RO\n"
                           "\tfolded status\n"
                           "X-UID : 17\n"
                           "no colon here\n"
                           ": no name\n"
                           "Subject: a\r b\n"
                           " folded\n"
                           "\r\r \n"
                           "content-LENGTH: 99\n"
                           "A-Name-That-Is-Much-Longer-Than-Any-That-We-Know: x\n"
                           "lines: 3\n"
                           "To: carol@example.org\n"
                           "\n"
                           "Status: this is the body\n";

/* What of it counts, written down by hand. */
static const char counted[] = "From bob@example.com Mon Jan  1 00:00:00 2024\n"
                              "no colon here\n"
                              ": no name\n"
                              "Subject: a\r b\n"
                              " folded\n"
                              "\r\r \n"
                              "A-Name-That-Is-Much-Longer-Than-Any-That-We-Know: x\n"
                              "To: carol@example.org\n";

static void test_splits(void)
{
    struct str text = str_from(mail);
    unsigned char whole[DIGEST_SIZE];
    unsigned char got[HEADER_FINGERPRINT];
    digest_bytes(str_from(counted), whole);
    print_of(text, text.len, false, got);
    is_mem(got, sizeof got, whole, sizeof got, "the digest of what counts");
    print_of(text, 0, true, got);
    is_mem(got, sizeof got, whole, sizeof got, "the digest is the same byte by byte");
    bool good = true;
    for (size_t split = 0; split <= text.len; split++) {
        print_of(text, split, false, got);
        struct header *header = fed(text, split, false);
        good = good && memcmp(got, whole, sizeof got) == 0 && header_is_done(header) &&
               strcmp(header_sender(header), "bob@example.com") == 0 &&
               strcmp(header_recipient(header), "carol@example.org") == 0;
        header_free(header);
    }
    ok(good, "the digest is the same in two parts, wherever they meet");
}

static void test_ends(void)
{
    struct str text = str_from("Subject: x\nTo: y@z\n");
    struct header *header = fed(text, 3, false);
    ok(!header_is_done(header), "before the empty line the header is not done");
    header_feed(header, "\n", 1);
    ok(header_is_done(header), "at the empty line the header is done");
    header_free(header);
    ok(same(text, str_from("Subject: x\nTo: y@z\n\n")), "an empty line changes nothing");
    ok(same(text, str_from("Subject: x\nTo: y@z\n\nbody\n\n")),
       "a body makes no difference to the digest");
    ok(same(text, str_from("Subject: x\nTo: y@z\n\r\nbody\n")), "a CR alone is as good as empty");
    ok(same(text, str_from("Subject: x\nTo: y@z")), "nor does a missing line end");
    ok(same(str_from("Subject"), str_from("Subject\n\n")),
       "an end within a name is as good as one with an empty line");
    ok(!same(text, str_from("Subject: x\nTo: y@w\n")),
       "another byte in a field makes another digest");
    ok(!same(text, str_from("Subject: x\n\nTo: y@z\n")), "and another place of the empty line");
    ok(same(str_from(""), str_from("\n")), "no header at all has the digest of an empty one");
    ok(same(str_from(""), str_from("Status: RO\n\n")),
       "a header of nothing but changing fields has the digest of an empty one");
    ok(!same(str_from("A: b\n"), str_from("A: b\n \n")), "a line of blanks is a folded line");
    ok(!same(str_of("A: \0x\n", 6), str_of("A: \0y\n", 6)), "bytes behind a NUL count");
}

static void test_left_out(void)
{
    static const char *const names[] = {"Status", "X-Status",   "X-Keywords",     "X-UID", "X-UIDL",
                                        "X-IMAP", "X-IMAPbase", "Content-Length", "Lines", "STATUS",
                                        "x-uidl", "Received",   "return-path"};
    static const char *const others[] = {"X-Statu", "X-StatusX", "Statu",  "X-UI",
                                         "Line",    "",          "Receive"};
    char text[100];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(text, sizeof text, "A: b\n%s: v\n w\nC: d\n", names[i]);
        ok(same(str_from(text), str_from("A: b\nC: d\n")), "%s does not count", names[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(text, sizeof text, "A: b\n%s: v\n w\nC: d\n", others[i]);
        ok(!same(str_from(text), str_from("A: b\nC: d\n")), "%s does", others[i]);
    }
}

static void test_long(void)
{
    size_t len = 300000;
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    memcpy(text, "To: ", 4);
    memcpy(text + len - 8, "\nA: b\n\n\n", 8);
    unsigned char before[HEADER_FINGERPRINT];
    unsigned char after[HEADER_FINGERPRINT];
    print_of(str_of(text, len), 1000, false, before);
    print_of(str_of(text, len), 299995, false, after);
    is_mem(after, sizeof after, before, sizeof before,
           "a line beyond any limit has the same digest in pieces");
    text[200000] = 'y';
    print_of(str_of(text, len), 1000, false, after);
    ok(memcmp(before, after, sizeof before) != 0, "the last byte of a giant line counts");
    struct header *header = fed(str_of(text, len), 5, false);
    is_str(header_recipient(header), "", "a giant line gives no address");
    header_free(header);
    memset(text, '\r', len);
    ok(!same(str_of(text, len), str_of(text, 0)) == false, "CRs without end are no line");
    free(text);
}

static void test_sender(void)
{
    static const struct {
        const char *text;
        const char *want;
    } table[] = {
        {"From: alice@example.com\n", "alice@example.com"},
        {"from : Alice <alice@example.com>\n", "alice@example.com"},
        {"From: \"Al <x@y>, \\\" ice\" <alice@example.com>, b@c\n", "alice@example.com"},
        {"From: alice@example.com (Al (the) \\) ice), bob@example.com\n", "alice@example.com"},
        {"From: Alice\n <alice@example.com>\n", "alice@example.com"},
        {"From:\n\talice@example.com\n", "alice@example.com"},
        {"From: alice\n @example.com\n", ""},
        {"From: a@b, c@d\n", "a@b"},
        {"From: , ,a@b\n", "a@b"},
        {"From: friends: a@b, c@d;\n", "a@b"},
        {"From: nobody:;\n", ""},
        {"From: <@relay,@other:a@b>\n", "a@b"},
        {"From: < a@b >\n", "a@b"},
        {"From: \"a.b\"@c\n", "\"a.b\"@c"},
        {"From: \"a b\"@c\n", ""},
        {"From: <\"a>b\"@c>\n", "\"a>b\"@c"},
        {"From: a@[IPv6:::1]\n", "a@[IPv6:::1]"},
        {"From: [list] Al <a@b>\n", "a@b"},
        {"From: [list Al <a@b>\n", "a@b"},
        {"From: a@b\x01\n", ""},
        {"From: \xc3\xa4@b\n", ""},
        {"From: M\xc3\xbcller <m@b>\n", "m@b"},
        {"From: Alice <a@b\n", ""},
        {"From: \"open\n", ""},
        {"From: (open\n", ""},
        {"From: <\"open\n", ""},
        {"From: \\\n", "\\"},
        {"From:\n", ""},
        {"From a@b Mon\n", ""},
        {"Subject: x\n From: a@b\n", ""},
        {"\nFrom: a@b\n", ""},
        {"From: a@b\nFrom: c@d\n", "a@b"},
        {"From: a@b\nReturn-Path: <c@d>\n", "c@d"},
        {"From: a@b\nReturn-Path: <>\n", ""},
        {"From: a@b\nReturn-Path: c@d\nReturn-Path: e@f\n", "c@d"},
        {"To: a@b\n", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct header *header = fed(str_from(table[i].text), 0, true);
        header_feed(header, "\n", 1);
        is_str(header_sender(header), table[i].want,
               table[i].text[0] == '\n' ? "no header" : "sender");
        header_free(header);
    }
}

static void test_recipient(void)
{
    static const char *const names[] = {"To", "Envelope-To", "X-Original-To", "Delivered-To"};
    char text[300] = "";
    size_t len = 0;
    for (size_t i = 0; i < 4; i++) {
        char want[20];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s: u%zu@h\n", names[i], i);
        snprintf(want, sizeof want, "u%zu@h", i);
        struct header *header = fed(str_of(text, len), len, false);
        is_str(header_recipient(header), want, names[i]);
        is_str(header_recipient(header), want,
               "the recipient is the same when it is asked for again");
        is_str(header_sender(header), "", "a recipient alone gives no sender");
        header_free(header);
    }
}

static void test_address_length(void)
{
    char text[HEADER_VALUE_MAX + 200];
    for (size_t n = HEADER_ADDRESS_MAX - 1; n <= HEADER_ADDRESS_MAX + 1; n++) {
        memcpy(text, "To:", 3);
        memset(text + 3, 'a', n);
        text[3 + n] = '\n';
        struct header *header = fed(str_of(text, n + 4), 10, false);
        is_int((long long)strlen(header_recipient(header)),
               n <= HEADER_ADDRESS_MAX ? (long long)n : 0,
               "the longest address is taken, a longer one is not");
        header_free(header);
    }
    /* The address is cut in two by the bound: half of it is another address. */
    memset(text, ' ', sizeof text);
    memcpy(text, "To:", 3);
    memcpy(text + 3 + HEADER_VALUE_MAX - 3, "a@b.example", 11);
    text[sizeof text - 1] = '\n';
    struct header *header = fed(str_of(text, sizeof text), 10, false);
    is_str(header_recipient(header), "", "an address across the bound is none");
    header_free(header);
    memcpy(text + 10, "c@d,", 4);
    header = fed(str_of(text, sizeof text), 10, false);
    is_str(header_recipient(header), "c@d", "an address before one that is too long is taken");
    header_free(header);
}

static void test_identified(void)
{
    static const struct {
        const char *text;
        enum header_kind kind;
        const char *point;
    } rows[] = {
        {"message-id: <x@y>\ndate: Mon\n", HEADER_DATED,
         "Message-ID and Date in any case of letters"},
        {"Message-ID: <x@y>\n\nDate: Mon\n", HEADER_IDENTIFIED, "without a Date in the header"},
        {"Date: Mon\n Message-ID: <x@y>\n", HEADER_ANONYMOUS, "not by a folded line"},
        {"Date: Mon\nMessage-ID: <>\n", HEADER_ANONYMOUS, "not by an empty Message-ID"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct header *header = fed(str_from(rows[i].text), 5, false);
        ok(header_kind(header) == rows[i].kind, "%s", rows[i].point);
        header_free(header);
    }
    header_free(NULL);
}

/* The fingerprint and the identity of a text. */
static void digests(const char *text, unsigned char out[HEADER_FINGERPRINT + HEADER_IDENTITY])
{
    struct header *header = header_new();
    for (size_t i = 0; text[i] != '\0'; i++)
        header_feed(header, text + i, 1);
    header_fingerprint(header, out);
    header_identity(header, out + HEADER_FINGERPRINT);
    header_free(header);
}

static void test_identity(void)
{
#define ID "Message-ID: <x@y>\nDate: Mon\n"
    static const struct {
        const char *a, *b;
        bool header, identity;
        const char *point;
    } rows[] = {
        {ID "\none\n", ID "\ntwo\n", true, true, "the body of an identified message is nothing"},
        {ID "X: 1\n\n", ID "X: 2\n\n", false, true, "nor are its other fields"},
        {ID "\n", "Message-ID: <x@y>\nDate: Tue\n\n", false, false, "its Date is"},
        {"A: b\n\none\n", "A: b\n\ntwo\n", true, false, "in others the body counts"},
        {"A: b\n\none\n", "A: c\n\none\n", false, true, "and nothing else"},
        {"Received: by a\n  for b\n" ID "\n", ID "\n", true, true, "trace fields are left out"},
        {"Return-Path: <a>\n" ID "\n", ID "Delivered-To: b\n\n", true, true, "all of them"},
    };
    unsigned char a[HEADER_FINGERPRINT + HEADER_IDENTITY], b[sizeof a];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        digests(rows[i].a, a);
        digests(rows[i].b, b);
        ok((memcmp(a, b, HEADER_FINGERPRINT) == 0) == rows[i].header &&
               (memcmp(a + HEADER_FINGERPRINT, b + HEADER_FINGERPRINT, HEADER_IDENTITY) == 0) ==
                   rows[i].identity,
           "%s", rows[i].point);
    }
}

int main(void)
{
    test_splits();
    test_ends();
    test_left_out();
    test_long();
    test_sender();
    test_recipient();
    test_address_length();
    test_identified();
    test_identity();
    return tap_done();
}
