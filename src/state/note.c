/* SPDX-License-Identifier: ISC */
#include "state/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "state/mailbox.h"

#define HEAD_WORDS "fetchpop-note 1 "
#define FILE_MAX (32 * 1024)     /* the longest that can be written, and room */
#define LATER_FAR NOTE_DELAY_MAX /* no try of a secret is further away */
#define SUM_WORD "sum "
#define SUM_LINE (sizeof SUM_WORD - 1 + WORDS_SUM + 1)

struct note_file {
    char *capa;
    size_t capa_len;
    int64_t capa_when;
    enum note_mode mode;
    char *path;
    char *mailbox; /* its id */
    char *loaded;  /* the file's text; NULL: there was none that says anything */
    size_t loaded_len;
};

/* Facts that are one number each; 0 is none, and has no line. */
static const struct plain {
    const char *name;
    size_t at; /* in struct note: an int64_t */
    bool date; /* one that has passed */
} plains[] = {
    {"polled", offsetof(struct note, polled), true},
    {"succeeded", offsetof(struct note, succeeded), true},
    {"logged-in", offsetof(struct note, worked_when), true},
    {"expires", offsetof(struct note, expires), false},
    {"held-told", offsetof(struct note, held_told), true},
    {"undeleted-told", offsetof(struct note, undeleted_told), true},
    {"reappearing", offsetof(struct note, reappearing), true},
    {"reappeared-told", offsetof(struct note, reappeared_told), true},
    {"end-told", offsetof(struct note, end_told), true},
    {"no-capa", offsetof(struct note, no_capa), true},
    {"no-top", offsetof(struct note, no_top), true},
    {"no-uidl-n", offsetof(struct note, no_uidl_n), true},
    {"no-list-n", offsetof(struct note, no_list_n), true},
    {"one-by-one", offsetof(struct note, one_by_one), true},
    {"utf8", offsetof(struct note, utf8), false},
    {"whole", offsetof(struct note, whole), false},
    {"exact", offsetof(struct note, exact), false},
};

#define PLAINS (sizeof plains / sizeof plains[0])

static int64_t *plain_of(struct note *note, size_t i)
{
    return (int64_t *)(void *)((char *)note + plains[i].at);
}

/* ---- out ---- */

static void write_secret(const struct note_secret *secret, const char *name, struct buf *out)
{
    char salt[2 * NOTE_SALT + 1], check[2 * NOTE_CHECK + 1];
    words_hex(secret->salt, NOTE_SALT, salt);
    words_hex(secret->check, NOTE_CHECK, check);
    buf_addf(out, "%s %s %s ", name, salt, check);
}

static void write_text(const char text[NOTE_TEXT_MAX], struct buf *out)
{
    words_add(out, str_of(text, strnlen(text, NOTE_TEXT_MAX)));
    buf_add(out, "\n", 1);
}

static void write_secrets(const struct note *note, struct buf *out)
{
    if (note->refused.secret.known) {
        write_secret(&note->refused.secret, "refused-check", out);
        buf_addf(out, "%llu %lu %llu %s ", (unsigned long long)note->refused.when,
                 (unsigned long)note->refused.tries, (unsigned long long)note->refused.next,
                 note->refused.doubted ? "doubted" : "wrong");
        write_text(note->refused.text, out);
    }
    if (note->worked.known) {
        write_secret(&note->worked, "accepted", out);
        buf_add(out, "\n", 1);
    }
}

/* What is zero or empty has no line. */
static void write_note(struct note *note, struct buf *out)
{
    buf_addf(out, HEAD_WORDS "%s\n", note->file->mailbox);
    if (note->not_before != 0)
        buf_addf(out, "not-before %llu %s\n", (unsigned long long)note->not_before,
                 note->why == NOTE_WHY_DELAY ? "login-delay" : "back-off");
    if (note->failures != 0)
        buf_addf(out, "failures %llu %lu\n", (unsigned long long)note->failing_since,
                 (unsigned long)note->failures);
    if (note->told_when != 0)
        buf_addf(out, "told %llu %d %llu\n", (unsigned long long)note->told_when, note->told_status,
                 (unsigned long long)note->told_hash);
    if (note->trouble[0] != '\0') {
        buf_addf(out, "trouble ");
        write_text(note->trouble, out);
    }
    write_secrets(note, out);
    for (size_t i = 0; i < PLAINS; i++)
        if (*plain_of(note, i) != 0)
            buf_addf(out, "%s %llu\n", plains[i].name, (unsigned long long)*plain_of(note, i));
    if (note->pin[0] != '\0')
        buf_addf(out, "pin %llu %s\n", (unsigned long long)note->pin_when, note->pin);
    if (note->habits != 0)
        buf_addf(out, "answers %llu %u\n", (unsigned long long)note->habits_when, note->habits);
    if (note->file->capa != NULL) {
        buf_addf(out, "capa %llu ", (unsigned long long)note->file->capa_when);
        words_add(out, str_of(note->file->capa, note->file->capa_len));
        buf_add(out, "\n", 1);
    }
    char sum[WORDS_SUM];
    words_sum(buf_str(out), sum);
    buf_addf(out, SUM_WORD "%.*s\n", WORDS_SUM, sum);
}

