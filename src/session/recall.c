/* SPDX-License-Identifier: ISC */
#include "session/recall.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/conn.h"

#define KEY_MAX 80

/* "capa 995 PIN\n", or -1 if there is nothing that could tell one server from another. */
static int make_key(const struct account *account, struct pop3 *pop3, char key[KEY_MAX])
{
    char pin[TLS_PIN_TEXT];
    const struct tls *tls = conn_tls(pop3_conn(pop3));
    if (account->tls != ACCOUNT_TLS_IMPLICIT || tls == NULL || tls_peer_pin(tls, pin) < 0)
        return -1;
    snprintf(key, KEY_MAX, "capa %u %s\n", account->port, pin);
    return 0;
}

bool recall_capa(const struct note *note, const struct account *account, struct pop3 *pop3)
{
    char key[KEY_MAX];
    int64_t when;
    if (note == NULL || make_key(account, pop3, key) < 0)
        return false;
    struct str kept = note_capa(note, &when);
    int64_t age = clock_wall() - when;
    size_t len = strlen(key);
    return age >= 0 && age < RECALL_SECONDS && str_has_prefix(kept, key) &&
           pop3_set_capa(pop3, str_behind(kept, len)) == 0;
}

void recall_keep(struct note *note, const struct account *account, struct pop3 *pop3)
{
    char key[KEY_MAX];
    struct buf text;
    struct str capa = pop3_capa_text(pop3);
    if (note == NULL || make_key(account, pop3, key) < 0)
        return;
    buf_init(&text, NOTE_CAPA_MAX);
    if (capa.len > 0 && buf_add(&text, key, strlen(key)) == 0 &&
        buf_add(&text, capa.ptr, capa.len) == 0)
        note_set_capa(note, buf_str(&text), clock_wall());
    else
        recall_forget(note);
    buf_free(&text);
}

void recall_forget(struct note *note)
{
    if (note != NULL)
        note_set_capa(note, str_of("", 0), 0);
}
