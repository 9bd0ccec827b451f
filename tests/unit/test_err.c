/* SPDX-License-Identifier: ISC */
/*
 * err: texts, kinds, and the table behind exit statuses.
 */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

static void test_set(void)
{
    struct err err;
    err_clear(&err);
    is_int(err.kind, ERR_NONE, "clear: no kind");
    is_str(err.text, "", "clear: no text");
    is_int(err_set(&err, ERR_LOGIN, "refused by %s", "host"), -1, "err_set gives -1");
    is_int(err.kind, ERR_LOGIN, "kind is set");
    is_str(err.text, "refused by host", "text is set");
    is_int(err_prefix(&err, "account %d", 7), -1, "err_prefix gives -1");
    is_str(err.text, "account 7: refused by host", "words before it");
    is_int(err.kind, ERR_LOGIN, "the kind stays");
    err_set(&err, ERR_AGAIN, "(%s)", err.text);
    is_str(err.text, "(account 7: refused by host)", "the old text may be an argument");
    is_int(err_set(NULL, ERR_IO, "x"), -1, "no err to set");
    is_int(err_errno(NULL, ERR_IO, EIO, "x"), -1, "no err to set, with errno");
    is_int(err_prefix(NULL, "x"), -1, "no err to prefix");
    err_clear(NULL);
}

static void test_long(void)
{
    struct err err;
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_IO, "%s", text);
    is_int((int)strlen(err.text), ERR_TEXT_MAX - 1, "long words are cut");
    err_prefix(&err, "b");
    is_int((int)strlen(err.text), ERR_TEXT_MAX - 1, "and again with a prefix");
    ok(strncmp(err.text, "b: aaa", 6) == 0, "the prefix is not what is cut");
    err_prefix(&err, "%s", text);
    is_int((int)strlen(err.text), ERR_TEXT_MAX - 1, "a prefix that is too long alone");
}

static void test_errno(void)
{
    static const struct {
        int number;
        enum err_kind want;
    } table[] = {
        {ENOSPC, ERR_LOCAL},  {EDQUOT, ERR_LOCAL},  {ENOMEM, ERR_SYSTEM}, {EMFILE, ERR_SYSTEM},
        {ENFILE, ERR_SYSTEM}, {EAGAIN, ERR_SYSTEM}, {EIO, ERR_IO},        {EACCES, ERR_IO},
    };
    struct err err;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        is_int(err_errno(&err, ERR_IO, table[i].number, "f"), -1, "err_errno gives -1");
        is_int(err.kind, table[i].want, strerror(table[i].number));
    }
    char want[200];
    snprintf(want, sizeof want, "cannot read x: %s; check the path", strerror(ENOENT));
    err_errno(&err, ERR_IO, ENOENT, "cannot read %s", "x");
    is_str(err.text, want, "what the system says, and what to do");
    snprintf(want, sizeof want, "cannot read a;b: %s; check the path", strerror(ENOENT));
    err_errno(&err, ERR_IO, EISDIR, "cannot read %s", "x");
    ok(strstr(err.text, "; name a file") != NULL, "a folder: %s", err.text);
    err_errno(&err, ERR_IO, EPIPE, "cannot write %s", "x");
    ok(strstr(err.text, "; nobody reads it any more") != NULL, "a pipe: %s", err.text);
    err_errno(&err, ERR_IO, ENOENT, "cannot read %s", "a;b");
    is_str(err.text, want, "a semicolon in a path does not take the advice away");
}

static void test_statuses(void)
{
    static const int want[ERR_KINDS] = {
        [ERR_USAGE] = 64,         [ERR_MESSAGE] = 65,  [ERR_HOST] = 68,
        [ERR_REFUSED] = 69,       [ERR_WORKER] = 70,   [ERR_SYSTEM] = 71,
        [ERR_CREATE] = 73,        [ERR_IO] = 74,       [ERR_AGAIN] = 75,
        [ERR_TIMEOUT] = 75,       [ERR_CLOSED] = 75,   [ERR_LOCKED] = 75,
        [ERR_STOPPED] = 75,       [ERR_PROTOCOL] = 76, [ERR_FRAMING] = 76,
        [ERR_LOGIN] = 77,         [ERR_TRUST] = 77,    [ERR_CONFIG] = 78,
        [ERR_DELAY] = 75,         [ERR_LOCAL] = 75,    [ERR_PASSWORD_REFUSED] = 77,
        [ERR_LOGIN_REFUSED] = 77, [ERR_NETWORK] = 75,  [ERR_BUSY] = 75,
    };
    for (int kind = 0; kind < ERR_KINDS; kind++)
        ok(err_status((enum err_kind)kind) == want[kind], "the exit status of %s",
           err_word((enum err_kind)kind));
    ok(err_keeps_connection(ERR_MESSAGE), "one message does not cost the connection");
    ok(err_keeps_connection(ERR_IO), "nor does a local file");
    ok(!err_keeps_connection(ERR_FRAMING), "being out of step does");
    ok(!err_keeps_connection(ERR_TIMEOUT), "a timeout does");
}

/* 65 was told with its messages; 64, 70 to 74 and 78 are ours; what comes from the other side stays
 * (68, 69, 76, 77) or may pass (75), and of 75 some is ours. */
static void test_sides(void)
{
    for (int kind = 0; kind < ERR_KINDS; kind++) {
        int status = err_status((enum err_kind)kind);
        bool ours =
            kind == ERR_LOCAL || kind == ERR_LOCKED || kind == ERR_STOPPED || kind == ERR_BUSY;
        enum err_side want = status == 0 || status == 65 ? ERR_SIDE_NONE
                             : status == 75 && !ours     ? ERR_SIDE_PASSES
                             : status == 68 || status == 69 || status == 76 || status == 77
                                 ? ERR_SIDE_STAYS
                                 : ERR_SIDE_HERE;
        is_int(err_whose((enum err_kind)kind), want, "whose trouble a kind is");
    }
}

static void test_worst(void)
{
    static const int order[] = {64, 70, 71, 78, 77, 76, 74, 73, 69, 68, 65, 75, 0};
    const size_t n = sizeof order / sizeof order[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int want = order[i < k ? i : k];
            if (err_worst(order[i], order[k]) != want)
                ok(false, "worse of %d and %d", order[i], order[k]);
        }
    }
    ok(true, "every pair was compared");
    is_int(err_worst(139, 78), 139, "a status of nobody's is as bad as a dead worker");
    is_int(err_worst(64, 139), 64, "but for usage");
}

int main(void)
{
    test_set();
    test_long();
    test_errno();
    test_statuses();
    test_sides();
    test_worst();
    return tap_done();
}
