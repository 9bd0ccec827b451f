/* SPDX-License-Identifier: ISC */
#include "app/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h> /* where illumos has TIOCGWINSZ, too */
#include <unistd.h>

#include "base/file.h"
#include "base/stop.h"

#define LINE_OCTETS 4096 /* what a terminal hands over at most */

/* One line, without its end: 1, or -1. */
static int read_line(int fd, char *line, size_t *len, struct err *err)
{
    *len = 0;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, STOP_SLICE_MS);
        if (stop_asked())
            return err_set(err, ERR_STOPPED, "interrupted while asking for a password");
        if (ready <= 0)
            continue;
        ssize_t n = read(fd, line + *len, LINE_OCTETS - *len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return err_set(err, ERR_LOGIN, "no password was typed; run it again");
        char *stop = memchr(line + *len, '\n', (size_t)n);
        *len += stop != NULL ? (size_t)(stop - (line + *len)) : (size_t)n;
        if (stop != NULL || *len == LINE_OCTETS)
            return 1;
    }
}

static int ask(int fd, const char *prompt, struct secret *secret, struct err *err)
{
    char line[LINE_OCTETS];
    size_t len;
    if (file_write(fd, prompt, strlen(prompt), "the terminal", err) < 0)
        return -1;
    int result = read_line(fd, line, &len, err);
    if (result == 1 && len == 0)
        result = err_set(err, ERR_LOGIN, "no password was typed; run it again");
    if (result == 1)
        secret_set(secret, str_of(line, len));
    secret_wipe_bytes(line, sizeof line);
    return result;
}

int tty_ask(const char *prompt, struct secret *secret, struct err *err)
{
    int fd = file_open("/dev/tty", O_RDWR | O_NOCTTY, 0);
    struct termios before;
    if (fd < 0 || tcgetattr(fd, &before) < 0) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    /* These would end or stop us with the echo off; INT and TERM are noted by stop. */
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGQUIT);
    sigaddset(&block, SIGTSTP);
    sigaddset(&block, SIGHUP);
    sigprocmask(SIG_BLOCK, &block, &old);
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL | ICANON;
    int result = -1;
    if (tcsetattr(fd, TCSAFLUSH, &quiet) == 0) {
        result = ask(fd, prompt, secret, err);
        tcsetattr(fd, TCSAFLUSH, &before);
        if (result < 0 && stop_asked()) {
            /* The line end that ECHONL had no chance to give. */
            file_write(fd, "\n", 1, "the terminal", NULL);
        }
    } else {
        err_errno(err, ERR_IO, errno, "the terminal's echo cannot be switched off");
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(fd);
    return result;
}

enum tty_answer tty_confirm(const char *question)
{
    char line[LINE_OCTETS];
    size_t len = 0;
    struct err ignored;
    int fd = file_open("/dev/tty", O_RDWR | O_NOCTTY, 0);
    if (fd < 0)
        return TTY_NONE;
    bool answered = file_write(fd, question, strlen(question), "the terminal", NULL) == 0 &&
                    read_line(fd, line, &len, &ignored) == 1;
    close(fd);
    return answered && len > 0 && (line[0] == 'y' || line[0] == 'Y') ? TTY_YES : TTY_NO;
}

bool tty_is_there(void)
{
    int fd = file_open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

size_t tty_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 79;
    return size.ws_col - 1u;
}
