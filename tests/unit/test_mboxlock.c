/* SPDX-License-Identifier: ISC */
/* The locks of an mbox: fcntl and dotlock, whose dotlock is dead, and how long we wait. */
#include "delivery/mboxlock.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "unit/kit_delivery.h"

static char *mbox, *dot;
static struct kit kit;
static int no_links; /* the errno of a system without hard links; 0: they can be made */

/* In the place of the C library's: a system that lets nobody make one. */
int link(const char *from, const char *to)
{
    if (no_links == 0)
        return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
    errno = no_links;
    return -1;
}

static void fresh(void)
{
    kit_free(&kit);
    free(mbox);
    free(dot);
    kit_fresh();
    mbox = kit_path("mbox");
    dot = kit_path("mbox.lock");
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    kit.settings.lock_timeout = 60;
}

static char *our_boot(void)
{
#ifndef FP_LINUX
    return xmemdup0("-", 1);
#endif
    size_t len;
    char *text = kit_read("/proc/sys/kernel/random/boot_id", &len);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char bytes[64] = "-";
    ssize_t n = fd < 0 ? 1 : read(fd, bytes, sizeof bytes - 1);
    if (fd >= 0)
        close(fd);
    free(text);
    return xmemdup0(bytes, str_trim(str_of(bytes, n > 0 ? (size_t)n : 0)).len);
}

/* Takes the lock, perhaps lets it go again: 0 taken, 1 busy, -1 something else. */
static int try(void)
{
    struct mboxlock lock;
    struct err err = {0};
    if (mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err) < 0)
        return err.kind == ERR_LOCKED ? 1 : -1;
    mboxlock_drop(&lock);
    return 0;
}

/* With this in the dotlock, that many seconds old. */
static int with_dotlock(const char *text, int age)
{
    kit_write(dot, text, strlen(text), "w");
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    utimensat(AT_FDCWD, dot, times, 0);
    int result = try();
    if (result == 0)
        ok(access(dot, F_OK) < 0, "  (and it is gone)");
    unlink(dot);
    return result;
}

static void plain(void)
{
    struct mboxlock lock;
    struct stat status;
    struct err err = {0};
    fresh();
    is_int(mboxlock_take(&lock, &kit.settings, mbox, false, NULL, &err), 1,
           "without a mbox there is nothing to lock");
    ok(access(mbox, F_OK) < 0 && access(dot, F_OK) < 0, "without a mbox nothing is made");
    umask(0);
    is_int(mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err), 0,
           "where it is asked for, a missing mbox is made and locked");
    ok(stat(mbox, &status) == 0 && (status.st_mode & 07777) == 0600,
       "the mbox was made with mode 0600");
    ok(lstat(dot, &status) == 0 && S_ISREG(status.st_mode), "a locked mbox has a dotlock");
    size_t len;
    char *text = kit_read(dot, &len);
    char *boot = our_boot();
    char *want = xasprintf("%ld fetchpop %s ", (long)getpid(), boot);
    ok(strncmp(text, want, strlen(want)) == 0, "that holds process and boot");
    pid_t child = fork();
    if (child == 0) {
        int fd = open(mbox, O_RDWR | O_CLOEXEC);
        _exit(file_lock(fd, mbox, NULL) < 0 ? 7 : 0);
    }
    int how;
    waitpid(child, &how, 0);
    ok(WIFEXITED(how) && WEXITSTATUS(how) == 7, "and there is an fcntl lock");
    mboxlock_drop(&lock);
    ok(access(dot, F_OK) < 0, "a lock that is dropped leaves no dotlock");
    is_int((long long)kit_count(kit_folder), 2, "and nothing else is left beside the mbox");
    free(text);
    free(boot);
    free(want);
}

