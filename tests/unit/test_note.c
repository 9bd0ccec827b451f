/* SPDX-License-Identifier: ISC */
/*
 * note: what was saved is there again; whatever else lies in its place says nothing and hurts
 * nobody.
 */
#include "state/note.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "state/mailbox.h"
#include "state/rename.h"

#include "tap.h"

#define NOW 1800000000
#define PIN_A "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define PIN_B "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static char dir[] = "/tmp/test-note-XXXXXX";
static char *path, *fresh;

static struct note *load(void)
{
    return note_load(dir, "Pop.Example.com", "alice", NOTE_WRITE, NOW);
}

static void fill(struct note *note)
{
    note->not_before = NOW + 60;
    note->why = NOTE_WHY_BACK_OFF;
    note->failures = 3;
    note->failing_since = NOW - 600;
    note->told_status = 75;
    note->told_hash = UINT64_MAX;
    note->told_when = NOW - 1;
    note->polled = NOW - 1200;
    note->refused.secret.known = true;
    note->refused.when = NOW - 5;
    note->refused.tries = 2;
    note->refused.doubted = true;
    note->refused.next = NOW + 3600;
    note->worked = note->refused.secret;
    memset(note->worked.check, 0x77, sizeof note->worked.check);
    note->worked_when = NOW - 6;
    snprintf(note->trouble, sizeof note->trouble, "port 1 refuses");
    note->expires = 8;
    note->held_told = NOW - 9;
    note->no_capa = NOW - 10;
    note->end_told = NOW - 12;
    note->one_by_one = NOW - 11;
    note->utf8 = true;
    memset(note->refused.secret.salt, 0xa5, sizeof note->refused.secret.salt);
    memset(note->refused.secret.check, 0x1f, sizeof note->refused.secret.check);
    snprintf(note->refused.text, sizeof note->refused.text, "login refused: \"no\"; 100%% sure");
}

static bool is_empty(const struct note *note)
{
    int64_t when;
    return note->not_before == 0 && note->failures == 0 && note->failing_since == 0 &&
           note->told_status == 0 && note->polled == 0 && !note->refused.secret.known &&
           note_capa(note, &when).len == 0 && when == 0;
}

static void save_full(void)
{
    struct note *note = load();
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "the note is saved");
    note_free(note);
}

static ino_t inode(void)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

static void put(const void *bytes, size_t len)
{
    unlink(path);
    int fd = file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ok(fd >= 0 && file_write(fd, bytes, len, path, NULL) == 0, "%zu bytes are there", len);
    close(fd);
}

static void get(struct buf *buf)
{
    struct err err;
    int fd = file_open(path, O_RDONLY, 0);
    buf_init(buf, 65536);
    ok(fd >= 0 && file_read(fd, buf, path, &err) == 0, "the file can be read");
    close(fd);
}

