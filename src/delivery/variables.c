/* SPDX-License-Identifier: ISC */
#include "delivery/variables.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define VARIABLES 5

/* A UIDL is 0x21 to 0x7e by RFC 1939, and whatever a server sends in truth: other bytes, and a '-'
 * in front, which would make an option of it, are percent-escaped. */
static char *clean_uidl(struct str uidl)
{
    size_t at = 0;
    char *clean = xmalloc(3 * uidl.len + 1);
    for (size_t i = 0; i < uidl.len; i++) {
        unsigned char byte = (unsigned char)uidl.ptr[i];
        if (byte >= 0x21 && byte <= 0x7e && (byte != '-' || i > 0))
            clean[at++] = uidl.ptr[i];
        else
            at += (size_t)snprintf(clean + at, 4, "%%%02X", byte);
    }
    clean[at] = '\0';
    return clean;
}

/* An address comes from outside: one that a command would take for an option is left out. It is
 * known to hold only 0x21 to 0x7e. */
static const char *clean_address(const char *address)
{
    return address[0] == '-' ? "" : address;
}

char **variables_make(const struct variables *of)
{
    char **variables = xcalloc(VARIABLES + 1, sizeof *variables), *uidl = clean_uidl(of->uidl);
    variables[0] = xasprintf("FETCHPOP_ACCOUNT=%s", of->account);
    variables[1] = xasprintf("FETCHPOP_UIDL=%s", uidl);
    variables[2] = xasprintf("FETCHPOP_SIZE=%llu", (unsigned long long)of->octets);
    variables[3] = xasprintf("FETCHPOP_SENDER=%s", clean_address(header_sender(of->header)));
    variables[4] = xasprintf("FETCHPOP_RECIPIENT=%s", clean_address(header_recipient(of->header)));
    free(uidl);
    return variables;
}

void variables_free(char **variables)
{
    for (size_t i = 0; i < VARIABLES; i++)
        free(variables[i]);
    free(variables);
}