static void rules(void)
{
    char text[512], host[65] = "", boot[80];
    char *our = our_boot();
    gethostname(host, sizeof host - 1);
    fresh();
    snprintf(boot, sizeof boot, "%s", our);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);

    is_int(with_dotlock("0", 0), 1, "a foreign dotlock is respected");
    is_int(with_dotlock("", 590), 1, "also an empty one of 590 seconds");
    is_int(with_dotlock("0", 615), 0, "a foreign one of 615 seconds is stale");
    snprintf(text, sizeof text, "%ld fetchpop %s %s\n", (long)dead, boot, host);
    is_int(with_dotlock(text, 0), 0, "ours, of a process that is no more: removed at once");
    snprintf(text, sizeof text, "%ld fetchpop %s %s\n", (long)getppid(), boot, host);
    is_int(with_dotlock(text, 0), 1, "ours, of a process that lives: respected");
    snprintf(text, sizeof text, "%ld fetchpop another-boot %s\n", (long)getppid(), host);
    is_int(with_dotlock(text, 0), 0, "ours, of another boot: removed at once");
    snprintf(text, sizeof text, "%ld fetchpop %s elsewhere\n", (long)dead, boot);
    is_int(with_dotlock(text, 0), 1, "of another host: respected");
    snprintf(text, sizeof text, "%ld\n", (long)dead);
    is_int(with_dotlock(text, 0), 1, "a foreign one, whatever process it names: respected");
    snprintf(text, sizeof text, "%ld fetchpop %s %s\n", (long)getpid(), boot, host);
    is_int(with_dotlock(text, 0), 0, "ours, with the very id that we have: not ours now, removed");
    free(our);
}

/* A child holds it for some time and touches nothing else. */
static pid_t hold(bool dotted, int ms)
{
    int ready[2];
    char c;
    if (pipe(ready) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(mbox, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (dotted)
            kit_write(dot, "0", 1, "w");
        else
            file_lock(fd, mbox, NULL);
        if (write(ready[1], "x", 1) < 0)
            _exit(1);
        usleep((useconds_t)ms * 1000);
        unlink(dot);
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) < 0)
        return -1;
    close(ready[0]);
    return pid;
}

static int idles;

static void idle(void *ctx)
{
    (void)ctx;
    idles++;
}

static void waiting(void)
{
    for (int dotted = 0; dotted < 2; dotted++) {
        const char *which = dotted ? "dotlock" : "fcntl lock";
        fresh();
        pid_t pid = hold(dotted, 400);
        ok(try() == 1, "%s held: busy", which);
        ok(dotted || access(dot, F_OK) < 0, "%s held: no dotlock of ours is left", which);
        kit.settings.lock_timeout = 20000;
        kit.settings.idle = idle;
        idles = 0;
        ok(try() == 0, "%s held: waited for", which);
        ok(idles > 0, "%s held: idle is called meanwhile", which);
        waitpid(pid, NULL, 0);
    }
}

static void links(void)
{
    struct mboxlock lock;
    struct err err = {0};
    fresh();
    char *real = kit_path("real");
    kit_write(real, "", 0, "w");
    is_int(symlink(real, mbox), 0, "test: the mbox is a symbolic link");
    is_int(mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err), 0,
           "a symbolic link is followed");
    char *resolved = realpath(real, NULL);
    is_str(lock.real, resolved, "and its target is the name that is remembered");
    ok(mboxlock_is_current(&lock), "the lock is of the mbox that is there now");
    unlink(mbox);
    ok(!mboxlock_is_current(&lock), "after the mbox was replaced, the lock is of another one");
    mboxlock_drop(&lock);
    free(resolved);
    free(real);

    fresh();
    mkdir(mbox, 0700);
    ok(mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err) < 0 && err.kind == ERR_CREATE,
       "a folder: %s", err.text);
    rmdir(mbox);
    mkfifo(mbox, 0600);
    ok(mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err) < 0 && err.kind == ERR_CREATE,
       "a fifo: %s", err.text);
}