static void test_there_and_back(void)
{
    struct note *note = load();
    ok(is_empty(note), "no file: an empty note");
    is_int(note_save(note), 0, "an empty note is saved");
    ok(access(path, F_OK) != 0, "which makes no file");
    note_free(note);
    save_full();
    struct stat status;
    ok(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600, "its mode is 0600");
    ok(access(fresh, F_OK) != 0, "no temporary file is left");
    note = load();
    struct note want = {0};
    fill(&want);
    int64_t when;
    is_int(note->not_before, want.not_before, "the moment of the next poll comes back");
    is_int(note->why, NOTE_WHY_BACK_OFF, "the reason for it comes back");
    is_int(note->failures, 3, "the number of failures comes back");
    is_int(note->failing_since, want.failing_since, "the first failure's time comes back");
    is_int(note->told_status, 75, "what was told");
    ok(note->told_hash == UINT64_MAX, "in which words");
    is_int(note->told_when, want.told_when, "when it was told comes back");
    is_int(note->polled, want.polled, "the last poll");
    ok(note->refused.secret.known, "a refused secret");
    is_int(note->refused.when, want.refused.when, "since when it is refused");
    is_mem(note->refused.secret.salt, NOTE_SALT, want.refused.secret.salt, NOTE_SALT,
           "the salt of its check comes back");
    is_mem(note->refused.secret.check, NOTE_CHECK, want.refused.secret.check, NOTE_CHECK,
           "its check comes back");
    is_str(note->refused.text, want.refused.text, "the words of the refusal come back");
    is_int(note->refused.tries, 2, "how often it was refused");
    ok(note->refused.doubted, "that it had worked before");
    is_int(note->refused.next, NOW + 3600, "when it may be tried again");
    ok(note->worked.known, "a secret that works");
    is_mem(note->worked.check, NOTE_CHECK, want.worked.check, NOTE_CHECK,
           "the check of the secret that works comes back");
    is_int(note->worked_when, NOW - 6, "when it last did");
    is_str(note->trouble, "port 1 refuses", "the words of the last failure");
    is_int(note->expires, 8, "when the server deletes");
    is_int(note->held_told, NOW - 9, "when held messages were told");
    is_int(note->no_capa, NOW - 10, "when CAPA got no answer");
    is_int(note->end_told, NOW - 12, "when the end of the certificate was told");
    is_int(note->one_by_one, NOW - 11, "when commands were lost");
    ok(note->utf8, "that UTF8 is needed");
    struct str capa = note_capa(note, &when);
    is_mem(capa.ptr, capa.len, "TOP\nUIDL\0\n", 10, "capabilities");
    is_int(when, NOW - 7, "when they were asked for");
    note_free(note);
}

static void test_written_if_changed(void)
{
    save_full();
    struct note *note = load();
    ino_t before = inode();
    is_int(note_save(note), 0, "saved as it is");
    ok(inode() == before, "and not written");
    note->failures++;
    is_int(note_save(note), 0, "saved with a change");
    ok(inode() != before, "a change is written");
    before = inode();
    is_int(note_save(note), 0, "it is saved once more");
    ok(inode() == before, "and not written again");
    note_free(note);
}

static void test_other_mailbox(void)
{
    save_full();
    struct note *other = note_load(dir, "pop.example.com", "bob", NOTE_WRITE, NOW);
    ok(is_empty(other), "another mailbox has another note");
    char *stem = mailbox_stem("pop.example.com", "bob");
    char *theirs = xasprintf("%s/%s.note", dir, stem);
    ok(rename(path, theirs) == 0, "a note under another name");
    note_free(other);
    other = note_load(dir, "pop.example.com", "bob", NOTE_WRITE, NOW);
    ok(is_empty(other), "says nothing there");
    other->failures = 1;
    is_int(note_save(other), 0, "and is replaced");
    note_free(other);
    other = note_load(dir, "pop.example.com", "bob", NOTE_WRITE, NOW);
    is_int(other->failures, 1, "by one that does");
    note_free(other);
    unlink(theirs);
    free(theirs);
    free(stem);
}

/* Each octet changed, each length cut: nothing is believed of it, nothing is written for it. */
static void test_junk(void)
{
    struct buf whole;
    unsigned torn = 0, changed = 0;
    save_full();
    get(&whole);
    for (size_t len = 0; len < whole.len; len++) {
        int fd = file_open(path, O_WRONLY | O_TRUNC, 0600);
        file_write(fd, whole.data, len, path, NULL);
        close(fd);
        struct note *note = load();
        torn += !is_empty(note);
        note_free(note);
    }
    is_int(torn, 0, "a torn note is none, wherever it was torn");
    for (size_t at = 0; at < whole.len; at++) {
        char *copy = xmemdup0(whole.data, whole.len);
        copy[at] ^= 1;
        int fd = file_open(path, O_WRONLY | O_TRUNC, 0600);
        file_write(fd, copy, whole.len, path, NULL);
        close(fd);
        struct note *note = load();
        changed += !is_empty(note);
        note_free(note);
        free(copy);
    }
    is_int(changed, 0, "nor is one with a bit turned");
    char *longer = xasprintf("%.*sx", (int)whole.len, whole.data);
    put(longer, whole.len + 1);
    struct note *note = load();
    ok(is_empty(note), "nor one with something behind it");
    is_int(note_save(note), 0, "as if there were none");
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "it is replaced when there is news");
    note_free(note);
    note = load();
    is_int(note->failures, 3, "and then holds it");
    note_free(note);
    char *big = xcalloc(1, 70000);
    put(big, 70000);
    note = load();
    ok(is_empty(note), "nor 70000 NULs");
    note_free(note);
    free(big);
    free(longer);
    buf_free(&whole);
}

