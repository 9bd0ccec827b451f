/* SPDX-License-Identifier: ISC */
/*
 * file: in a folder of its own under $TMPDIR.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static struct err err;

static void put(const char *path, const char *text)
{
    int fd = file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    err_clear(&err);
    ok(fd >= 0 && file_write(fd, text, strlen(text), path, &err) == 0, "writes %s", path);
    ok((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
       "file_open gives a descriptor that is close-on-exec");
    is_int(file_sync(fd, path, &err), 0, "fsync of a file works");
    is_int(file_datasync(fd, path, &err), 0, "fdatasync of a file works");
    close(fd);
}

/* Reads path back with a buffer of `max`. */
static int get(const char *path, struct buf *buf, size_t max)
{
    buf_init(buf, max);
    err_clear(&err);
    int fd = file_open(path, O_RDONLY, 0);
    int result = file_read(fd, buf, path, &err);
    close(fd);
    return result;
}

static void test_read(void)
{
    struct buf buf;
    put("f", "0123456789");
    is_int(get("f", &buf, 10), 0, "a file as long as the buffer");
    is_mem(buf.data, buf.len, "0123456789", 10, "a file that fits is read whole");
    buf_free(&buf);
    is_int(get("f", &buf, 9), -1, "a file longer than the buffer is not read");
    is_int(err.kind, ERR_IO, "a file that is too long is an error of input");
    buf_free(&buf);
    is_int(get(".", &buf, 9), -1, "a folder cannot be read");
    ok(err.kind == ERR_IO && strstr(err.text, "cannot read .") != NULL,
       "a folder in the place of a file is named");
    buf_free(&buf);
    put("f", "");
    is_int(get("f", &buf, 0), 0, "an empty file fits into no room");
    buf_free(&buf);
    is_int(file_open("none", O_RDONLY, 0), -1, "a missing file is not opened");
    is_int(errno, ENOENT, "a missing file leaves ENOENT in errno");
}

static void test_write_errors(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        is_int(file_write(fd, "x", 1, "full", &err), -1, "a write to a full disk fails");
        is_int(err.kind, ERR_LOCAL, "a full disk is a fault of this machine, to be tried again");
        close(fd);
    }
    fd = file_open("f", O_RDONLY, 0);
    is_int(file_write(fd, "x", 1, "f", &err), -1, "a file that is open for reading");
    is_int(err.kind, ERR_IO, "a write to a closed descriptor is an error");
    close(fd);
    is_int(file_sync(fd, "f", &err), -1, "fsync of a closed descriptor fails");
    is_int(file_datasync(fd, "f", &err), -1, "fdatasync of a closed descriptor fails");
}

/* A limit makes the first write short and the second fail. */
static void test_short_write(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {5, 5};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
        int fd = file_open("short", O_WRONLY | O_CREAT, 0600);
        _exit(file_write(fd, "0123456789", 10, "short", &err) < 0 && err.kind == ERR_IO ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    is_int(status, 0, "a short write is no success");
    struct stat info;
    ok(stat("short", &info) == 0 && info.st_size == 5, "the file holds what a short write left");
}

static void on_signal(int number)
{
    (void)number;
}

static char nth(size_t i)
{
    return (char)(i % 251);
}

/* Two signals before each read: the first may find the writer with a part written, the second
 * finds it with nothing. 0 if all came as it should. */
static int read_slowly(int fd, pid_t writer, size_t len)
{
    char bytes[30000];
    size_t sum = 0;
    ssize_t n;
    do {
        for (int i = 0; i < 2; i++) {
            usleep(5000);
            kill(writer, SIGUSR1);
        }
        n = read(fd, bytes, sizeof bytes);
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != nth(sum++))
                return 1;
    } while (n > 0);
    return sum == len ? 0 : 1;
}

static void test_interrupted(void)
{
    int ends[2];
    size_t len = 300000;
    char *text = malloc(len);
    for (size_t i = 0; i < len; i++)
        text[i] = nth(i);
    is_int(pipe(ends), 0, "a pipe, smaller than what is written");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(read_slowly(ends[0], parent, len));
    }
    close(ends[0]);
    is_int(file_write(ends[1], text, len, "pipe", &err), 0, "a write that is interrupted goes on");
    close(ends[1]);
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    is_int(status, 0, "and everything arrives once");
    free(text);
}

static int mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int)(info.st_mode & 07777) : -1;
}

static void test_folders(void)
{
    mode_t before = umask(0);
    is_int(file_make_folder("a/b//c/", true, &err), 0, "three folders are made at once");
    umask(before);
    is_int(mode_of("a"), 0700, "the first of three new folders is ours alone");
    is_int(mode_of("a/b/c"), 0700, "the last of three new folders is ours alone");
    chmod("a/b", 0755);
    is_int(file_make_folder("a/b/c", true, &err), 0, "folders that are there are no error");
    is_int(file_make_folder("a/b/d", false, &err), 0, "a folder is made without fsync");
    is_int(mode_of("a/b"), 0755, "what was there stays as it was");
    is_int(file_make_folder(".", true, &err), 0, "the current folder is there");
    is_int(file_make_folder("/", true, &err), 0, "the root folder is there");
    put("a/file", "x");
    is_int(file_make_folder("a/file", true, &err), -1, "a file in the way of a folder is an error");
    is_int(err.kind, ERR_CREATE, "a file in the way is an error of making");
    ok(strstr(err.text, "a/file") != NULL, "the message names the path of the file in the way");
    is_int(file_make_folder("a/file/b", true, &err), -1, "a folder below a file cannot be made");
    is_int(err.kind, ERR_CREATE, "a folder below a file is an error of making");
    is_int(file_make_folder("", true, &err), -1, "a folder without a name cannot be made");
    is_int(symlink("nowhere", "dangling"), 0, "test: a symbolic link points nowhere");
    is_int(file_make_folder("dangling", true, &err), -1,
           "a symbolic link that points nowhere is in the way of a folder");
    bool unsupported = false;
    is_int(file_sync_folder("a", &unsupported, &err), 0, "fsync of a folder works");
    is_int(file_sync_folder("a/file", NULL, &err), -1, "fsync of a folder fails for a file");
    is_int(file_sync_folder("none", NULL, &err), -1, "fsync of a folder fails where there is none");
    is_int(err.kind, ERR_IO, "that is an error of input and output");
}