static void without_links(void)
{
    static const int numbers[] = {EPERM, EACCES, ENOSYS, EOPNOTSUPP, EMLINK, EIO};
    struct mboxlock lock;
    struct err err = {0};
    fresh();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const char *why = strerror(numbers[i]);
        no_links = numbers[i];
        ok(mboxlock_take(&lock, &kit.settings, mbox, true, NULL, &err) == 0,
           "link(2) says \"%s\": locked all the same", why);
        ok(access(dot, F_OK) == 0, "%s: with a dotlock", why);
        struct mboxlock second;
        mboxlock_drop(&lock);
        ok(access(dot, F_OK) < 0, "%s: which goes", why);
        kit_write(dot, "1 somebody\n", 11, "w");
        ok(mboxlock_take(&second, &kit.settings, mbox, true, NULL, &err) < 0 &&
               err.kind == ERR_LOCKED,
           "%s: and another one's is respected", why);
        unlink(dot);
    }
    no_links = 0;
}

/* As in /var/mail: the file is ours, the folder is not. */
static void closed_folder(void)
{
    fresh();
    kit_write(mbox, "", 0, "w");
    if (getuid() == 0) {
        chmod(kit_folder, 0755);
        if (chown(mbox, 65534, 65534) < 0)
            xdie("chown");
    } else {
        chmod(kit_folder, 0500);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(9);
        struct mboxlock lock;
        struct err err = {0};
        bool noted = false;
        for (int i = 0; i < 2; i++) {
            if (mboxlock_take(&lock, &kit.settings, mbox, true, &noted, &err) < 0)
                _exit(2);
            mboxlock_drop(&lock);
        }
        const char *said = strstr(kit_said, "fcntl alone");
        _exit(said != NULL && strstr(said + 1, "fcntl alone") == NULL ? 0 : 3);
    }
    int how;
    waitpid(pid, &how, 0);
    ok(WIFEXITED(how) && WEXITSTATUS(how) == 0,
       "a folder that is closed to us: fcntl alone, noted once (%d)", WEXITSTATUS(how));
    chmod(kit_folder, 0700);
}

/* Many at once, each counting in the file: no increment is lost. */
static void crowd(void)
{
    fresh();
    kit_write(mbox, "0\n", 2, "w");
    kit.settings.lock_timeout = 60000;
    fflush(stdout);
    for (int i = 0; i < 4; i++) {
        if (fork() != 0)
            continue;
        char mailbox[SPOOL_MAILBOX + 1];
        snprintf(mailbox, sizeof mailbox, "%016x", (unsigned)i);
        kit.settings.mailbox = mailbox;
        for (int round = 0; round < 10; round++) {
            struct mboxlock lock;
            char text[32] = "";
            if (mboxlock_take(&lock, &kit.settings, mbox, true, NULL, NULL) < 0 ||
                pread(lock.fd, text, sizeof text - 1, 0) < 0)
                _exit(1);
            int len = snprintf(text, sizeof text, "%ld\n", strtol(text, NULL, 10) + 1);
            usleep(500);
            if (pwrite(lock.fd, text, (size_t)len, 0) != len)
                _exit(1);
            mboxlock_drop(&lock);
        }
        _exit(0);
    }
    int how, bad = 0;
    while (wait(&how) > 0)
        bad += !WIFEXITED(how) || WEXITSTATUS(how) != 0;
    size_t len;
    char *text = kit_read(mbox, &len);
    is_int(bad, 0, "four processes take the lock ten times each");
    is_str(text, "40\n", "forty increments by several processes under the lock add up");
    is_int((long long)kit_count(kit_folder), 2, "the processes leave nothing behind");
    free(text);
}

int main(void)
{
    plain();
    rules();
    waiting();
    links();
    without_links();
    closed_folder();
    crowd();
    kit_free(&kit);
    free(mbox);
    free(dot);
    kit_remove(kit_folder);
    return tap_done();
}