/* With a sum that fits: what cannot be read makes it none; what a later version added is passed. */
static void put_lines(const char *head, const char *lines)
{
    struct buf text;
    char mailbox[MAILBOX_ID + 1];
    mailbox_id("pop.example.com", "alice", mailbox);
    buf_init(&text, 65536);
    buf_addf(&text, "%s %s\n%s", head, mailbox, lines);
    buf_addf(&text, "sum %08lx\n", (unsigned long)digest_crc32(0, text.data, text.len));
    put(text.data, text.len);
    buf_free(&text);
}

static void test_lines(void)
{
    static const char *const bad[] = {
        "failures 1\n",
        "failures x 3\n",
        "failures 1 -3\n",
        "failures 1 99999999999\n",
        "told 1 75\n",
        "polled\n",
        "polled 99999999999999999999\n",
        "not-before soon\n",
        "refused-check zz 00 1 1 1 wrong x\n",
        "refused-check 00112233445566778899aabbccddeeff zz 1 1 1 wrong x\n",
        "capa 5\n",
        "capa 5 %zz\n",
        "pin 5\n",
        "pin 5 short\n",
        ("pin 5 " PIN_A "A\n"),
        ("pin x " PIN_A "\n"),
    };
    put_lines("fetchpop-note 1", "failures 5 2\nnews from 2040\n");
    struct note *note = load();
    is_int(note->failures, 2, "a line of another kind is passed over");
    note_free(note);
    put_lines("fetchpop-note 1", "refused 5 9 00 00 no\nworked 9 00 00 5\nfailures 5 2\n");
    note = load();
    ok(note->failures == 2 && !note->damaged, "lines of earlier versions are no damage");
    is_int(note->worked_when, 5, "the day on which the secret last worked is taken from them");
    ok(!note->refused.secret.known && !note->worked.known, "and their digests are not");
    note_free(note);
    put_lines("fetchpop-note 2", "failures 5 2\n");
    note = load();
    ok(is_empty(note), "another version says nothing");
    note_free(note);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *lines = xasprintf("failures 5 2\n%s", bad[i]);
        put_lines("fetchpop-note 1", lines);
        note = load();
        ok(is_empty(note), "%.*s: none", (int)strcspn(bad[i], "\n"), bad[i]);
        note_free(note);
        free(lines);
    }
}

static void test_times(void)
{
    save_full();
    struct note *note =
        note_load(dir, "pop.example.com", "alice", NOTE_READ, NOW - (int64_t)20 * 365 * 86400);
    is_int(note->not_before, 0, "20 years before: nothing to wait for");
    is_int(note->failing_since, 0, "since nobody knows when");
    is_int(note->failures, 3, "the number of failures is kept");
    is_int(note->told_status, 0, "not told yet");
    is_int(note->polled, 0, "not polled yet");
    ok(note->refused.secret.known && note->refused.when == 0,
       "a secret that was refused some time");
    int64_t when;
    is_int((long long)note_capa(note, &when).len, 0, "no capabilities are remembered");
    note_free(note);
    unlink(path);
    const struct {
        enum note_why why;
        int64_t ahead, left;
    } rows[] = {{NOTE_WHY_BACK_OFF, NOTE_BACK_OFF_MAX, NOTE_BACK_OFF_MAX},
                {NOTE_WHY_BACK_OFF, NOTE_BACK_OFF_MAX + 1, -NOW},
                {NOTE_WHY_DELAY, NOTE_DELAY_MAX, NOTE_DELAY_MAX},
                {NOTE_WHY_DELAY, NOTE_DELAY_MAX + 1, -NOW}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        note = load();
        note->not_before = NOW + rows[i].ahead;
        note->why = rows[i].why;
        note_save(note);
        note_free(note);
        note = load();
        is_int(note->not_before, NOW + rows[i].left, "as far away as it can be, and no further");
        note_free(note);
    }
}

