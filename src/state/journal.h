/* SPDX-License-Identifier: ISC */
/*
 * journal: what we know of one mailbox (server and user), in one append-only text file.
 *
 * It is opened under a lock (state/lock.h). Each record is a line with its own CRC-32 in front; a
 * damaged line loses only itself; a torn end is cut off before the first append. Records are
 * gathered in memory and written by journal_sync, in one write and one fdatasync. When the file has
 * half as many lines again as it needs, it is written anew beside itself and renamed; a failed
 * rewrite is not an error.
 *
 * An entry is one message. It is forgotten only after its absence from REPLAY_FORGET complete
 * listings on as many different days, since servers hide messages and bring them back.
 */
#ifndef FP_STATE_JOURNAL_H
#define FP_STATE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "state/calendar.h"
#include "state/mailbox.h"
#include "state/reason.h"
#include "state/record.h"
#include "state/table.h"
#include "state/visits.h"

struct journal;

enum journal_mode {
    JOURNAL_WRITE, /* lock, make if missing, mend */
    JOURNAL_READ   /* no lock, nothing is made or changed; missing is empty */
};

struct journal_settings { /* borrowed for the call; log: for the journal's life */
    const char *state_dir;
    const char *server, *user;
    const char *stem; /* of its file, where that still has the name of another mailbox, which this
                          * one was before; NULL: its own (mailbox_stem) */
    const char *account; /* "title:configuration file" as one word, for the head; NULL: nothing */
    enum journal_mode mode;
    bool durable; /* fsync = full */
    struct log *log;
};

struct journal_file { /* session/kept.h */
    struct str name;
    uint64_t octets;
};

/* state_dir exists (JOURNAL_WRITE). ERR_BUSY: another run has it and makes progress; ERR_LOCKED:
 * that one has made none for an hour. ERR_IO: unreadable, or written by a newer version (it is left
 * alone). Junk is moved aside to NAME.bad with a warning; an older version's is written anew. */
int journal_open(struct journal **out, const struct journal_settings *settings, struct err *err);
void journal_close(struct journal *journal); /* NULL is fine; what was not synced is dropped */

/* True if there was no journal before. */
bool journal_is_new(const struct journal *journal);

/* True if it was new, or lines of it could not be read: then a file of ours that no entry names may
 * be all that is left of a message. */
bool journal_has_gaps(const struct journal *journal);
/* All such files are found, and have entries: what is damaged may go. Until then it stays. Entries
 * may have other numbers afterwards. ERR_IO. */
int journal_close_gaps(struct journal *journal, struct err *err);

/* Such a file: a new entry, KEPT, unless there is one of that name. Gathered. */
void journal_find_file(struct journal *journal, const struct journal_file *file, int64_t now);

/* True if the mailbox was listed before, to its end, or messages of it are known; those that only a
 * file told of (journal_find_file) prove nothing. */
bool journal_was_listed(const struct journal *journal);

/* True if the head still names another mailbox, which this one was before (state/rename.h); id: of
 * that one. What a killed run left carries that id, and what is known of messages is believed only
 * once they were compared by more than their UIDLs; then journal_confirm_name says whose it is. */
bool journal_was_renamed(const struct journal *journal, char id[MAILBOX_ID + 1]);
void journal_confirm_name(struct journal *journal);

/* Entries are numbered 0 .. journal_count - 1; some may be FREE, as JOURNAL_NONE is. */
uint32_t journal_count(const struct journal *journal);
struct journal_entry journal_entry(const struct journal *journal, uint32_t id);

/* All that its line says, as it stands there; views that live until the next call that adds,
 * changes or looks at another. record_fingerprint gives its fingerprint. */
struct record journal_record(const struct journal *journal, uint32_t id);
uint64_t journal_size(const struct journal *journal, uint32_t id); /* of its record, but quickly */

/* The receipt of a TAKEN one; malloced. */
char *journal_receipt(const struct journal *journal, uint32_t id);

/* Its UIDL, in room. */
struct str journal_uidl(const struct journal *journal, uint32_t id, char room[JOURNAL_UIDL_ROOM]);

/* Entries of one UIDL: the first, and the one after another; JOURNAL_NONE: there is none. guess:
 * an entry that is looked at first, since servers list in the same order each time; any number is
 * right, a good one is fast. */
uint32_t journal_find(struct journal *journal, struct str uidl, uint32_t guess);
uint32_t journal_next(const struct journal *journal, uint32_t id);

/* True if this UIDL of the entry can be read where it stands in the file: ref is then valid for
 * journal_uidl_at until journal_reread. If not, a caller that wants to keep the UIDL has to copy
 * it. */
bool journal_refers(const struct journal *journal, uint32_t id, struct str uidl,
                    struct uidl_ref *ref);
struct str journal_uidl_at(const struct journal *journal, struct uidl_ref ref);

/* Called when a new connection begins: what was written since the last one can then be read as
 * quickly as the rest. Ends all views and references. */
void journal_reread(struct journal *journal);

/* The name of its file (session/kept.h) in room, with a NUL behind it, and its length; empty: it is
 * in none. */
#define JOURNAL_FILE_MAX 200
struct str journal_file(const struct journal *journal, uint32_t id, char room[JOURNAL_FILE_MAX],
                        uint64_t *octets);

