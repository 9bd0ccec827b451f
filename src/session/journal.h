/*
 * journal: what we know of one mailbox (server and user), in one append-only text file.
 *
 * It is opened under a lock that dies with the process; the lock is on a file of its own, never on
 * the one that is replaced. Each record is a line with its own CRC-32 in front; a bad line costs
 * itself; a torn tail is cut off before the first append. Records are gathered in memory and
 * written by journal_sync, in one write and one fdatasync. The file stays mapped while it is open:
 * what a line says is read there when it is wanted. When it has half as many lines again
 * as it needs, it is written anew beside itself and renamed; a failed rewrite is no error.
 *
 * An entry is one message. It is forgotten only after its absence from JOURNAL_FORGET complete
 * listings on as many different days, since servers hide messages and bring them back.
 */
#ifndef FP_SESSION_JOURNAL_H
#define FP_SESSION_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/header.h"
#include "base/log.h"
#include "base/str.h"

#define JOURNAL_FORGET 30
#define JOURNAL_NONE UINT32_MAX
#define JOURNAL_MAILBOX 16      /* hex digits of a mailbox id */
#define JOURNAL_WORDS_MAX 32768 /* octets of a receipt or a reason, escaped */

enum journal_state {
    JOURNAL_FREE,    /* no such entry */
    JOURNAL_FAILED,  /* could not be had or delivered so far: tries times */
    JOURNAL_DOUBTED, /* the connection broke over it: asked for alone, after all others */
    JOURNAL_HELD,    /* given up; left on the server until --retry */
    JOURNAL_TAKEN,   /* being delivered; only recovery sees one of an earlier run */
    JOURNAL_DONE,    /* delivered, durably */
    JOURNAL_GONE     /* delivered, and QUIT after its DELE was answered with +OK */
};

/* How a message is known again beside its UIDL. */
struct journal_print {
    bool known;
    bool has_message_id;
    unsigned char bytes[HEADER_FINGERPRINT];
};

/* What is in memory of one message, for each that is known: hundreds of thousands. Everything else
 * is in its line of the file: journal_facts. */
struct journal_entry {
    uint32_t at;     /* private: where its line is */
    uint32_t same;   /* private: 1 + the next entry of the same UIDL */
    uint32_t size;   /* private: see journal_size */
    uint32_t absent; /* private: the day it was first missed; 0: present */
    unsigned tries : 16;
    unsigned state : 4;  /* enum journal_state */
    unsigned before : 4; /* of a TAKEN entry: what it was */
    unsigned listed : 2; /* how many messages of the present listing it may be; 2: or more */
    bool tried : 1;      /* its failure was told in this run; not on disk */
    bool keep : 1;       /* policy of TAKEN and DONE: stay on the server */
    bool blank : 1;      /* it has no UIDL */
    bool shared : 1;     /* private: another entry has, or had, the same UIDL */
};

/* What its line says beside that. */
struct journal_facts {
    uint64_t size;       /* by LIST, in octets */
    uint32_t first_seen; /* wall clock, seconds: enough until 2106 */
    struct journal_print print;
    struct str words; /* TAKEN: the receipt; FAILED, DOUBTED, HELD: the reason, escaped; else empty.
                         A view that lives until the next call that changes something */
};

struct journal;

enum journal_mode {
    JOURNAL_WRITE, /* lock, make if missing, mend */
    JOURNAL_READ   /* no lock, nothing is made or changed; missing is empty */
};

/* The id of a mailbox: JOURNAL_MAILBOX hex digits of a digest over server (case ignored) and user.
 * Ports do not count: 110 and 995 are one mailbox. */
void journal_mailbox(const char *server, const char *user, char out[JOURNAL_MAILBOX + 1]);

/* The name of a mailbox's files in the state folder, without their endings; malloced. */
char *journal_stem(const char *server, const char *user);

/* state_dir exists (JOURNAL_WRITE). ERR_LOCKED: another run has it. ERR_IO: unreadable, or written
 * by a newer version (it is left alone). Junk is moved aside to NAME.bad with a warning. */
