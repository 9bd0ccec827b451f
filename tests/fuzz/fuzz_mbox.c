/* SPDX-License-Identifier: ISC */
/*
 * An mbox that somebody may have written into, and what we remember of our appends to it. The input
 * is a list of appends and the mbox; or (first byte odd) the text of the file of appends, each line
 * with its checksum put in front here, and the mbox.
 *
 * The promise: nothing is changed but NULs, and nothing is cut off but NULs and our own bytes.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "delivery/mboxfind.h"
#include "fuzz/fuzz.h"

#define MAILBOX "aaaaaaaaaaaaaaaa"
#define OTHER "bbbbbbbbbbbbbbbb"
#define ENTRIES_MAX 6

struct world {
    char *state, *spool, *mbox;
    struct deliver_settings settings;
    struct append entries[ENTRIES_MAX];
    bool kept[ENTRIES_MAX];     /* its spool file is there */
    char *spooled[ENTRIES_MAX]; /* what is in it, else NULL */
    size_t count;
};

static void begin_world(struct world *world)
{
    fuzz_empty(fuzz_folder());
    *world = (struct world){.state = xasprintf("%s/state", fuzz_folder()),
                            .spool = xasprintf("%s/state/spool", fuzz_folder()),
                            .mbox = xasprintf("%s/mbox", fuzz_folder())};
    fuzz_check(mkdir(world->state, 0700) == 0 && mkdir(world->spool, 0700) == 0);
    world->settings = (struct deliver_settings){.kind = DELIVER_MBOX,
                                                .where = world->mbox,
                                                .lock_timeout = 1000,
                                                .state_dir = world->state,
                                                .mailbox = MAILBOX,
                                                .state = MAILBOX,
                                                .account = "a"};
}

static void end_world(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        free(world->spooled[i]);
    free(world->state);
    free(world->spool);
    free(world->mbox);
}

/* What we meant to have there: the mbox's bytes, NULs replaced; or (`foreign`) something else. */
static char *ours(struct str mbox, const struct append *entry, bool foreign)
{
    char *bytes = malloc(entry->length + 1);
    for (size_t i = 0; i < entry->length; i++) {
        uint64_t at = entry->offset + i;
        char c = at < mbox.len && !foreign ? mbox.ptr[at] : "From a\n\nb"[i % 9];
        bytes[i] = c != '\0' ? c : 'x';
    }
    return bytes;
}

static void make_entry(struct world *world, struct fuzz *fuzz, uint64_t *next)
{
    static const enum append_state states[] = {APPEND_OPEN, APPEND_OPEN, APPEND_WHOLE, APPEND_LOST};
    struct append *entry = &world->entries[world->count];
    unsigned flags = fuzz_byte(fuzz);
    *entry = (struct append){.state = states[flags & 3]};
    const char *mailbox = flags & 4 ? OTHER : MAILBOX;
    memcpy(entry->mailbox, mailbox, sizeof MAILBOX);
    snprintf(entry->name, sizeof entry->name, "1.M1P1Q%zuF%s.h", world->count, mailbox);
    entry->start = flags & 8 && world->count > 0 ? world->entries[world->count - 1].start : *next;
    entry->offset = *next + fuzz_byte(fuzz) % 5;
    entry->length = fuzz_byte(fuzz) + (flags & 16 ? 8u * fuzz_byte(fuzz) : 0);
    *next = entry->offset + entry->length;
    world->kept[world->count] = flags & 32;
    entry->digest[0] = (unsigned char)(flags >> 6);
    world->count++;
}

static void make_entries(struct world *world, struct fuzz *fuzz)
{
    size_t count = fuzz_byte(fuzz) % (ENTRIES_MAX + 1);
    uint64_t next = fuzz_byte(fuzz);
    while (world->count < count)
        make_entry(world, fuzz, &next);
    struct str mbox = fuzz_rest(fuzz);
    for (size_t i = 0; i < count; i++) {
        struct append *entry = &world->entries[i];
        bool kept = world->kept[i];
        unsigned how = entry->digest[0];
        char *bytes = ours(mbox, entry, how == 1);
        digest_bytes(str_of(bytes, entry->length), entry->digest);
        entry->digest[0] ^= how == 2;
        if (kept) {
            char *path = xasprintf("%s/%s", world->spool, entry->name);
            fuzz_write(path, bytes, entry->length);
            free(path);
        }
        world->spooled[i] = kept ? bytes : NULL;
        if (!kept)
            free(bytes);
    }
}

