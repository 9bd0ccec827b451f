/* SPDX-License-Identifier: ISC */
/*
 * ahead: when a flush ahead of the batch is due, on which kernels, what its process does with its
 * descriptors, that there is one at a time, and that none is waited for.
 */
#include "delivery/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "delivery/spool.h"
#include "tap.h"

#define KILO 1024
#define OFFSET 7 /* where our own description of the file stands */

/* What the process that flushes tells of itself. */
static struct seen {
    volatile int fsyncs, syncfss, open;
    volatile off_t at;
    volatile ino_t inode;
    volatile pid_t pid;
    volatile bool wait; /* it does not go on before this is false */
} * seen;

static int look(int fd)
{
    struct stat status;
    seen->pid = getpid();
    seen->at = lseek(fd, 0, SEEK_CUR);
    seen->inode = fstat(fd, &status) == 0 ? status.st_ino : 0;
    for (int other = 0; other < 64; other++)
        if (fcntl(other, F_GETFD) >= 0)
            seen->open++;
    while (seen->wait)
        usleep(1000);
    return 0;
}

int fsync(int fd)
{
    seen->fsyncs++;
    return look(fd);
}

int syncfs(int fd)
{
    seen->syncfss++;
    return look(fd);
}

static const char *release; /* what uname(2) says; NULL: it fails */

int uname(struct utsname *system)
{
    *system = (struct utsname){.sysname = "Linux"};
    if (release != NULL)
        snprintf(system->release, sizeof system->release, "%s", release);
    return release != NULL ? 0 : -1;
}

static char folder_path[] = "/tmp/fp-ahead-XXXXXX";
static int folder, file;

/* Lets it come to its end. */
static void finish(const struct ahead *ahead)
{
    while (waitpid(ahead->child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void when_it_is_due(void)
{
    struct ahead ahead = {.child = 0};
    bool early = false;
    for (int i = 0; i < 2047; i++) {
        ahead_begun(&ahead);
        early = early || ahead_is_due(&ahead, 4 * KILO);
    }
    ok(!early, "2,047 messages of 4 kB are not worth a flush");
    ok(ahead_is_due(&ahead, 4 * KILO), "8 MB are");
}

static void flushes_one_file(void)
{
    struct ahead ahead = {.files = 1, .octets = AHEAD_OCTETS};
    *seen = (struct seen){.fsyncs = 0};
    ahead_start(&ahead, folder, "message", false);
    ok(ahead.child > 0 && ahead.octets == 0 && ahead.files == 0, "it counts anew");
    finish(&ahead);
    ok(seen->fsyncs == 1 && seen->syncfss == 0, "one file is flushed, once");
    ok(seen->pid != 0 && seen->pid != getpid(), "by another process");
    ok(seen->inode == inode_of(file), "it is the file of that name");
    ok(seen->at != OFFSET, "by a description of its own, so that ours hears of its errors");
    is_int(seen->open, 1, "it has nothing else open, a connection least of all");
}

static void flushes_all(void)
{
#ifdef HAVE_SYNCFS
    struct ahead ahead = {.files = 300};
    *seen = (struct seen){.fsyncs = 0};
    ahead_start(&ahead, folder, "message", true);
    finish(&ahead);
    ok(seen->syncfss == 1 && seen->fsyncs == 0, "many files are flushed with their file system");
    ok(seen->inode == inode_of(folder), "by their folder");
    is_int(seen->open, 1, "which is all that is open");
#else
    tap_skip("many files are flushed with their file system", "no syncfs(2) here");
#endif
}

static void one_at_a_time(void)
{
    struct ahead ahead = {.files = 1};
    *seen = (struct seen){.wait = true};
    ahead_start(&ahead, folder, "message", false);
    pid_t first = ahead.child;
    ahead.files = 5;
    ahead.octets = AHEAD_OCTETS;
    ahead_start(&ahead, folder, "message", false);
    ok(ahead.child == first && ahead.files == 5, "while one flushes, no other is started");
    ok(!ahead_is_due(&ahead, 1), "the next is tried after as much again");
    seen->wait = false;
    finish(&ahead);
    is_int(seen->fsyncs, 1, "so there was one flush");
    ahead_start(&ahead, folder, "message", false);
    ok(ahead.child > 0 && ahead.child != first, "once it has ended another may be started");
    finish(&ahead);
}

static void ends_what_hangs(void)
{
    struct ahead ahead = {.files = 1};
    *seen = (struct seen){.wait = true};
    ahead_start(&ahead, folder, "message", false);
    alarm(30);
    ahead_end(&ahead);
    alarm(0);
    ok(ahead.child == 0 && waitpid(-1, NULL, WNOHANG) < 0, "one that hangs keeps nobody waiting");
    ahead_end(&ahead);
    ok(ahead.child == 0, "nor is there anything to end twice");
}

static void fifo_in_its_place(void)
{
    struct ahead ahead = {.files = 1};
    *seen = (struct seen){.fsyncs = 0};
    if (mkfifoat(folder, "fifo", 0600) < 0)
        xdie("no FIFO");
    alarm(30);
    ahead_start(&ahead, folder, "fifo", false);
    finish(&ahead);
    alarm(0);
    is_int(seen->fsyncs, 0, "a FIFO with nobody at its other end keeps nobody waiting");
    unlinkat(folder, "fifo", 0);
}

static void file_is_gone(void)
{
    struct ahead ahead = {.files = 1};
    *seen = (struct seen){.fsyncs = 0};
    ahead_start(&ahead, folder, "another", false);
    finish(&ahead);
    is_int(seen->fsyncs, 0, "a file that is not there any more is nobody's trouble");
}

static bool starts_on(const char *kernel)
{
    struct ahead ahead = {.files = 1, .octets = AHEAD_OCTETS};
    struct parcel parcel = {
        .path = folder_path, .name = "message", .folder = folder, .fd = file, .ahead = &ahead};
    struct err err;
    release = kernel;
    if (spool_write(&parcel, "x", 1, &err) < 0)
        xdie("nothing can be written");
    bool started = ahead.child > 0;
    ahead_end(&ahead);
    return started;
}

static void kernels(void)
{
#ifdef FP_LINUX
    static const char *const old[] = {"4.12.14-122.37-default",
                                      "3.10.0-1160.el7.x86_64",
                                      "2.6.32",
                                      "4.9",
                                      "5",
                                      "hardened",
                                      "",
                                      NULL};
    static const char *const known[] = {"4.13", "4.13.0-rc1", "4.19.0-27-amd64", "5.0.1", "10.2"};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
        ok(!starts_on(old[i]), "%s: nothing is flushed ahead",
           old[i] != NULL ? old[i] : "a kernel that does not say");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ok(starts_on(known[i]), "%s: a flush is started", known[i]);
#else
    ok(!starts_on("14.2"), "nothing is flushed ahead on other systems");
#endif
}

int main(void)
{
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED || mkdtemp(folder_path) == NULL)
        xdie("no memory, or no folder in /tmp");
    folder = open(folder_path, O_RDONLY | O_DIRECTORY);
    file = openat(folder, "message", O_RDWR | O_CREAT, 0600);
    if (file < 0 || lseek(file, OFFSET, SEEK_SET) != OFFSET)
        xdie("no file in the folder");
    when_it_is_due();
    flushes_one_file();
    flushes_all();
    one_at_a_time();
    file_is_gone();
    ends_what_hangs();
    fifo_in_its_place();
    kernels();
    unlinkat(folder, "message", 0);
    rmdir(folder_path);
    return tap_done();
}