static int save(struct note *note, struct err *err)
{
    struct buf out;
    struct note_file bare = {.mailbox = note->file->mailbox};
    struct note empty = {.file = &bare};
    int result = 0;
    buf_init(&out, FILE_MAX);
    write_note(&empty, &out);
    size_t nothing = out.len;
    buf_clear(&out);
    write_note(note, &out);
    bool same = note->file->loaded == NULL
                    ? out.len == nothing /* any line makes it longer */
                    : str_equal(buf_str(&out), str_of(note->file->loaded, note->file->loaded_len));
    if (!same)
        result = file_replace(note->file->path, out.data, out.len, 0600, note->pin[0] != '\0', err);
    if (!same && result == 0) {
        free(note->file->loaded);
        note->file->loaded = xmemdup0(out.data, out.len);
        note->file->loaded_len = out.len;
    }
    buf_free(&out);
    return result;
}

int note_save(struct note *note)
{
    struct err ignored;
    return note->file->mode == NOTE_READ || note->foreign ? 0 : save(note, &ignored);
}

int note_keep_pin(struct note *note, const char *pin, int64_t now, struct err *err)
{
    char was[NOTE_PIN];
    int64_t when = note->pin_when;
    if (note->file->mode == NOTE_READ || note->foreign)
        return err_set(err, ERR_CREATE, "%s is not ours to write; move it away", note->file->path);
    memcpy(was, note->pin, sizeof was);
    snprintf(note->pin, sizeof note->pin, "%s", pin);
    note->pin_when = now;
    note->pin_new = save(note, err) == 0;
    if (note->pin_new)
        return 0;
    memcpy(note->pin, was, sizeof was);
    note->pin_when = when;
    return -1;
}

/* ---- in ---- */

static int read_number(struct str *line, uint64_t max, uint64_t *value)
{
    return str_number(str_word(line), max, value);
}

static int read_time(struct str *line, int64_t *when)
{
    uint64_t value;
    if (read_number(line, INT64_MAX, &value) < 0)
        return -1;
    *when = (int64_t)value;
    return 0;
}

static int read_words(struct str *line, char *out, size_t cap, size_t *len)
{
    return words_unescape(str_word(line), out, cap, len);
}

static int read_not_before(struct note *note, struct str line)
{
    if (read_time(&line, &note->not_before) < 0)
        return -1;
    note->why = str_is(line, " login-delay") ? NOTE_WHY_DELAY : NOTE_WHY_BACK_OFF;
    return 0;
}

static int read_failures(struct note *note, struct str line)
{
    uint64_t count;
    if (read_time(&line, &note->failing_since) < 0 || read_number(&line, UINT32_MAX, &count) < 0)
        return -1;
    note->failures = (uint32_t)count;
    return 0;
}

static int read_told(struct note *note, struct str line)
{
    uint64_t status;
    if (read_time(&line, &note->told_when) < 0 || read_number(&line, 255, &status) < 0)
        return -1;
    note->told_status = (int)status;
    return read_number(&line, UINT64_MAX, &note->told_hash);
}

static int read_answers(struct note *note, struct str line)
{
    uint64_t habits;
    if (read_time(&line, &note->habits_when) < 0 || read_number(&line, UINT16_MAX, &habits) < 0)
        return -1;
    note->habits = (unsigned)habits;
    return 0;
}

static int read_text_into(struct str *line, char out[NOTE_TEXT_MAX])
{
    size_t len;
    if (read_words(line, out, NOTE_TEXT_MAX - 1, &len) < 0)
        return -1;
    out[len] = '\0';
    return 0;
}

static int read_secret(struct str *line, struct note_secret *secret)
{
    if (words_read_hex(str_word(line), secret->salt, NOTE_SALT) < 0)
        return -1;
    return words_read_hex(str_word(line), secret->check, NOTE_CHECK);
}