/* The file of appends as text. Its path in each line is that of our mbox, written "@" there. */
static void write_text(const struct appends *appends, struct str text)
{
    struct buf out;
    buf_init(&out, 16 * text.len + 1024);
    while (text.len > 0) {
        struct buf line;
        struct str rest = str_until(&text, '\n');
        buf_init(&line, 16 * rest.len + 1024);
        for (size_t i = 0; i < rest.len; i++)
            if (rest.ptr[i] == '@')
                buf_add(&line, appends->mbox, strlen(appends->mbox));
            else
                buf_add(&line, rest.ptr + i, 1);
        size_t guarded = line.len < 2 ? 0 : line.len - 2;
        buf_addf(&out, "%08lx", (unsigned long)digest_crc32(0, line.data, guarded));
        buf_add(&out, line.data, line.len);
        buf_add(&out, "\n", 1);
        buf_free(&line);
    }
    fuzz_write(appends->path, out.data, out.len);
    buf_free(&out);
}

static void check_byte(const struct world *world, uint64_t at, char c)
{
    bool good = c == '\0' || c == '\n';
    for (size_t i = 0; i < world->count && !good; i++) {
        const struct append *entry = &world->entries[i];
        good = world->spooled[i] != NULL && at >= entry->offset &&
               at < entry->offset + entry->length && world->spooled[i][at - entry->offset] == c;
    }
    fuzz_check(good);
}

static void check_mbox(const struct world *world, int fd, struct str before)
{
    struct stat status;
    fuzz_check(fstat(fd, &status) == 0 && (uint64_t)status.st_size <= before.len);
    size_t len = (size_t)status.st_size;
    char *now = malloc(len + 1);
    fuzz_check(pread(fd, now, len, 0) == (ssize_t)len);
    for (size_t i = 0; i < len; i++)
        fuzz_check(now[i] == before.ptr[i] || before.ptr[i] == '\0');
    for (size_t i = len; i < before.len; i++)
        check_byte(world, i, before.ptr[i]);
    free(now);
}

static void find_all(const struct world *world, const struct mboxlock *lock,
                     const struct appends *appends)
{
    struct mboxfind finds[ENTRIES_MAX + 1];
    struct err err;
    size_t n = 0;
    for (; n < appends->count && n < ENTRIES_MAX; n++) {
        const struct append *entry = &appends->entries[n];
        finds[n] = (struct mboxfind){.length = entry->length,
                                     .search = entry->state != APPEND_GONE,
                                     .placed = entry->state != APPEND_LOST,
                                     .at = entry->offset};
        memcpy(finds[n].name, entry->name, sizeof finds[n].name);
        memcpy(finds[n].digest, entry->digest, DIGEST_SIZE);
    }
    fuzz_check(mboxfind_run(&world->settings, lock, appends, finds, n, &err) == 0);
}

static void run(struct world *world, struct fuzz *fuzz, struct str text)
{
    struct mboxlock lock;
    struct appends appends;
    struct err err;
    struct str mbox = fuzz_rest(fuzz);
    fuzz_write(world->mbox, mbox.ptr, mbox.len);
    fuzz_check(mboxlock_take(&lock, &world->settings, world->mbox, true, NULL, &err) == 0);
    fuzz_check(appends_open(&appends, &world->settings, lock.real, true, &err) == 0);
    if (world->count > 0) {
        for (size_t i = 0; i < world->count; i++)
            appends_add(&appends, &world->entries[i]);
        fuzz_check(appends_write(&appends, false, &err) == 0);
    } else {
        write_text(&appends, text);
    }
    appends_close(&appends);
    fuzz_check(appends_open(&appends, &world->settings, lock.real, true, &err) == 0);
    fuzz_check(appends.count >= world->count);
    fuzz_check(mboxrepair_run(&world->settings, &lock, &appends, &err) == 0);
    for (size_t i = 0; i < appends.count; i++)
        fuzz_check(appends.entries[i].state != APPEND_OPEN);
    check_mbox(world, lock.fd, mbox);
    find_all(world, &lock, &appends);
    appends_close(&appends);
    mboxlock_drop(&lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {data, size};
    struct world world;
    struct str text = str_of("", 0);
    begin_world(&world);
    if (fuzz_byte(&fuzz) & 1) {
        size_t len = fuzz_byte(&fuzz) | (size_t)(fuzz_byte(&fuzz) & 15) << 8;
        len = len < fuzz.left ? len : fuzz.left;
        text = str_of(fuzz.at, len);
        fuzz.at += len;
        fuzz.left -= len;
    } else {
        make_entries(&world, &fuzz);
    }
    run(&world, &fuzz, text);
    end_world(&world);
    return 0;
}
