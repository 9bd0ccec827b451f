/* SPDX-License-Identifier: ISC */
/*
 * manners: when to stay away from a server, and how often trouble is reported.
 *
 * What is known from earlier runs is in the note of the mailbox. Only trouble of the network or the
 * server counts here (err_whose); trouble on this machine causes no pause, and is reported each
 * time, but for that of a destination.
 *
 * - From the third failure in a row on: a pause of a minute, doubling up to an hour, give or take a
 *   random fifth. A poll that gets through ends it. A person is not kept away by it.
 * - Where this machine has no network (ERR_NETWORK) a pause would spare no server: none is made.
 * - After a refusal for coming too soon: what the server announces (LOGIN-DELAY of CAPA, RFC 2449
 *   section 6.5), or a minute.
 * - A secret that the server calls wrong is tried again after an hour, then at doubling distances
 *   up to a day; at once when it, or port, tls or auth, has changed. One that has worked before is
 *   taken to be right until it has been refused three times, an hour apart.
 * - `interval` of the account. A person is not kept away by it.
 *
 * Unattended (cron): what may pass by itself is told from the third run in a row on (at once of an
 * account that has never worked, and again once port, tls or auth has changed), and when it is
 * over; no network, lasting trouble, a destination that takes no mail, and a secret that cannot be
 * got are told at once, then once a day as long as they are the same. Held messages are told once a
 * week. Where no note can be written, all is told each time.
 */
#ifndef FP_SESSION_MANNERS_H
#define FP_SESSION_MANNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/run.h"
#include "state/note.h"

#define MANNERS_PATIENCE 3 /* failures in a row before they have consequences */
#define MANNERS_DELAY 60   /* seconds, where the server announces none */
#define MANNERS_SLACK 300  /* seconds that a daily report may come early */

struct manners {
    struct session_run *run;
    struct note *note;
    int64_t now;       /* wall clock, of the beginning */
    bool known_secret; /* not tried: it was refused before */
    bool no_secret;    /* the account's command or file gave none */
};

/* How a poll ended. */
struct manners_end {
    bool destination;    /* it takes no mail, or filter_command says nothing: told once a day */
    struct err server;   /* what went wrong besides; kind ERR_NONE: nothing */
    bool offline;        /* no connection was to be made: nothing is known of the server */
    bool here;           /* whatever the kind of its error: the trouble was on this machine */
    int64_t now;         /* wall clock */
    int64_t login_delay; /* as the server announces it, -1: not said */
};

enum manners_leave {
    MANNERS_POLL,
    MANNERS_SKIP,  /* its interval is not over: not an error, and logged */
    MANNERS_REFUSE /* a pause after failures, or one that the server wants: ERR_AGAIN */
};

/* May the account be polled now? If not, no connection is to be made; run->figures says that it was
 * skipped and when to come again. Needs no secret and no lock, writes nothing. */
enum manners_leave manners_allow(struct session_run *run, int64_t now, struct err *err);

/* Before connecting, under the lock of the journal (if the run writes). */
void manners_begin(struct manners *manners, struct session_run *run, int64_t now);

/* Gets the secret (run->secrets), and asks whether it may be tried now. -1: there is none, with its
 * error; or it was refused, with the words of then and ERR_PASSWORD_REFUSED, or ERR_AGAIN if it has
 * worked before. */
int manners_get_secret(struct manners *manners, struct err *err);

/* After everything: notes how it ended (run->figures.told: with single messages alone), decides
 * whether it is told (run->figures.quiet), adds the time of the next try to the text, and frees the
 * note. err may be of kind ERR_NONE. Without a manners_begin (all zero) it does nothing. */
void manners_end(struct manners *manners, const struct manners_end *end, struct err *err);

/* --status: what keeps the account from being polled, one line each through `line`. */
void manners_status(const struct note *note, int64_t now, void (*line)(void *ctx, const char *text),
                    void *ctx);

/* The server refuses to delete `count` messages, in these words (quoted); the first of them
 * is message `number`. Told once a day where nobody watches. count 0: it refuses none. */
void manners_tell_undeleted(struct manners *manners, uint32_t count, uint32_t number,
                            const char *words);

/* So many messages were deleted in this poll that had been before: told where it goes on for a day,
 * and then once a week: nobody here can do much about it. */
void manners_tell_reappeared(struct manners *manners, uint32_t count);

/* The server deletes mail by itself after this many days (RFC 2449 section 6.6; -1: it does not say
 * so): told once if the account wants to keep it longer. */
void manners_learn_expiry(struct manners *manners, int64_t days);

/* Seconds to stay away after this many failures in a row; 0: none. chance: a random number. */
int64_t manners_back_off(uint32_t failures, uint32_t chance);

/* Has the server let this account in with its password, port, tls and auth of today? (Of one with a
 * token: ever?) */
bool manners_has_worked(const struct account *account, const struct note *note);

/* A hash of all words of a text except those with digits in them (session numbers, dates): equal
 * for the same trouble. */
uint64_t manners_hash(const char *text);

#define MANNERS_TIME 32

/* "14:05" in local time, or with the date if that is another day than now's; both in seconds since
 * 1970. Returns out, or a constant text if there is no such time. */
const char *manners_spell_time(int64_t when, int64_t now, char out[MANNERS_TIME]);

#endif
