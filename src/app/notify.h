/* SPDX-License-Identifier: ISC */
/*
 * notify: what a service manager with systemd's protocol is told (sd_notify(3)), in datagrams of
 * NAME=value lines to the socket that $NOTIFY_SOCKET names.
 *
 * Where there is none, nothing happens. Nothing here fails, and nothing waits longer than a second.
 */
#ifndef FP_APP_NOTIFY_H
#define FP_APP_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_TEXT 200

struct notify {
    int fd; /* -1: there is no service manager */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t pulse; /* ms between two signs of life; 0: not wanted */
    int64_t next;  /* when the next one is due; CLOCK_NEVER: never */
    char status[NOTIFY_TEXT];
};

/* Reads the environment, and takes what it read out of it: the commands of a worker must not speak
 * in our name. */
void notify_open(struct notify *notify);

/* Closes the socket. */
void notify_close(struct notify *notify);

/* The polls have begun, or go on with another configuration file. */
void notify_ready(struct notify *notify);

/* The configuration file is read again. */
void notify_reloading(struct notify *notify);

/* We were told to end. */
void notify_stopping(struct notify *notify);

/* A line for a person; told only if it is another one than before. */
void notify_status(struct notify *notify, const char *text);

/* A sign of life, if one is due at that moment. */
void notify_alive(struct notify *notify, int64_t now);

#endif