static int read_refused(struct note *note, struct str line)
{
    uint64_t tries;
    if (read_secret(&line, &note->refused.secret) < 0 ||
        read_time(&line, &note->refused.when) < 0 || read_number(&line, UINT32_MAX, &tries) < 0 ||
        read_time(&line, &note->refused.next) < 0)
        return -1;
    note->refused.doubted = str_is(str_word(&line), "doubted");
    note->refused.tries = (uint32_t)tries;
    note->refused.secret.known = true;
    return read_text_into(&line, note->refused.text);
}

static int read_worked(struct note *note, struct str line)
{
    if (read_secret(&line, &note->worked) < 0)
        return -1;
    note->worked.known = true;
    return 0;
}

/* As it was before 0.1.0: a digest in three words, and the date, which is still good. */
static int read_worked_once(struct note *note, struct str line)
{
    for (int i = 0; i < 3; i++)
        (void)str_word(&line);
    return read_time(&line, &note->worked_when);
}

static int read_trouble(struct note *note, struct str line)
{
    return read_text_into(&line, note->trouble);
}

static int read_capa(struct note *note, struct str line)
{
    char capa[NOTE_CAPA_MAX];
    size_t len;
    int64_t when;
    if (read_time(&line, &when) < 0 || read_words(&line, capa, sizeof capa, &len) < 0)
        return -1;
    note_set_capa(note, str_of(capa, len), when);
    return 0;
}

static int read_pin(struct note *note, struct str line)
{
    unsigned char digest[DIGEST_SIZE];
    if (read_time(&line, &note->pin_when) < 0)
        return -1;
    struct str pin = str_word(&line);
    if (pin.len != NOTE_PIN - 1 || digest_unbase64(pin, digest, sizeof digest) != DIGEST_SIZE)
        return -1;
    memcpy(note->pin, pin.ptr, pin.len);
    note->pin[pin.len] = '\0';
    return 0;
}

/* Lines that a later version wrote are ignored. */
static int read_line(struct note *note, struct str line)
{
    static const struct {
        const char *name;
        int (*read)(struct note *note, struct str line);
    } fields[] = {
        {"not-before", read_not_before},
        {"failures", read_failures},
        {"told", read_told},
        {"capa", read_capa},
        {"trouble", read_trouble},
        {"refused-check", read_refused},
        {"accepted", read_worked},
        {"worked", read_worked_once},
        {"answers", read_answers},
        {"pin", read_pin},
    };
    struct str name = str_word(&line);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (str_is(name, fields[i].name))
            return fields[i].read(note, line);
    for (size_t i = 0; i < PLAINS; i++)
        if (str_is(name, plains[i].name))
            return read_time(&line, plain_of(note, i));
    return 0;
}

/* The last line is the sum of all before it, and nothing stands behind it. */
static bool is_whole(struct str text)
{
    if (text.len < SUM_LINE || text.ptr[text.len - 1] != '\n')
        return false;
    struct str last = str_of(text.ptr + text.len - SUM_LINE, SUM_LINE);
    return str_has_prefix(last, SUM_WORD) &&
           words_is_sum(str_of(last.ptr + sizeof SUM_WORD - 1, WORDS_SUM),
                        str_of(text.ptr, text.len - SUM_LINE));
}

/* 1: it is that of another mailbox. */
static int read_text(struct note *note, struct str text)
{
    if (!is_whole(text))
        return -1;
    text.len -= SUM_LINE;
    struct str head = str_until(&text, '\n');
    if (!str_has_prefix(head, HEAD_WORDS))
        return -1;
    size_t skip = sizeof HEAD_WORDS - 1;
    if (!str_is(str_behind(head, skip), note->file->mailbox))
        return 1;
    while (text.len > 0)
        if (read_line(note, str_until(&text, '\n')) < 0)
            return -1;
    return 0;
}

/* ---- the file ---- */

/* An open file that is ours, or -1. What is not ours is not waited for (a FIFO), not followed (a
 * link), and not replaced. */
static int open_own(struct note *note)
{
    struct stat status;
    int fd = file_open(note->file->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) {
        note->foreign = errno != ENOENT;
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid())
        return fd;
    note->foreign = true;
    close(fd);
    return -1;
}

static void forget(struct note *note)
{
    struct note bare = {.file = note->file, .foreign = note->foreign};
    note_set_capa(note, str_of("", 0), 0);
    free(note->file->loaded);
    note->file->loaded = NULL;
    note->file->loaded_len = 0;
    *note = bare;
}

