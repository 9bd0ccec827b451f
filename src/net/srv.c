/* SPDX-License-Identifier: ISC */
#include "net/srv.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/types.h>

#include "base/str.h"

#define TARGET_AT 6 /* behind priority, weight and port */

/* A label of the DNS may hold other bytes, too; a host name in a configuration file may not. */
static bool is_host(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '.' && c != '_')
            return false;
    }
    return name.len > 0 && name.ptr[0] != '.' && name.ptr[0] != '-';
}

static bool is_better(const struct srv *a, const struct srv *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->weight > b->weight;
}

static void insert(struct srv_list *list, const struct srv *record)
{
    size_t at = list->count;
    if (list->count == SRV_MAX && !is_better(record, &list->records[SRV_MAX - 1]))
        return;
    if (list->count == SRV_MAX)
        at = --list->count;
    while (at > 0 && is_better(record, &list->records[at - 1]))
        at--;
    memmove(&list->records[at + 1], &list->records[at],
            (list->count - at) * sizeof list->records[0]);
    list->records[at] = *record;
    list->count++;
}

static unsigned read16(const unsigned char *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

static int take(const ns_msg *message, const ns_rr *rr, struct srv_list *list)
{
    const unsigned char *data = ns_rr_rdata(*rr);
    if (ns_rr_rdlen(*rr) <= TARGET_AT)
        return -1;
    struct srv record = {
        .priority = read16(data), .weight = read16(data + 2), .port = read16(data + 4)};
    if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data + TARGET_AT,
                           record.target, sizeof record.target) < 0)
        return -1;
    struct str target = str_from(record.target);
    if (target.len > 0 && target.ptr[target.len - 1] == '.')
        record.target[--target.len] = '\0';
    if (target.len == 0)
        list->refused = true;
    else if (is_host(target) && record.port != 0)
        insert(list, &record);
    return 0;
}

int srv_parse(const unsigned char *bytes, size_t len, struct srv_list *list)
{
    ns_msg message;
    *list = (struct srv_list){.count = 0};
    if (len > INT_MAX || ns_initparse(bytes, (int)len, &message) < 0)
        return -1;
    int count = ns_msg_count(message, ns_s_an);
    for (int i = 0; i < count; i++) {
        ns_rr rr;
        if (ns_parserr(&message, ns_s_an, i, &rr) < 0)
            return -1;
        if (ns_rr_type(rr) == ns_t_srv && ns_rr_class(rr) == ns_c_in &&
            take(&message, &rr, list) < 0)
            return -1;
    }
    return 0;
}