static void test_replace(void)
{
    struct buf buf;
    mode_t before = umask(077);
    is_int(file_replace("r", "one", 3, 0640, true, &err), 0, "file_replace makes a new file");
    is_int(mode_of("r"), 0640, "its mode is what was asked for");
    umask(before);
    put("r.new", "left by a killed run, and longer");
    is_int(file_replace("r", "two", 3, 0600, true, &err), 0, "an old one, with litter beside it");
    is_int(mode_of("r"), 0600, "a replaced file has the new mode");
    is_int(get("r", &buf, 100), 0, "a replaced file can be read");
    is_mem(buf.data, buf.len, "two", 3, "a replaced file holds the new bytes");
    buf_free(&buf);
    is_int(access("r.new", F_OK), -1, "file_replace leaves nothing beside the file");
    put("victim", "v");
    is_int(symlink("victim", "r.new"), 0, "a link in the place of the new file");
    is_int(file_replace("r", "three", 5, 0600, false, &err), 0,
           "a symbolic link in the place of the new file is not followed");
    is_int(get("victim", &buf, 100), 0, "what the link points to can be read");
    is_mem(buf.data, buf.len, "v", 1, "what the link points to is untouched");
    buf_free(&buf);
    is_int(file_replace("none/r", "x", 1, 0600, true, &err), -1,
           "file_replace fails in a missing folder");
    is_int(err.kind, ERR_CREATE, "a missing folder is an error of making");
    is_int(file_replace("a", "x", 1, 0600, true, &err), -1,
           "file_replace does not replace a folder");
    is_int(access("a.new", F_OK), -1, "and the new file is gone again");
}

static void test_lock(void)
{
    int fd = file_open("lock", O_RDWR | O_CREAT, 0600);
    is_int(file_lock(fd, "lock", &err), 0, "a file is locked");
    is_int(file_lock(fd, "lock", &err), 0, "by the same process once more");
    for (int round = 0; round < 2; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            int own = file_open("lock", O_RDWR, 0);
            int result = file_lock(own, "lock", &err);
            _exit(result == 0 ? 0 : err.kind == ERR_LOCKED ? 1 : 2);
        }
        int status;
        waitpid(pid, &status, 0);
        is_int(WEXITSTATUS(status), round == 0 ? 1 : 0,
               round == 0 ? "another process finds it locked" : "until it is closed");
        if (round == 0)
            close(fd);
    }
    is_int(file_lock(fd, "lock", &err), -1, "a closed descriptor cannot be locked");
    is_int(err.kind, ERR_IO, "a lock on a closed descriptor is an error of its own");
}

static void is_owned(char *got, const char *want, const char *name)
{
    is_str(got, want, name);
    free(got);
}

static void test_paths(void)
{
    setenv("HOME", "/home/x", 1);
    is_owned(file_expand("~", "/b"), "/home/x", "a tilde alone is home");
    is_owned(file_expand("~/m", NULL), "/home/x/m", "a path behind a tilde is below home");
    is_owned(file_expand("~bob/m", "/b"), "~bob/m", "the home of somebody else is left as it is");
    is_owned(file_expand("/m", "/b"), "/m", "an absolute path is left as it is");
    is_owned(file_expand("m/n", "/b"), "/b/m/n", "a relative path is below the base");
    is_owned(file_expand("m", "/"), "/m", "a relative path may be below the root");
    is_owned(file_expand("m", NULL), "m", "a relative path without a base is left as it is");
    is_owned(file_expand("a~", "/b"), "/b/a~", "a tilde at the end of a name means nothing");
    setenv("HOME", "", 1);
    char *home = file_expand("~", NULL);
    ok(home[0] != '\0', "an empty HOME is none");
    free(home);
    is_owned(file_parent("/a/b"), "/a", "the parent of a folder");
    is_owned(file_parent("/a"), "/", "the parent of a folder in the root");
    is_owned(file_parent("a/b//"), "a", "the parent of a path with slashes at its end");
    is_owned(file_parent("a//b"), "a", "the parent of a path with two slashes between");
    is_owned(file_parent("a"), ".", "the parent of a name alone");
    is_owned(file_parent("/"), "/", "the parent of the root");
    is_owned(file_parent("//"), "/", "the parent of the root spelt with two slashes");
    ok(file_room(".") > 0, "there is room in this folder");
    ok(file_room("none") == UINT64_MAX, "nobody knows how much elsewhere");
}

int main(void)
{
    char folder[200];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/fetchpop-file.XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        puts("Bail out! no folder to work in");
        return 1;
    }
    test_read();
    test_write_errors();
    test_short_write();
    test_interrupted();
    test_folders();
    test_replace();
    test_lock();
    test_paths();
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    ok(access(folder, F_OK) != 0, "nothing is left of the test's folder");
    return tap_done();
}