static void read_file(struct note *note)
{
    struct buf text;
    struct err ignored;
    int fd = open_own(note);
    if (fd < 0)
        return;
    buf_init(&text, FILE_MAX);
    int result = file_read(fd, &text, note->file->path, &ignored);
    if (result == 0)
        result = read_text(note, buf_str(&text));
    if (result == 0) {
        note->file->loaded = xmemdup0(text.data, text.len);
        note->file->loaded_len = text.len;
    } else {
        forget(note);
        note->damaged = result < 0;
    }
    buf_free(&text);
    close(fd);
}

static void drop_future(int64_t *when, int64_t now)
{
    if (*when > now)
        *when = 0;
}

/* Clocks jump by years; dates from before such a jump mean nothing. */
static void drop_untrue(struct note *note, int64_t now)
{
    int64_t far = note->why == NOTE_WHY_DELAY ? NOTE_DELAY_MAX : NOTE_BACK_OFF_MAX;
    if (note->not_before > now + far)
        note->not_before = 0;
    drop_future(&note->failing_since, now);
    drop_future(&note->refused.when, now); /* it was refused, whenever that was */
    if (note->refused.next > now + LATER_FAR)
        note->refused.next = 0;
    drop_future(&note->pin_when, now);
    for (size_t i = 0; i < PLAINS; i++)
        if (plains[i].date)
            drop_future(plain_of(note, i), now);
    if (note->told_when > now)
        note->told_status = 0;
    drop_future(&note->told_when, now);
    if (note->file->capa_when > now)
        note_set_capa(note, str_of(NULL, 0), 0);
}

/* What a killed run left of a rewrite. */
static void sweep(const struct note *note)
{
    char *fresh = xasprintf("%s.new", note->file->path);
    (void)unlink(fresh);
    free(fresh);
}

/* A stem ends in the mailbox's id. */
static struct note *load(const char *state_dir, const char *stem, enum note_mode mode)
{
    struct note *note = xcalloc(1, sizeof *note);
    size_t len = strlen(stem);
    note->file = xcalloc(1, sizeof *note->file);
    note->file->mode = mode;
    note->file->mailbox = xstrdup(stem + (len > MAILBOX_ID ? len - MAILBOX_ID : 0));
    note->file->path = xasprintf("%s/%s.note", state_dir, stem);
    if (mode == NOTE_WRITE)
        sweep(note);
    read_file(note);
    return note;
}

struct note *note_load(const char *state_dir, const char *server, const char *user,
                       enum note_mode mode, int64_t now)
{
    char *stem = mailbox_stem(server, user);
    struct note *note = load(state_dir, stem, mode);
    free(stem);
    struct stat st;
    if (note->file->loaded != NULL && lstat(note->file->path, &st) == 0 && st.st_mtime <= now)
        note->touched = st.st_mtime;
    drop_untrue(note, now);
    return note;
}

int note_carry_pin(const char *state_dir, const char *from, const char *to, struct err *err)
{
    struct note *old = load(state_dir, from, NOTE_READ), *new = load(state_dir, to, NOTE_WRITE);
    int result = 0;
    if (old->damaged && rename(old->file->path, new->file->path) < 0)
        result = err_errno(err, ERR_IO, errno, "cannot rename %s", old->file->path);
    else if (!old->damaged && old->pin[0] != '\0' && new->pin[0] == '\0')
        result = note_keep_pin(new, old->pin, old->pin_when, err);
    note_free(old);
    note_free(new);
    return result;
}

void note_touch(struct note *note, int64_t now)
{
    const struct timespec times[] = {{.tv_sec = (time_t)now}, {.tv_sec = (time_t)now}};
    if (note->file->mode == NOTE_WRITE && !note->foreign)
        (void)utimensat(AT_FDCWD, note->file->path, times, AT_SYMLINK_NOFOLLOW);
}

void note_free(struct note *note)
{
    if (note == NULL)
        return;
    free(note->file->capa);
    free(note->file->loaded);
    free(note->file->mailbox);
    free(note->file->path);
    free(note->file);
    free(note);
}

const char *note_path(const struct note *note)
{
    return note->file->path;
}

struct str note_capa(const struct note *note, int64_t *when)
{
    *when = note->file->capa_when;
    return str_of(note->file->capa != NULL ? note->file->capa : "", note->file->capa_len);
}

void note_set_capa(struct note *note, struct str capa, int64_t when)
{
    bool keep = capa.len > 0 && capa.len <= NOTE_CAPA_MAX;
    char *copy = keep ? xmemdup0(capa.ptr, capa.len) : NULL;
    free(note->file->capa);
    note->file->capa = copy;
    note->file->capa_len = keep ? capa.len : 0;
    note->file->capa_when = keep ? when : 0;
}
