/* SPDX-License-Identifier: ISC */
#include "app/discover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "import/sheet.h"
#include "net/dns.h"
#include "net/idn.h"

#define LOCAL_MAX 64 /* RFC 5321 section 4.5.3.1 */
#define DOMAIN_MAX 240

/* --- the address ------------------------------------------------------------------------------ */

/* It becomes a text of the configuration file, a title and a folder's name. The signs of RFC 5322's
 * atoms, but for those that would mean something there. */
static bool is_local(struct str local)
{
    static const char signs[] = "!#%&*+-.=?^_|~'";
    for (size_t i = 0; i < local.len; i++)
        if ((unsigned char)local.ptr[i] < 0x80 && !str_is_made_of(str_of(local.ptr + i, 1), signs))
            return false;
    return local.len > 0 && local.len <= LOCAL_MAX && local.ptr[0] != '.' && local.ptr[0] != '-';
}

static bool is_domain(struct str domain)
{
    return str_is_made_of(domain, "-.") && domain.len > 0 && domain.len <= DOMAIN_MAX &&
           domain.ptr[0] != '.' && domain.ptr[0] != '-' && domain.ptr[domain.len - 1] != '.';
}

int discover_read(struct discover_address *address, const char *text, struct err *err)
{
    const char *at = strrchr(text, '@');
    struct err why;
    *address = (struct discover_address){0};
    if (at == NULL || !is_local(str_of(text, (size_t)(at - text)))) {
        err_set(err, ERR_USAGE, "an address is written as in alice@example.com");
        return -1;
    }
    char *domain = idn_ascii(at + 1, &why);
    if (domain == NULL || !is_domain(str_from(domain))) {
        free(domain);
        err_set(err, ERR_USAGE,
                "an address is written as in alice@example.com; what follows the @ is not "
                "a domain");
        return -1;
    }
    address->whole = xstrdup(text);
    address->domain = domain;
    return 0;
}

void discover_free(struct discover_address *address)
{
    free(address->whole);
    free(address->domain);
    *address = (struct discover_address){0};
}

/* --- the account ------------------------------------------------------------------------------ */

/* RFC 6186 section 6: a name outside of the domain is vouched for by nothing but the DNS. */
bool discover_is_within(const char *host, const char *domain)
{
    struct str name = str_from(host);
    struct str zone = str_from(domain);
    if (name.len > zone.len && name.ptr[name.len - zone.len - 1] == '.')
        name = str_of(name.ptr + name.len - zone.len, zone.len);
    return str_equal_nocase(name, zone);
}

static void spell_others(const struct srv_list *list, struct buf *out)
{
    for (size_t i = 1; i < list->count; i++) {
        const struct srv *srv = &list->records[i];
        buf_addf(out, "# It also names %s, port %u (priority %u, weight %u).\n", srv->target,
                 srv->port, srv->priority, srv->weight);
    }
}

/* The address is a word of a shell command there. */
static void spell_command(const struct discover_address *address, struct buf *out)
{
    bool quotable = strchr(address->whole, '\'') == NULL;
    const char *quote = quotable ? "'" : "", *name = quotable ? address->whole : address->domain;
    buf_addf(out,
             "    # Without password_command, fetchpop asks for the password. To store it:\n"
             "    # secret-tool store --label=fetchpop mail %s%s%s\n"
             "    # password_command = \"secret-tool lookup mail %s%s%s\"\n",
             quote, name, quote, quote, name, quote);
}

void discover_spell(const struct discover_address *address, const struct srv_list *list,
                    bool secure, struct buf *out)
{
    const struct srv *best = &list->records[0];
    char title[SHEET_TITLE_SIZE];
    sheet_title(address->whole, title);
    buf_addf(out, "# What the DNS of %s names for POP3 (RFC 6186).\n", address->domain);
    if (!discover_is_within(best->target, address->domain))
        buf_addf(out,
                 "# Take care: %s does not belong to %s.\n"
                 "# Only the DNS says that it is the right one; ask your provider before you give "
                 "it a password.\n",
                 best->target, address->domain);
    spell_others(list, out);
    buf_addf(out,
             "account \"%s\" {\n"
             "    server  = \"%s\"\n"
             "    port    = %u\n"
             "    tls     = %s\n"
             "    # Some servers want the part before the @ alone.\n"
             "    user    = \"%s\"\n"
             "    maildir = \"~/Mail/%s\"\n",
             title, best->target, best->port, secure ? "implicit" : "stls", address->whole, title);
    spell_command(address, out);
    buf_addf(out, "}\n");
}

/* --- asking ----------------------------------------------------------------------------------- */

/* 1: records were found; 0: none; -1. */
static int look_up(const char *service, const char *domain, struct srv_list *list, bool *refused,
                   struct err *err)
{
    char *name = xasprintf("%s._tcp.%s", service, domain);
    int result = dns_srv(name, list, err);
    free(name);
    *refused = *refused || list->refused;
    return result != 0 ? -1 : list->count > 0;
}

/* STLS only where the DNS names no server with TLS from the start (RFC 8314 section 5.1); an error
 * in answer to the first question does not say that. */
int discover_find(const struct discover_address *address, struct srv_list *list, bool *secure,
                  struct err *err)
{
    bool refused = false;
    *secure = true;
    int found = look_up("_pop3s", address->domain, list, &refused, err);
    if (found == 0) {
        *secure = false;
        found = look_up("_pop3", address->domain, list, &refused, err);
    }
    if (found != 0)
        return found < 0 ? -1 : 0;
    return err_set(err, ERR_HOST, "%s: its DNS %s; fetchpop --setup tries more names",
                   address->domain,
                   refused ? "says that it has no POP3 server"
                           : "names no POP3 server (_pop3s._tcp, _pop3._tcp)");
}

int discover_run(const char *text, struct err *err)
{
    struct discover_address address;
    struct srv_list list;
    bool secure;
    if (discover_read(&address, text, err) < 0)
        return -1;
    int result = discover_find(&address, &list, &secure, err);
    if (result == 0) {
        struct buf out;
        buf_init(&out, DISCOVER_TEXT_MAX);
        discover_spell(&address, &list, secure, &out);
        result = file_write(STDOUT_FILENO, out.data, out.len, "standard output", err);
        buf_free(&out);
    }
    discover_free(&address);
    return result;
}
