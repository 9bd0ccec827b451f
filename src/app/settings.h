/* SPDX-License-Identifier: ISC */
/*
 * settings: from the sections of a configuration file to accounts.
 *
 * An account's own keys count before those of `defaults`, and those before what is built in. Here
 * they are put together and checked against each other; every refusal names file and line. Pure,
 * but for the home folder that `~` stands for.
 */
#ifndef FP_APP_SETTINGS_H
#define FP_APP_SETTINGS_H

#include "app/keys.h"
#include "app/section.h"
#include "base/err.h"
#include "session/account.h"

/* Makes the account; defaults may be NULL. ERR_CONFIG, and *account stays as it was. */
int settings_account(const struct section *own, const struct section *defaults,
                     struct account **account, struct err *err);

/* Wipes and frees the account and all it owns. NULL is fine. */
void settings_free(struct account *account);

/* The account in one piece of memory: settings_pack copies it into `room`, of settings_size octets.
 * Secrets and rules lie elsewhere, and both then point to them: one of the two must be freed
 * without them, as settings_move does with the original. */
size_t settings_size(const struct account *account);
struct account *settings_pack(const struct account *account, void *room);
struct account *settings_move(struct account *account, void *room);

/* Reads the top level; keys_clear frees the result. ERR_CONFIG, and there is nothing to free. */
int settings_top(const struct section *top, struct keys_top *result, struct err *err);

/* Tells each mistake of the section, one call each, and drops the settings that are none; without a
 * title it is `defaults` itself. */
void settings_check(struct section *own, const struct section *defaults,
                    void (*tell)(void *ctx, const char *text), void *ctx);

/* Appends the account as it was understood: every key that says something, by itself, in `defaults`
 * or built in; secrets blanked. */
void settings_spell(const struct section *own, const struct section *defaults, struct buf *out);

#endif
