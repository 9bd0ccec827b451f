/* SPDX-License-Identifier: ISC */
/*
 * kind: what each kind of destination offers to deliver.c, which is the only one to call it.
 */
#ifndef FP_DELIVERY_KIND_H
#define FP_DELIVERY_KIND_H

#include "base/buf.h"
#include "base/identity.h"
#include "delivery/ahead.h"
#include "delivery/settings.h"

struct deliver {
    const struct deliver_settings *settings;
    const struct kind *kind;
    struct spool_names names;
    struct ahead ahead;
    struct identity owner; /* of the destination, where we are root */
    void *state;           /* the kind's own */
};

/* Each function is as its namesake in deliver.h. NULL where a kind has nothing to do. */
struct kind {
    const char *name; /* first word of receipts and places */
    size_t unit;      /* how many messages one publish may take */
    bool is_command;
    bool keeps_file; /* the spool file becomes the delivered message itself */
    bool as_owner;   /* its verbs touch the destination alone, so all of them run as its owner; the
                    * others change identity themselves where they touch it */
    bool quotes;     /* the spool file is as mboxform.h has it */
    /* A message that is kept in a file of this name; NULL: it is copied. */
    int (*resume)(struct deliver *deliver, const char *name, struct parcel **parcel,
                  struct err *err);
    int (*probe)(const struct deliver_settings *settings, struct err *err);
    bool (*has_mail)(const struct deliver_settings *settings);
    int (*open)(struct deliver *deliver, struct err *err);
    void (*close)(struct deliver *deliver);
    uint64_t (*room)(const struct deliver *deliver);
    int (*settle)(const struct deliver *deliver, struct err *err);
    void (*place)(const struct deliver_settings *settings, struct buf *out);
    bool (*is_gone)(const struct deliver_settings *settings);
    int (*begin)(struct deliver *deliver, struct parcel **parcel, struct err *err);
    int (*finish)(struct deliver *deliver, struct parcel *parcel, struct err *err);
    int (*secure)(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err);
    void (*receipt)(const struct deliver *deliver, const struct parcel *parcel, struct buf *out);
    int (*publish)(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err);
    /* Claims of this kind, all with the same last word (the path), all OPEN. After a failure those
     * that could not be seen still are. */
    int (*check)(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                 struct err *err);
    /* The spool file that a receipt names, if it is there, whole, and surely or possibly not
     * delivered: 0 and a descriptor; else 1; or -1, that cannot be seen now. NULL: there is none
     * beside the kept file. */
    int (*find)(const struct deliver_settings *settings, struct str receipt, int *fd,
                struct err *err);
    int (*sweep)(const struct deliver_settings *settings, struct str words, struct err *err);
};

#define KIND_DECLARE(NAME, prefix) extern const struct kind prefix##_kind;
DELIVER_EACH_KIND(KIND_DECLARE)
#undef KIND_DECLARE

#endif
