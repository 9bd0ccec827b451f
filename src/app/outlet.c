/* SPDX-License-Identifier: ISC */
#include "app/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define LINE_OCTETS 2200 /* a line of the protocol, and what stands before it */

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [FP_LOG_ERROR] = {"error", LOG_ERR},
    [FP_LOG_WARNING] = {"warning", LOG_WARNING},
    [FP_LOG_NOTE] = {"note", LOG_NOTICE},
    [FP_LOG_TRACE] = {"trace", LOG_DEBUG},
};

/* --- opening ---------------------------------------------------------------------------------- */

/* Somebody else may have put something there to have us write into it. */
static int check(const char *path, int fd, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return err_errno(err, ERR_CREATE, errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_CREATE, "%s: is not a regular file; a log file must be one", path);
    if (info.st_uid != geteuid())
        return err_set(err, ERR_CREATE,
                       "%s: belongs to somebody else (uid %lu); log to a file of your own", path,
                       (unsigned long)info.st_uid);
    if (info.st_nlink > 1)
        return err_set(err, ERR_CREATE,
                       "%s: has a second name elsewhere (a hard link); log to a file of its own",
                       path);
    return 0;
}

static int open_file(const char *path, struct err *err)
{
    /* Not to wait for the reader of a FIFO; it makes no difference to a file. */
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    int fd = file_open(path, flags, 0600);
    if (fd < 0 && (errno == ELOOP || errno == EMLINK))
        return err_set(err, ERR_CREATE, "%s: is a link; name the log file itself", path);
    if (fd < 0 && errno == ENXIO)
        return err_set(err, ERR_CREATE, "%s: is not a regular file; a log file must be one", path);
    if (fd < 0)
        return err_set(err, ERR_CREATE, "%s: %s; log to a file in a folder of your own", path,
                       strerror(errno));
    if (check(path, fd, err) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool outlet_is_standard(const char *path)
{
    return str_is_among(str_from(path), "- /dev/stdout /dev/fd/1 /proc/self/fd/1");
}

/* The file, or standard output. */
static int open_path(const char *path, struct err *err)
{
    if (!outlet_is_standard(path))
        return open_file(path, err);
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return fd >= 0 ? fd : err_errno(err, ERR_CREATE, errno, "cannot log to standard output");
}

/* syslog(3) itself never says that nobody listens. */
static bool has_syslog(void)
{
#ifdef _PATH_LOG
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", _PATH_LOG);
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int fd = socket(AF_UNIX, types[i], 0);
        bool there = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
                     errno == EAGAIN; /* it is, and has a lot to do */
        if (fd >= 0)
            close(fd);
        if (there)
            return true;
    }
    return false;
#else
    return true;
#endif
}

int outlet_open(struct outlet *outlet, const char *path, bool to_syslog, struct err *err)
{
    *outlet = (struct outlet){.path = path, .fd = -1, .syslog = to_syslog};
    if (path != NULL) {
        outlet->fd = open_path(path, err);
        if (outlet->fd < 0)
            return -1;
    }
    if (to_syslog)
        openlog("fetchpop", LOG_PID, LOG_MAIL);
    return 0;
}

int outlet_reopen(struct outlet *outlet, struct err *err)
{
    if (outlet->path == NULL)
        return 0;
    int fd = open_path(outlet->path, err);
    if (fd < 0)
        return -1;
    close(outlet->fd);
    outlet->fd = fd;
    outlet->torn = false;
    return 0;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet->fd >= 0) {
        close(outlet->fd);
        outlet->fd = -1;
    }
    if (outlet->syslog) {
        closelog();
        outlet->syslog = false;
    }
}

bool outlet_is_open(const struct outlet *outlet)
{
    return outlet != NULL && (outlet->fd >= 0 || outlet->syslog);
}

/* --- a line ----------------------------------------------------------------------------------- */

/* "2026-11-22T01:02:03+01:00" */
static void spell_timestamp(char out[40])
{
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts) == NULL ||
        strftime(out, 30, "%Y-%m-%dT%H:%M:%S%z", &parts) == 0) {
        snprintf(out, 40, "%lld", (long long)now);
        return;
    }
    size_t len = strlen(out);
    if (len > 2) { /* strftime leaves the colon of the zone out */
        memmove(out + len - 1, out + len - 2, 3);
        out[len - 2] = ':';
    }
}

/* 0, or errno. */
static int append(struct outlet *outlet, enum log_level level, const char *text)
{
    char line[LINE_OCTETS];
    char when[40];
    spell_timestamp(when);
    int len = snprintf(line, sizeof line - 1, "%s%s [%ld] %s: %s", outlet->torn ? "\n" : "", when,
                       (long)getpid(), levels[level].name, text);
    size_t size = len < 0 ? 0 : (size_t)len < sizeof line - 2 ? (size_t)len : sizeof line - 2;
    line[size++] = '\n';
    ssize_t n;
    do {
        n = write(outlet->fd, line, size);
    } while (n < 0 && errno == EINTR);
    int number = n < 0 ? errno : (size_t)n < size ? ENOSPC : 0;
    outlet->torn = n > 0 ? (size_t)n < size : outlet->torn;
    return number;
}

static void to_file(struct outlet *outlet, enum log_level level, const char *text)
{
    char gap[100];
    snprintf(gap, sizeof gap, "%lu line(s) before this one could not be written here",
             outlet->lost);
    int number = outlet->lost > 0 ? append(outlet, FP_LOG_WARNING, gap) : 0;
    outlet->lost = number == 0 ? 0 : outlet->lost;
    if (number == 0)
        number = append(outlet, level, text);
    outlet->lost += number != 0;
    if (number != 0 && level <= FP_LOG_WARNING)
        fprintf(stderr, "fetchpop: %s: %s (cannot log to %s: %s)\n", levels[level].name, text,
                outlet->path, strerror(number));
}

/* Without anybody who listens, standard error has to do, for as long as that lasts. */
static void to_syslog(struct outlet *outlet, enum log_level level, const char *text)
{
    bool there = has_syslog();
    if (there)
        syslog(levels[level].priority, "%s", text);
    else if (!outlet->missed)
        fprintf(stderr, "fetchpop: nobody listens to syslog; its lines come here\n");
    if (!there)
        fprintf(stderr, "fetchpop: %s: %s\n", levels[level].name, text);
    outlet->missed = !there;
}

void outlet_line(struct outlet *outlet, enum log_level level, const char *text)
{
    if (outlet->fd >= 0)
        to_file(outlet, level, text);
    if (outlet->syslog)
        to_syslog(outlet, level, text);
}
