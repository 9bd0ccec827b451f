/* SPDX-License-Identifier: ISC */
/* What a configuration file leaves in memory: nothing, read to its end or refused. */
#include "app/rctext.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit_heap.h"
#include "tap.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

static char path[200];

static void write_file(const char *word, const char *end)
{
    /* Not dprintf: that leaves a copy on the heap. */
    char text[400];
    int len = snprintf(text, sizeof text,
                       "# so that the first octets of freed memory are none of it\n"
                       "account a {\n password = \"%s\"\n}%s\n",
                       word, end);
    int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd < 0 || write(fd, text, (size_t)len) != len)
        printf("Bail out! %s\n", path);
    close(fd);
}

/* A block of this size is mapped and unmapped by itself as a rule, which hides whether it was wiped:
 * here it comes from the heap, and something behind it keeps it there. */
static void keep_on_heap(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
#endif
}

static void test_read(const char *word)
{
    struct rctext text;
    struct err err = {ERR_NONE, ""};
    write_file(word, "");
    ok(rctext_read(&text, path, &err) == 0, "read: %s", err.text);
    is_int(heap_count(word), 1, "the control: the word is in memory while the text is");
    void *behind = malloc(100);
    rctext_free(&text);
    is_int(heap_count(word), 0, "and wiped with it");
    free(behind);
}

static void test_refused(const char *word)
{
    struct rctext text;
    struct err err = {ERR_NONE, ""};
    write_file(word, "");
    if (truncate(path, RCTEXT_MAX + 1) < 0)
        printf("Bail out! truncate\n");
    ok(rctext_read(&text, path, &err) < 0, "refused: %s", err.text);
    is_int(heap_count(word), 0, "nothing of it stays in memory");
}

int main(void)
{
    char word[80];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fetchpop-rctext-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    ok(fd >= 0, "a file can be made");
    close(fd);
    if (heap_can_tell) {
        keep_on_heap();
        heap_secret("5102-draeh-reven-snaelc-taht-eno-3-txetcr", word);
        test_read(word);
        test_refused(word);
    } else {
        printf("# nothing to see: the heap cannot be looked at here\n");
    }
    unlink(path);
    return tap_done();
}
