/* SPDX-License-Identifier: ISC */
#include "session/tofu.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/maildate.h"
#include "net/tls.h"

/* One key a run: behind a second connection there is no other one to be accepted. */
static bool accepts_any(const struct session_run *run, const struct note *note)
{
    return run->switches.accept_pin && !note->pin_new;
}

static bool is_noted(const struct note *note)
{
    return note != NULL && note->pin[0] != '\0';
}

void tofu_ask(struct tls_options *options, const struct session_run *run, const struct note *note)
{
    options->account = run->account->title;
    if (!is_noted(note) || accepts_any(run, note))
        return;
    options->noted = note->pin;
    options->noted_when = note->pin_when;
}

bool tofu_is_known(const struct account *account, const struct note *note)
{
    return account->trust == TLS_TRUST_TOFU && is_noted(note) && !note->pin_new;
}

/* What is damaged stays so, or the next run would see the server for the first time. */
static int may_note(const struct session_run *run, struct note *note, struct err *err)
{
    const struct account *account = run->account;
    if (note != NULL && note->damaged && !run->switches.accept_pin) {
        note->foreign = true;
        return err_set(
            err, ERR_TRUST,
            "%s: the noted key cannot be read (%s is damaged); --accept-pin \"%s\" notes "
            "the present one",
            account->server, note_path(note), account->title);
    }
    if (note == NULL || run->mode != SESSION_POLL)
        return err_set(err, ERR_TRUST,
                       "%s: no key of this server is noted yet, so no password was sent; a poll "
                       "notes it: fetchpop \"%s\"",
                       account->server, account->title);
    return 0;
}

static void tell(const struct session_run *run, const struct note *was, const char *pin)
{
    char day[MAILDATE_DAY];
    if (was->pin[0] == '\0')
        log_line(run->log, FP_LOG_WARNING,
                 "noted the key of %s: %s; from now on no other is accepted", run->account->server,
                 pin);
    else
        log_line(run->log, FP_LOG_WARNING,
                 "noted the new key of %s: %s; it takes the place of the one noted on %s, %s",
                 run->account->server, pin, maildate_spell_day(was->pin_when, day), was->pin);
}

int tofu_keep(const struct session_run *run, struct note *note, struct conn *conn, struct err *err)
{
    char pin[TLS_PIN_TEXT];
    if (run->account->trust != TLS_TRUST_TOFU || !conn_is_secure(conn) ||
        tls_peer_pin(conn_tls(conn), pin) < 0)
        return 0;
    if (is_noted(note) && strcmp(note->pin, pin) == 0) {
        if (accepts_any(run, note))
            log_line(run->log, FP_LOG_NOTE, "the key of %s is the one that is noted: %s",
                     run->account->server, pin);
        return 0;
    }
    if (may_note(run, note, err) < 0)
        return -1;
    struct note was = *note;
    if (note_keep_pin(note, pin, clock_wall(), err) < 0)
        return err_prefix(err, "the key of %s cannot be noted, so no password was sent",
                          run->account->server);
    tell(run, &was, pin);
    return 0;
}

char *tofu_spell(const struct note *note, char *out, size_t cap)
{
    char day[MAILDATE_DAY];
    if (is_noted(note))
        snprintf(out, cap, "the key noted on %s", maildate_spell_day(note->pin_when, day));
    else if (note->damaged)
        snprintf(out, cap, "the noted key cannot be read: %s is damaged", note_path(note));
    else
        snprintf(out, cap, "no key is noted yet; the next poll notes this one");
    return out;
}
