/*
 * manners: when to stay away from a server, and how often trouble is told.
 *
 * What is known from earlier runs is in the note of the mailbox. Only trouble of the network or the
 * server counts here (err_whose); trouble on this machine is told each time and keeps nobody away.
 *
 * - From the third failure in a row on: a minute, doubling up to an hour, a fifth more or less by
 *   chance. A poll that got through ends it.
 * - After a refusal for coming too soon: what the server announces (LOGIN-DELAY of CAPA, RFC 2449
 *   section 6.5), or a minute.
 * - A secret that the server calls wrong is not tried again until it changes.
 * - `interval` of the account.
 *
 * Nobody looks on (cron): what may pass is told from the third run in a row on, and when it is
 * over; what stays is told at once, then once a day as long as it is the same. Where no note can be
 * written, all is told each time.
 */
#ifndef FP_SESSION_MANNERS_H
#define FP_SESSION_MANNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/session.h"
#include "state/note.h"

#define MANNERS_PATIENCE 3 /* failures in a row before anything is made of them */
#define MANNERS_DELAY 60   /* seconds, where the server announces none */
#define MANNERS_DAY (24 * 3600)
#define MANNERS_SLACK 300 /* seconds that a daily report may come early */

struct manners {
    struct session_run *run;
    struct note *note;
    int64_t now;       /* wall clock, of the beginning */
    bool known_secret; /* not tried: it was refused before */
};

/* How a poll ended. */
struct manners_end {
    bool here;           /* whatever the kind of its error: the trouble was on this machine */
    int64_t now;         /* wall clock */
    int64_t login_delay; /* as the server announces it, -1: not said */
};

/* May the account be polled now? 0: go on. -1: not now, which is no connection; run->figures says
 * that it was skipped and when to come again, err has kind ERR_NONE (interval; said to the log) or
 * ERR_AGAIN. Needs no secret and no lock, writes nothing. */
int manners_allow(struct session_run *run, int64_t now, struct err *err);

/* Before connecting, under the lock of the journal (if the run writes). */
void manners_begin(struct manners *manners, struct session_run *run, int64_t now);

/* Was this very secret refused before? -1 with ERR_PASSWORD_REFUSED and the words of then. */
int manners_check_secret(struct manners *manners, struct err *err);

/* After everything: notes how it ended, decides whether it is told (run->figures.quiet), puts the
 * next try behind the words, and frees the note. err may be of kind ERR_NONE. Without a
 * manners_begin (all zero) it does nothing. */
void manners_end(struct manners *manners, const struct manners_end *end, struct err *err);

/* --status: what keeps the account from being polled, one line each through `line`. */
void manners_status(const struct account *account, const char *state_dir, int64_t now,
                    void (*line)(void *ctx, const char *text), void *ctx);

/* Seconds to stay away after so many failures in a row; 0: none. Chance: any number. */
int64_t manners_back_off(uint32_t failures, uint32_t chance);

/* What makes two texts the same trouble: all words but those with digits in them (numbers of
 * sessions, dates). */
uint64_t manners_hash(const char *text);

#endif
