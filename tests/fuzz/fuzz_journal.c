/* SPDX-License-Identifier: ISC */
/*
 * The journal's file. Each line of the input gets its checksum here, since no fuzzer guesses one; a
 * line that begins with '!' is put in as it is. Whatever is in the file: it opens or is refused
 * with a reason, reading it twice says the same, and what is written into it is there afterwards.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "state/journal.h"

#define ID_SANE 200 /* memory is by the highest number, which only our own lines can say */

static char *state_dir, *path;

static int open_it(struct journal **journal, enum journal_mode mode, struct err *err)
{
    struct journal_settings settings = {
        .state_dir = state_dir, .server = "pop.example.com", .user = "alice", .mode = mode};
    *err = (struct err){0};
    int result = journal_open(journal, &settings, err);
    fuzz_check(result == 0 || (err->kind == ERR_IO && err->text[0] != '\0'));
    return result;
}

/* Where the journal of this mailbox is: asked of the journal itself. */
static void find_path(void)
{
    struct journal *journal;
    struct err err;
    state_dir = xasprintf("%s/state", fuzz_folder());
    fuzz_empty(fuzz_folder());
    fuzz_check(mkdir(state_dir, 0700) == 0);
    fuzz_check(open_it(&journal, JOURNAL_WRITE, &err) == 0);
    journal_add(journal, &(struct journal_subject){.uidl = str_of("x", 1)}, 1);
    journal_done(journal, 0);
    fuzz_check(journal_sync(journal, &err) == 0);
    journal_close(journal);
    DIR *dir = opendir(state_dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strstr(entry->d_name, ".journal") != NULL)
            path = xasprintf("%s/%s", state_dir, entry->d_name);
    closedir(dir);
    fuzz_check(path != NULL);
}

static bool is_sane(struct str line)
{
    uint64_t id;
    str_word(&line);
    struct str word = str_word(&line);
    return str_number(word, UINT64_MAX, &id) < 0 || id <= ID_SANE;
}

static void write_file(struct str in)
{
    struct buf out;
    buf_init(&out, 4 * in.len + 1024);
    while (in.len > 0) {
        bool ended = memchr(in.ptr, '\n', in.len) != NULL;
        struct str line = str_until(&in, '\n');
        if (line.len > 0 && line.ptr[0] == '!')
            buf_add(&out, line.ptr + 1, line.len - 1);
        else if (is_sane(line)) {
            buf_addf(&out, "%08lx ", (unsigned long)digest_crc32(0, line.ptr, line.len));
            buf_add(&out, line.ptr, line.len);
        }
        if (ended)
            buf_add(&out, "\n", 1);
    }
    fuzz_write(path, out.data, out.len);
    buf_free(&out);
}

/* The words of a receipt or of what was said, however many blanks are between them. */
static uint64_t sum_of_words(struct str words)
{
    uint64_t sum = 0;
    for (struct str word = str_word(&words); word.len > 0; word = str_word(&words))
        sum = 31 * sum + str_hash(word);
    return sum;
}

/* The entry is found under its UIDL, whatever is guessed, and only there. */
static void check_index(struct journal *journal, uint32_t id, struct str uidl)
{
    struct uidl_ref ref;
    bool met = false;
    uint32_t first = journal_find(journal, uidl, 0);
    for (uint32_t at = first; at != JOURNAL_NONE; at = journal_next(journal, at))
        met = met || at == id;
    fuzz_check(met && journal_find(journal, uidl, id) == first);
    fuzz_check(!journal_refers(journal, id, uidl, &ref) ||
               str_equal(journal_uidl_at(journal, ref), uidl));
}

static uint64_t sum_of_receipt(const struct journal *journal, uint32_t id)
{
    char *receipt = journal_receipt(journal, id);
    uint64_t sum = sum_of_words(str_from(receipt));
    free(receipt);
    return sum;
}

/* A number over all that counts in a journal; what will be forgotten does not. */
static uint64_t sum(struct journal *journal)
{
    uint64_t all = 0;
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        struct journal_entry entry = journal_entry(journal, id);
        char room[JOURNAL_UIDL_ROOM];
        struct str uidl = journal_uidl(journal, id, room);
        fuzz_check(entry.state <= JOURNAL_GONE && uidl.len <= 255);
        if (entry.state == JOURNAL_FREE ||
            (entry.absent != 0 && entry.state != JOURNAL_TAKEN && !record_is_here(entry.state)))
            continue;
        check_index(journal, id, uidl);
        struct record record = journal_record(journal, id);
        bool failed = entry.state >= JOURNAL_FAILED && entry.state <= JOURNAL_REFUSED;
        unsigned tries = failed ? entry.tries : 0u;
        fuzz_check(record.size == journal_size(journal, id));
        all += (str_hash(uidl) | 1) * (entry.state + 8u * tries + 1) * (record.size | 1);
        if (failed)
            all += record.reason + record.next_try;
        all +=
            entry.state == JOURNAL_TAKEN ? sum_of_receipt(journal, id) : sum_of_words(record.words);
    }
    return all;
}

static uint32_t add_one(struct journal *journal)
{
    struct journal_subject subject = {.uidl = str_from("fuzzed in"), .size = 4711};
    struct err err;
    uint32_t id = journal_add(journal, &subject, 1000);
    journal_take(journal, id, true, str_from("maildir a b"));
    journal_done(journal, id);
    for (uint32_t at = 0; at < id; at++)
        if (journal_entry(journal, at).state == JOURNAL_TAKEN)
            journal_drop(journal, at);
    journal_count_missing(journal, journal_count_day(journal, 30000));
    fuzz_check(journal_sync(journal, &err) == 0);
    return id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal *journal;
    struct err err;
    if (path == NULL)
        find_path();
    char *bad = xasprintf("%s.bad", path);
    char *copy = fuzz_copy(data, size);
    remove(bad);
    write_file(str_of(copy, size));
    free(copy);
    int readable = open_it(&journal, JOURNAL_READ, &err);
    uint64_t before = readable == 0 ? sum(journal) : 0;
    if (readable == 0)
        journal_close(journal);
    fuzz_check(open_it(&journal, JOURNAL_WRITE, &err) == readable);
    if (readable == 0) {
        fuzz_check(sum(journal) == before);
        add_one(journal);
        before = sum(journal);
        journal_close(journal);
        fuzz_check(open_it(&journal, JOURNAL_WRITE, &err) == 0);
        fuzz_check(sum(journal) == before);
        uint32_t id = journal_find(journal, str_from("fuzzed in"), 0);
        bool done = false;
        for (; id != JOURNAL_NONE; id = journal_next(journal, id))
            done = done || (journal_entry(journal, id).state == JOURNAL_DONE &&
                            journal_size(journal, id) == 4711);
        fuzz_check(done);
        journal_close(journal);
    }
    free(bad);
    return 0;
}
