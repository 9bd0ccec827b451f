/* SPDX-License-Identifier: ISC */
/*
 * rights: what a process keeps when it enters a sandbox.
 */
#ifndef FP_BASE_RIGHTS_H
#define FP_BASE_RIGHTS_H

#include <stdbool.h>

/* Paths that are not there are passed over; a folder stands for all that is below it, a link for
 * what it leads to. Lists end with NULL. */
struct rights {
    const char *const *read;  /* files and folders that may be read */
    const char *const *write; /* and those that may be read, written, made, renamed and removed */
    const unsigned *ports;    /* TCP ports that may be connected to, of any host; then 0 */
    bool sockets;             /* sockets with a name in the file system (AF_UNIX) */
    bool binds;               /* our end of a connection gets an address of ours */
    bool signals;             /* other processes, such as commands, may be signalled */
};

#endif
