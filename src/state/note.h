/* SPDX-License-Identifier: ISC */
/*
 * note: what is worth remembering of a mailbox from one run to the next, and costs nothing if it is
 * lost: when the next poll may come, which secret was refused, what was reported, what the server
 * can do. And one thing whose loss costs trust: the pin of the server's key (tls_trust = tofu).
 *
 * One small text file beside the journal, with a version in its first line and a checksum in its
 * last. One that is missing, unreadable, torn, damaged or of another mailbox counts as empty, which
 * is not an error. It is replaced whole (temporary file, rename, mode 0600; flushed to disk if it
 * has a pin), and only if something in it has changed. Whoever writes it holds the lock of the
 * journal.
 */
#ifndef FP_STATE_NOTE_H
#define FP_STATE_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

#define NOTE_CAPA_MAX 4096 /* octets of remembered capabilities */
#define NOTE_TEXT_MAX 600  /* octets of a refusal's words, NUL included */
#define NOTE_SALT 16
#define NOTE_CHECK 2                        /* octets */
#define NOTE_PIN 45                         /* a SHA-256 in base64, with its NUL */
#define NOTE_BACK_OFF_MAX (3600 + 3600 / 5) /* seconds: an hour and its jitter */
#define NOTE_DELAY_MAX ((int64_t)CLOCK_DAY) /* seconds that a server can ask for */

enum note_why { NOTE_WHY_NONE, NOTE_WHY_BACK_OFF, NOTE_WHY_DELAY };

enum note_mode {
    NOTE_READ, /* note_save does nothing */
    NOTE_WRITE /* the caller holds the lock; what a killed run left of a rewrite is removed */
};

/* Recognizes a secret without revealing it: the first octets of a salted digest, which one in
 * 65,536 other secrets has as well. So nobody can tell by it that a guess is right. */
struct note_secret {
    bool known;
    unsigned char salt[NOTE_SALT], check[NOTE_CHECK];
};

struct note_file;

/* All times are seconds since 1970, 0: none, or one that cannot be true. */
struct note {
    int64_t not_before;
    enum note_why why;
    uint32_t failures; /* polls in a row that failed for the network or the server */
    int64_t failing_since;
    int told_status; /* exit status of what was told last; 0: nothing is open */
    uint64_t told_hash;
    int64_t told_when;
    int64_t polled;      /* the start of the last poll that went through; for `interval` alone */
    unsigned habits;     /* of the server's answers: see session/habits.h; 0: none is known */
    int64_t habits_when; /* when the last of them was found out */
    int64_t exact;       /* messages in a row that were as long as listed; see there, too */
    int64_t whole;       /* length of the longest listing that was all the mail there was */
    struct {
        struct note_secret secret;
        uint32_t tries; /* that were refused, in a row */
        bool doubted;   /* it had worked before: the server may be wrong */
        int64_t when, next;
        char text[NOTE_TEXT_MAX]; /* the words in which it was told, NUL-terminated */
    } refused;
    struct note_secret worked;   /* the last one that did, if there was one to send */
    int64_t worked_when;         /* when the server last let us in, to the day */
    char trouble[NOTE_TEXT_MAX]; /* the words of the last failure, NUL-terminated */
    int64_t expires;             /* 1 + the days of the last EXPIRE warning; 0: none */
    int64_t touched;             /* when the last poll ended: the time of the file */
    int64_t succeeded;           /* when the last one ended that went well, if later ones did not */
    int64_t held_told;           /* when it was said last that messages are held */
    int64_t undeleted_told;      /* when it was said last that the server refuses to delete */
    int64_t reappearing;         /* since when deleted messages are shown again */
    int64_t reappeared_told;     /* when that was said last */
    int64_t end_told;            /* when it was said last that the certificate expires soon */
    int64_t no_capa;             /* when the server was last found to be unable to answer CAPA */
    int64_t no_top;              /* when a connection last ended over TOP, ... */
    int64_t no_uidl_n;           /* ... over UIDL with a number, ... */
    int64_t no_list_n;           /* ... over LIST with one */
    int64_t one_by_one;          /* when it was last found to lose pipelined commands */
    int64_t utf8;                /* 1: it has messages that want UTF8 (RFC 6856) */
    char pin[NOTE_PIN]; /* of the server's key, NUL-terminated; empty: none (note_keep_pin) */
    int64_t pin_when;   /* when it was noted */
    bool pin_new;       /* in this run; not written */
    bool damaged;       /* there was a file that could not be read, and may have had a pin */
    bool foreign;       /* there is something in its place that is not ours: it stays as it is */
    struct note_file *file; /* what note.c knows of it */
};

/* Reads the note of a mailbox; never fails. A time in the future of `now` (wall clock, seconds) is
 * none; so is a not_before further away than it can be. The caller's until note_free. */
struct note *note_load(const char *state_dir, const char *server, const char *user,
                       enum note_mode mode, int64_t now);

/* Writes it if it says something else than the file did. 0: written, or nothing to do; -1: it could
 * not be written, which is not worth reporting. */
int note_save(struct note *note);

/* Notes the pin of the server's key (base64) and the moment (wall clock, seconds), durably: 0, and
 * the file has it, whatever happens to the machine. -1: it cannot be written (err says why), or the
 * note is only read, or not ours (ERR_CREATE); the note is as it was. */
int note_keep_pin(struct note *note, const char *pin, int64_t now, struct err *err);

/* The mailbox of one stem (mailbox_stem) gets another name, on the same server: the pin that its
 * note has, or that it is damaged, is its new note's as well, durably. One that has a pin keeps it.
 * ERR_CREATE, ERR_IO. */
int note_carry_pin(const char *state_dir, const char *from, const char *to, struct err *err);

/* The file says the same, and a poll has ended now (wall clock, seconds): its time is all that
 * changes. */
void note_touch(struct note *note, int64_t now);
void note_free(struct note *note); /* NULL is fine */

/* For messages; lives as long as the note. */
const char *note_path(const struct note *note);

/* What is remembered of the server's capabilities, any octets, and when they were asked for; empty
 * if nothing is. The view lives until note_set_capa or note_free. */
struct str note_capa(const struct note *note, int64_t *when);

/* Remembers others; they are written by note_save. More than NOTE_CAPA_MAX, or none: forgotten. */
void note_set_capa(struct note *note, struct str capa, int64_t when);

#endif
