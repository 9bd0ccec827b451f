/* SPDX-License-Identifier: ISC */
#include "session/account.h"

#include <string.h>
#include <strings.h>

static size_t server_len(const struct account *account)
{
    size_t len = strlen(account->server);
    return len > 1 && account->server[len - 1] == '.' ? len - 1 : len;
}

int account_compare_servers(const struct account *a, const struct account *b)
{
    size_t a_len = server_len(a), b_len = server_len(b);
    int order = strncasecmp(a->server, b->server, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

int account_compare_mailboxes(const struct account *a, const struct account *b)
{
    int order = account_compare_servers(a, b);
    return order != 0 ? order : strcmp(a->user, b->user);
}

void account_hide(const struct account *account, struct log *log)
{
    log_hide(log, &account->password);
    log_hide(log, &account->proxy_password);
    log_hide(log, &account->tls_key_password);
}

bool account_next_target(const struct account *account, size_t *at, struct account_target *target)
{
    if ((*at)++ == 0) {
        *target = (struct account_target){account->target, account->where};
        return true;
    }
    for (; *at - 2 < account->rules.count; (*at)++) {
        const struct rule *rule = &account->rules.at[*at - 2];
        if (rule->has_target) {
            *target = (struct account_target){rule->target, rule->where};
            return true;
        }
    }
    return false;
}

const char *account_next_command(const struct account *account, size_t *at)
{
    const char *const own[] = {account->connect_command, account->token_command,
                               account->filter_command, account->pipe_through, account->after_new};
    const size_t owns = sizeof own / sizeof own[0];
    struct account_target target;
    while (*at < owns)
        if (own[(*at)++] != NULL)
            return own[*at - 1];
    for (size_t rest = *at - owns; account_next_target(account, &rest, &target);) {
        *at = owns + rest;
        if (target.kind == DELIVER_MDA)
            return target.where;
    }
    return NULL;
}

#define SECRETS 3

static void list_secrets(struct account *account, struct secret *secrets[SECRETS])
{
    secrets[0] = &account->password;
    secrets[1] = &account->proxy_password;
    secrets[2] = &account->tls_key_password;
}

void account_wipe(struct account *account)
{
    struct secret *secrets[SECRETS];
    list_secrets(account, secrets);
    for (size_t i = 0; i < SECRETS; i++)
        secret_wipe(secrets[i]);
}

void account_keep(struct account *account)
{
    struct secret *secrets[SECRETS];
    list_secrets(account, secrets);
    secret_keep(secrets, SECRETS);
}

struct deliver_settings account_delivery(const struct account *account)
{
    return (struct deliver_settings){.kind = account->target,
                                     .where = account->where,
                                     .recipient = account->recipient,
                                     .durable = account->durable,
                                     .command_timeout = account->mda_timeout * 1000,
                                     .lock_timeout = account->timeout * 1000,
                                     .account = account->title};
}