/* Its failure was reported, and is not reported again in this run. Not written to disk. */
void journal_mark_tried(struct journal *journal, uint32_t id);

/* One more message of this listing may be this entry (journal_list), or one turned out not to be
 * (journal_unlist). Not written to disk. */
void journal_list(struct journal *journal, uint32_t id);
void journal_unlist(struct journal *journal, uint32_t id);

/* Compares `now` (wall clock, seconds) with the days of earlier listings. *last_day: the day of the
 * last one, as it was before this call. Gathered; a poll begins with this. */
enum calendar_look journal_look_at_clock(struct journal *journal, int64_t now, int64_t *last_day);

/* The clock is right: messages that were first seen by one that was not set, or in the future, were
 * first seen now. */
int journal_mend_dates(struct journal *journal, int64_t now, struct err *err);

/* Not in the present listing (journal_list), though it was in one before, on this day or on the
 * last one on which there was any; it was not deleted. */
bool journal_has_vanished(const struct journal *journal, uint32_t id);

/* There was a complete listing on this day (days since 1970). True: the first on it. */
bool journal_count_day(struct journal *journal, int64_t day);
/* What is listed is not missing any more; if all that is listed is known, the rest is missing. */
void journal_count_missing(struct journal *journal, bool all);

/* It was found old enough to be deleted on this day; 0: it is not. */
void journal_find_due(struct journal *journal, uint32_t id, int64_t day);

/* What happens to messages. All of these are gathered, and on disk only after journal_sync. */
struct journal_subject {
    struct str uidl; /* may be empty */
    uint64_t size;
    struct fingerprint fingerprint;
};
struct journal_failure {
    enum reason reason;
    struct str words;  /* what server or command said of it, any octets; cut if it is long */
    uint64_t next_try; /* wall clock, seconds: not before; 0: with the next run */
};
/* At most this many entries will be added: memory that grows in one step has no holes. */
void journal_expect(struct journal *journal, uint32_t more);
/* A new entry (JOURNAL_FREE until something happens to it). A UIDL is at most 255 octets long. */
uint32_t journal_add(struct journal *journal, const struct journal_subject *subject, int64_t now);
/* What is known better now: another UIDL, size or fingerprint for the same message. */
void journal_learn(struct journal *journal, uint32_t id, const struct journal_subject *subject);
void journal_take(struct journal *journal, uint32_t id, enum journal_policy policy,
                  struct str receipt);
void journal_drop(struct journal *journal, uint32_t id); /* back to what it was before the take */
void journal_done(struct journal *journal, uint32_t id);
void journal_gone(struct journal *journal, uint32_t id);
/* Done, though not by us, and to stay on the server. */
void journal_adopt(struct journal *journal, uint32_t id);
/* It failed: tries + 1. */
void journal_fail(struct journal *journal, uint32_t id, const struct journal_failure *failure);
void journal_hold(struct journal *journal, uint32_t id, const struct journal_failure *failure);
/* It is in that file of ours: `state` is KEPT or REFUSED. `count`: it
 * was tried. Of one that is in a file already, file may be empty: it stays there. */
void journal_keep(struct journal *journal, uint32_t id, enum journal_state state, bool count,
                  const struct journal_file *file, const struct journal_failure *failure);
/* Its file has another name now. */
void journal_rename_file(struct journal *journal, uint32_t id, struct str name);
/* It may work later: the next run asks for it after the others, and no try is counted. */
void journal_put_off(struct journal *journal, uint32_t id, const struct journal_failure *failure);
/* A rule leaves it on the server, at least until then (wall clock, seconds; 0: as long as the rules
 * are what they are). */
void journal_leave(struct journal *journal, uint32_t id, int64_t until);
/* The connection broke over it, which may be the network's fault: no try is counted. */
void journal_doubt(struct journal *journal, uint32_t id, const struct journal_failure *failure);
/* No try is counted any more, and the next run tries: HELD becomes FAILED, what is in a file stays
 * what it is. */
void journal_retry(struct journal *journal, uint32_t id);

/* The places where messages were spooled (one line of deliver_place each), with the last day on
 * which each was there. Valid until the next journal_set_place. */
const struct visit *journal_places(const struct journal *journal, size_t *count);
/* Messages are spooled there; it was seen to be there on that day (since 1970; 0: it was not).
 * Gathered if that says anything new. */
void journal_set_place(struct journal *journal, struct str place, uint64_t day);
/* The last day on which a place was seen to be there; 0: never. */
uint64_t journal_place_day(const struct journal *journal, struct str place);

/* The digest of the rules by which messages were left, or given as stubs; "": of none, or not all
 * of them were. Setting it is gathered. */
const char *journal_rules(const struct journal *journal);
void journal_set_rules(struct journal *journal, const char *digest);

/* Writes what was gathered, and makes it durable, unless all of it may be lost in a power cut
 * without harm (`gone`, since a message is `done` then; days, and what is absent). ERR_LOCKED:
 * somebody removed the lock file or wrote into it, and another run may have the mailbox. An error
 * is final: every later call fails too. */
int journal_sync(struct journal *journal, struct err *err);

/* Makes durable what an earlier process wrote and may not have lived to flush. */
int journal_flush(struct journal *journal, struct err *err);

/* True if something was gathered and not synced yet. */
bool journal_is_dirty(const struct journal *journal);

#endif