static void test_place(void)
{
    struct stat status;
    char target[] = "/tmp/test-note-target-XXXXXX";
    close(mkstemp(target));
    unlink(path);
    ok(symlink(target, path) == 0, "a link in its place");
    struct note *note = load();
    ok(is_empty(note), "it says nothing");
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "is not written");
    note_free(note);
    ok(lstat(path, &status) == 0 && S_ISLNK(status.st_mode), "is still there");
    ok(stat(target, &status) == 0 && status.st_size == 0, "and leads to an empty file");
    unlink(path);
    unlink(target);
    ok(mkfifo(path, 0600) == 0, "a pipe in its place");
    note = load();
    ok(is_empty(note), "is not waited for");
    note_free(note);
    unlink(path);
    ok(mkdir(path, 0700) == 0, "a folder in its place");
    note = load();
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "what is in its place stays");
    note_free(note);
    ok(rmdir(path) == 0, "as it is");
    if (geteuid() == 0) {
        save_full();
        ok(chown(path, 12345, 12345) == 0, "somebody else's file");
        note = load();
        ok(is_empty(note), "it says nothing");
        fill(note);
        note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
        note_save(note);
        note_free(note);
        ok(stat(path, &status) == 0 && status.st_uid == 12345, "and stays his");
        unlink(path);
    } else {
        puts("# somebody else's file: only root can make one");
    }
}

static void test_modes(void)
{
    struct note *note = note_load(dir, "pop.example.com", "alice", NOTE_READ, NOW);
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "read only: not written");
    ok(access(path, F_OK) != 0, "no file is made");
    note_free(note);
    int fd = file_open(fresh, O_WRONLY | O_CREAT, 0600);
    close(fd);
    note_free(note_load(dir, "pop.example.com", "alice", NOTE_READ, NOW));
    ok(access(fresh, F_OK) == 0, "a reader removes nothing");
    note_free(load());
    ok(access(fresh, F_OK) != 0, "a writer removes what a killed run left");
    note = note_load("/nonexistent/folder", "pop.example.com", "alice", NOTE_WRITE, NOW);
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), -1, "what cannot be written is told to who asks");
    note_free(note);
    note = load();
    note_set_capa(note, str_of("A", 1), NOW);
    char *capa = xcalloc(1, NOTE_CAPA_MAX + 1);
    note_set_capa(note, str_of(capa, NOTE_CAPA_MAX), NOW);
    note_save(note);
    note_free(note);
    note = load();
    int64_t when;
    is_int((long long)note_capa(note, &when).len, NOTE_CAPA_MAX, "the longest capabilities");
    note_set_capa(note, str_of(capa, NOTE_CAPA_MAX + 1), NOW);
    is_int((long long)note_capa(note, &when).len, 0, "longer ones are forgotten");
    note_free(note);
    free(capa);
}

static void holds_pin(const char *pin, int64_t when, const char *what)
{
    struct note *note = load();
    ok(strcmp(note->pin, pin) == 0 && note->pin_when == when && !note->pin_new, "%s", what);
    ok(!note->damaged, "it is whole");
    note_free(note);
}

