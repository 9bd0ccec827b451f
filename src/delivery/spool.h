/* SPDX-License-Identifier: ISC */
/*
 * spool: one message on its way from the wire to its destination, as a file of our own.
 *
 * A parcel owns its file descriptor from the first octet until it is released, since an error of a
 * late write-back is reported to open descriptors only. Its name is unique, maildir(5)-shaped, and
 * carries the ids of the mailbox and of the state folder, so that what a crash leaves can be
 * recognized, and what another machine is delivering is not mistaken for it.
 */
#ifndef FP_DELIVERY_SPOOL_H
#define FP_DELIVERY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/header.h"
#include "base/sink.h"
#include "base/str.h"

#define SPOOL_MAILBOX 16   /* hex digits of a mailbox id */
#define SPOOL_FOLDER 16    /* and of a state folder's */
#define SPOOL_NAME_MAX 200 /* octets of a name, NUL included */

enum parcel_outcome {
    PARCEL_WAITING, /* not published yet */
    PARCEL_DELIVERED,
    PARCEL_LATER,  /* the destination says: not now (75, a signal, its time limit) */
    PARCEL_REFUSED /* the destination will never take this message */
};

struct deliver;
struct ahead;

/* Kept small: hundreds of them wait for their batch. */
struct parcel {
    struct deliver *to; /* where it goes (delivery/deliver.h); borrowed */
    struct parcel *raw; /* what it was before pipe_through, for as long as it may have to be kept;
                         * goes with it; NULL: it is as it came */
    const char *name;   /* the last part of path */
    int folder;         /* borrowed descriptor of the folder the file is in */
    int fd;
    char *path;            /* for error texts and receipts */
    uint64_t octets;       /* of the message as stored, so far */
    struct ahead *ahead;   /* flushes it while more comes in; borrowed; NULL: nothing does */
    struct header *header; /* fed as it streams past */
    enum parcel_outcome outcome;
    int status;      /* of the command, as a shell reports it: 128 + the signal; or the code of an
                      * LMTP reply; 0: none */
    bool unsure;     /* of LATER: no answer came in time, so it may have been delivered */
    bool stays;      /* its file is kept by its name (keep.h) unless it is delivered */
    char *why;       /* for LATER and REFUSED: one clean line; else NULL; freed with the parcel */
    struct str uidl; /* what the command is told; borrowed, may be empty */
    /* for kinds that store something else than the plain message: */
    int (*transform)(struct parcel *parcel, const char *bytes, size_t len, struct err *err);
    void *extra; /* the kind's own, one malloced piece; freed with the parcel */
};

/* What all names of one process have in common, and what makes them differ. */
struct spool_names {
    char mailbox[SPOOL_MAILBOX + 1];
    char folder[SPOOL_FOLDER + 1];
    char host[100];
    long pid;
    unsigned long count;
    uint32_t random; /* clock and pid may come again: a container, a machine without battery */
};

/* Looks up host and process, and draws the random number, once. */
void spool_names_init(struct spool_names *names, const char *mailbox, const char *folder);

/* What the mode of a message's file in the state folder says of it, where no journal does. A file
 * system without modes says SPOOL_WHOLE of all. */
#define SPOOL_PART 0200  /* not all of it is there yet */
#define SPOOL_WHOLE 0600 /* it is on its way: only a journal can tell whether it was delivered */
#define SPOOL_KEPT 0400  /* an entry says that it is kept (keep.h) */

/* Creates a file in folder (exclusive, SPOOL_WHOLE or SPOOL_PART) under a new name,
 * seconds.M<µs>P<pid>Q<count>R<random>F<mailbox>S<folder>.<host>, and a parcel for it.
 * ERR_CREATE, ERR_IO, ERR_LOCAL (disk full). */
int spool_begin(struct parcel **out, int folder, const char *folder_path, mode_t mode,
                struct spool_names *names, struct err *err);

/* All of a message that was begun as SPOOL_PART is there. */
void spool_end(const struct parcel *parcel);

/* Where the body goes. Lives as long as the parcel. */
struct sink spool_sink(struct parcel *parcel);

/* Writes to the file at its end: what a transform calls. */
int spool_write(struct parcel *parcel, const char *bytes, size_t len, struct err *err);

/* A parcel whose file is there already, whole, in that folder: its header is read. ERR_IO. */
int spool_adopt(struct parcel **out, int folder, const char *folder_path, const char *name,
                struct err *err);

/* Removes the file (if it is still there) and frees the parcel. NULL is fine. */
void spool_drop(struct parcel *parcel);

/* Frees the parcel and closes its descriptor; the file stays where it is. */
void spool_free(struct parcel *parcel);

/* Makes the contents of n files durable: one by one, or, if they are more than SPOOL_FSYNC_EACH and
 * lie on a file system that is known to honour syncfs(2), by that. All lie on the file system of
 * `folder`. An error is final for all of them. */
#define SPOOL_FSYNC_EACH 8
int spool_secure(struct parcel *const *parcels, size_t n, int folder, struct err *err);

/* True if this many files are made durable by syncfs(2), and with them everything else on the file
 * system of the folder, names included. */
bool spool_secures_all(size_t n, int folder);

/* A file name (flags of maildir(5) behind ':' allowed) that a run of this mailbox has made. */
bool spool_is_own(const char *name, const char *mailbox);

/* Which mailbox's run has made it; false: none has. */
bool spool_mailbox(const char *name, char out[SPOOL_MAILBOX + 1]);

/* The same name, as another mailbox's; false: it is none that a run has made. */
bool spool_rename(const char *name, const char *mailbox, char out[SPOOL_NAME_MAX]);

/* Names of files that are still needed, sorted. */
struct spool_list {
    char **at;
    size_t count;
};
bool spool_list_has(const struct spool_list *list, const char *name); /* NULL: has none */

/* True if runs of this mailbox left it in the folder: a name that was made for it and for this
 * state folder; or if others did (another state folder, or a program that names its files as
 * maildir(5) has it), and nobody has touched it for SPOOL_AGE seconds. state NULL: the folder
 * belongs to the state folder, and so all names of this mailbox are its own, and no others are. */
#define SPOOL_AGE (36 * 3600)
bool spool_is_litter(int folder, const char *name, const char *mailbox, const char *state);

/* Removes that from a folder. With state NULL what is kept there stays; what is in the list (NULL:
 * none) stays as well. Returns how many stay that are marked as kept and not in it, or -1 and
 * ERR_IO. */
int spool_sweep(int folder, const char *folder_path, const char *mailbox, const char *state,
                const struct spool_list *kept, struct err *err);

#endif
