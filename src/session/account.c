#include "session/account.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

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

void account_hide(const struct account *account, struct log *log)
{
    log_hide(log, &account->password);
    log_hide(log, &account->proxy_password);
    log_hide(log, &account->tls_key_password);
}

void account_wipe(struct account *account)
{
    struct secret *secrets[] = {&account->password, &account->proxy_password,
                                &account->tls_key_password};
    /* Not even a zero is written where there is none: the memory may be shared with the parent. */
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (secrets[i]->data != NULL)
            secret_wipe(secrets[i]);
}

void account_free(struct account *account)
{
    if (account == NULL)
        return;
    char *texts[] = {account->title,
                     account->server,
                     account->source_address,
                     account->proxy_host,
                     account->proxy_user,
                     account->connect_command,
                     account->tls_ca_file,
                     account->tls_ca_dir,
                     account->tls_cert_file,
                     account->tls_key_file,
                     account->tls_key_password_command,
                     account->tls_crl_file,
                     account->tls_server_name,
                     account->tls_min_version,
                     account->user,
                     account->password_command,
                     account->password_file,
                     account->token_command,
                     account->where};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    free_list(account->tls_pins);
    free_list(account->auth);
    account_wipe(account);
    free(account);
}