static void test_pin(void)
{
    struct err err;
    unlink(path);
    struct note *note = load();
    ok(!note->damaged, "no file is no damage");
    is_int(note_keep_pin(note, PIN_A, NOW - 5, &err), 0, "a pin is noted");
    ok(note->pin_new, "and new in this run");
    holds_pin(PIN_A, NOW - 5, "it is in the file before anything else is saved");
    ok(mkdir(fresh, 0700) == 0, "the note cannot be replaced");
    is_int(note_keep_pin(note, PIN_B, NOW, &err), -1, "another pin is not noted");
    ok(strcmp(note->pin, PIN_A) == 0 && note->pin_when == NOW - 5, "the old one stays");
    rmdir(fresh);
    fill(note);
    note_set_capa(note, str_of("TOP\nUIDL\0\n", 10), NOW - 7);
    is_int(note_save(note), 0, "the note is saved with other things");
    note_free(note);
    holds_pin(PIN_A, NOW - 5, "the pin stays");
    note = note_load(dir, "pop.example.com", "alice", NOTE_READ, NOW);
    is_int(note_keep_pin(note, PIN_B, NOW, &err), -1, "who reads notes no pin");
    is_int(err.kind, ERR_CREATE, "which is an error");
    note_free(note);
    holds_pin(PIN_A, NOW - 5, "the file has the old one");
    note = note_load(dir, "pop.example.com", "alice", NOTE_READ, NOW - 6);
    ok(strcmp(note->pin, PIN_A) == 0 && note->pin_when == 0, "noted nobody knows when, but noted");
    note_free(note);
    put("fetchpop-note 1 torn", 20);
    note = load();
    ok(note->damaged && note->pin[0] == '\0', "a torn note is damaged");
    is_int(note_keep_pin(note, PIN_B, NOW, &err), 0, "another pin takes its place");
    note_free(note);
    holds_pin(PIN_B, NOW, "it is there");
    char *bob = mailbox_stem("pop.example.com", "bob"), *other = xasprintf("%s/%s.note", dir, bob);
    ok(rename(path, other) == 0, "another mailbox gets the note");
    note = note_load(dir, "pop.example.com", "bob", NOTE_WRITE, NOW);
    ok(!note->damaged && note->pin[0] == '\0', "which says nothing about it");
    note_free(note);
    unlink(other);
    free(other);
    free(bob);
}

/* The mailbox of alice gets another name, and its journal is moved; then this is what is known. */
static struct note *rename_to(const char *server, const char *user)
{
    struct err err = {.kind = ERR_NONE};
    char *from = mailbox_stem("pop.example.com", "alice"), *to = mailbox_stem(server, user);
    char *journal = xasprintf("%s/%s.journal", dir, from);
    close(open(journal, O_CREAT | O_WRONLY, 0600));
    is_int(rename_journal(dir, from, to, true, &err), 0, "renamed");
    free(journal);
    free(from);
    free(to);
    return note_load(dir, server, user, NOTE_WRITE, NOW);
}

static void remove_all(const char *server, const char *user)
{
    static const char *const endings[] = {"journal", "note", "lock"};
    char *stem = mailbox_stem(server, user);
    for (size_t i = 0; i < 3; i++) {
        char *file = xasprintf("%s/%s.%s", dir, stem, endings[i]);
        unlink(file);
        free(file);
    }
    free(stem);
}

static void test_renamed(void)
{
    struct err err = {.kind = ERR_NONE};
    struct note *note = load();
    note->failures = 3;
    note->failing_since = NOW - 600;
    is_int(note_keep_pin(note, PIN_A, NOW - 100, &err), 0, "prepare: a pin");
    note_free(note);
    note = rename_to("POP.example.com", "alice2");
    is_str(note->pin, PIN_A, "the same server has the same key");
    is_int((long)note->pin_when, NOW - 100, "since the same day");
    is_int((long)note->failures, 0, "what else was known of the other mailbox is not");
    note_free(note);
    ok(access(path, F_OK) < 0, "whose note is gone");
    note = load();
    is_int(note_keep_pin(note, PIN_B, NOW - 100, &err), 0, "prepare: a pin");
    note_free(note);
    note = rename_to("pop.example.net", "alice");
    is_str(note->pin, "", "another server may have another key");
    note_free(note);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ok(write(fd, "pin", 3) == 3, "prepare: a damaged note");
    close(fd);
    note = rename_to("pop.example.com", "alice3");
    ok(note->damaged, "a damaged one stays damaged, and is no first sight");
    note_free(note);
    remove_all("pop.example.com", "alice2");
    remove_all("pop.example.net", "alice");
    remove_all("pop.example.com", "alice3");
    remove_all("pop.example.com", "alice");
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        return 99;
    char *stem = mailbox_stem("pop.example.com", "alice");
    path = xasprintf("%s/%s.note", dir, stem);
    fresh = xasprintf("%s.new", path);
    test_there_and_back();
    test_written_if_changed();
    test_other_mailbox();
    test_junk();
    test_lines();
    test_times();
    test_place();
    test_modes();
    test_pin();
    test_renamed();
    unlink(path);
    rmdir(dir);
    free(fresh);
    free(path);
    free(stem);
    return tap_done();
}