int journal_open(struct journal **out, const char *state_dir, const char *server, const char *user,
                 enum journal_mode mode, bool durable, struct log *log, struct err *err);
void journal_close(struct journal *journal); /* NULL is fine; what was not synced is dropped */

/* True if there was no journal before. */
bool journal_is_new(const struct journal *journal);

/* Entries are numbered 0 .. journal_count - 1; some may be FREE. Pointers live until the next call
 * that adds an entry. */
uint32_t journal_count(const struct journal *journal);
const struct journal_entry *journal_entry(const struct journal *journal, uint32_t id);
struct journal_facts journal_facts(const struct journal *journal, uint32_t id);
uint64_t journal_size(const struct journal *journal, uint32_t id); /* of its facts, but quickly */

/* Its UIDL: a view into the journal, or into room where it has to be made from what is written. */
#define JOURNAL_UIDL_ROOM 256
struct str journal_uidl(const struct journal *journal, uint32_t id, char room[JOURNAL_UIDL_ROOM]);

/* Entries of one UIDL: the first, and the one after another. JOURNAL_NONE: there is none. guess:
 * an entry that may well be the only one, since servers list in the same order again (any number
 * will do). *name:
 * with it journal_named gives the UIDL as long as the journal is open; 0 if it has to be copied. */
uint32_t journal_find(const struct journal *journal, struct str uidl, uint32_t guess,
                      uint32_t *name);
uint32_t journal_next(const struct journal *journal, uint32_t id);
struct str journal_named(const struct journal *journal, uint32_t name);

/* A new connection begins: what was written since the last is in reach again as the rest is. Ends
 * all names and views. */
void journal_reread(struct journal *journal);

/* Its failure was told: not again in this run. Not written to disk. */
void journal_mark_tried(struct journal *journal, uint32_t id);

/* One more message of the present listing may be this entry; it is none of them. Not on disk. */
void journal_list(struct journal *journal, uint32_t id);
void journal_unlist(struct journal *journal, uint32_t id);

/* A complete listing was had on this day (days since 1970): counts who was there and who not. */
void journal_listed_all(struct journal *journal, int64_t day);

/* What happens to messages. All of these are gathered, and on disk only after journal_sync. */
struct journal_subject {
    struct str uidl; /* may be empty */
    uint64_t size;
    struct journal_print print;
};
/* So many entries may be added: memory that grows in one go has no holes. */
void journal_expect(struct journal *journal, uint32_t more);
/* A new entry (JOURNAL_FREE until something happens to it). A UIDL is at most 255 octets long. */
uint32_t journal_add(struct journal *journal, const struct journal_subject *subject, int64_t now);
/* What is known better now: another UIDL, size or print for the same message. */
void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject);
void journal_take(struct journal *journal, uint32_t id, bool keep, struct str receipt);
void journal_drop(struct journal *journal, uint32_t id); /* a TAKEN one is what it was before */
void journal_done(struct journal *journal, uint32_t id);
void journal_gone(struct journal *journal, uint32_t id);
void journal_fail(struct journal *journal, uint32_t id, const char *reason); /* tries + 1 */
/* It may work later: asked for after the others by the next run, and no try is counted. */
void journal_put_off(struct journal *journal, uint32_t id, const char *reason);
/* The connection broke over it, which may be the network's fault: no try is counted. */
void journal_doubt(struct journal *journal, uint32_t id, const char *reason);
void journal_hold(struct journal *journal, uint32_t id, const char *reason);
void journal_retry(struct journal *journal, uint32_t id); /* HELD: FAILED with no try counted */

/* The place where messages are spooled ("kind path", one line); "" if none was noted yet. */
struct str journal_place(const struct journal *journal);
void journal_set_place(struct journal *journal, struct str place);

/* Writes what was gathered, and makes it durable. An error is final: every later call fails too. */
int journal_sync(struct journal *journal, struct err *err);

/* Makes durable what an earlier process wrote and may not have lived to flush. */
int journal_flush(struct journal *journal, struct err *err);

/* True if something was gathered and not synced yet. */
bool journal_is_dirty(const struct journal *journal);

#endif
