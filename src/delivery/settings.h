/* SPDX-License-Identifier: ISC */
/*
 * settings: what all of delivery shares: the kinds of destination, where mail is to go and how, and
 * what recovery finds of a message.
 */
#ifndef FP_DELIVERY_SETTINGS_H
#define FP_DELIVERY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "delivery/spool.h"

/* Every kind of destination: its enum constant (DELIVER_...) and the prefix of its struct kind,
 * which is in a file of its own. A new kind is that file and a row here. */
#define DELIVER_EACH_KIND(ROW)                                                                     \
    ROW(MAILDIR, maildir)                                                                          \
    ROW(MBOX, mbox)                                                                                \
    ROW(MDA, mda)                                                                                  \
    ROW(LMTP, lmtp)                                                                                \
    ROW(OUTPUT, output)

#define DELIVER_CONSTANT(NAME, prefix) DELIVER_##NAME,
enum deliver_kind { DELIVER_EACH_KIND(DELIVER_CONSTANT) DELIVER_KINDS };
#undef DELIVER_CONSTANT

/* Octets left free on the file system beside a message, for names and journal. */
#define DELIVER_SPARE ((uint64_t)1024 * 1024)

/* Borrowed for the life of the deliver. */
struct deliver_settings {
    enum deliver_kind kind;
    const char *where;       /* absolute path, the command, or "unix:/path" or "host:port" */
    const char *recipient;   /* for LMTP */
    bool durable;            /* fsync = full */
    int64_t command_timeout; /* milliseconds, for a command, or LMTP's answer to a message */
    int64_t lock_timeout;    /* milliseconds, for the locks of an mbox, all other LMTP answers */
    const char *state_dir;   /* absolute, exists */
    const char *mailbox;     /* id: SPOOL_MAILBOX hex digits */
    const char *state;       /* the state folder's id: SPOOL_FOLDER hex digits */
    const char *account;     /* title, for a command's environment and for log lines */
    struct log *log;
    const struct spool_list *keeps; /* files of this mailbox that no sweep removes; may be NULL */
    void (*idle)(void *ctx); /* called now and then while a command runs (NOOP); NULL: never */
    void *idle_ctx;
    bool unsettled; /* a take of an earlier run is open: what is known of it (mbox) stays */
    bool passed; /* messages have been through pipe_through: a file that is kept says so (keep.h) */
    const struct deliver_settings *next; /* where else mail of this mailbox goes; NULL: nowhere */
    struct deliver **speaker; /* of all those, which one has a connection (LMTP); starts NULL */
};

/* A message that is kept in a file (keep.h). */
struct deliver_file {
    char name[SPOOL_NAME_MAX];
    uint64_t octets;
};

/* One open take, and what became of it. */
enum deliver_found {
    DELIVER_AGAIN,     /* not there: fetch it again */
    DELIVER_PUBLISHED, /* there, and durable now */
    DELIVER_KEPT,      /* not there, or nobody can tell; but it is in a file that is kept */
    DELIVER_LOST,      /* as AGAIN, but it was there before, and is nowhere: worth a warning */
    DELIVER_STUCK, /* as AGAIN: its place can be neither read nor mended, and is not the one that is
                    * delivered to by now; told for all of a place in one line */
    DELIVER_OPEN   /* that cannot be seen, or it cannot be kept, now: the next run looks again */
};
struct deliver_claim {
    struct str receipt;
    bool kept; /* it is in a file of its own already: no other is made */
    enum deliver_found found;
    bool doubtful; /* KEPT, but it was there before and is nowhere: worth a warning, too */
    struct deliver_file file; /* of one that was found KEPT */
};

#endif
