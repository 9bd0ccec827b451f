/* SPDX-License-Identifier: ISC */
/*
 * SRV records in an answer of the DNS.
 */
#include "fuzz/fuzz.h"
#include "net/srv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct srv_list list;
    unsigned char *copy = (unsigned char *)fuzz_copy(data, size);
    memset(&list, 0, sizeof list);
    srv_parse(copy, size, &list);
    free(copy);
    fuzz_check(list.count <= SRV_MAX);
    for (size_t i = 0; i < list.count; i++) {
        const struct srv *srv = &list.records[i];
        size_t len = strnlen(srv->target, sizeof srv->target);
        fuzz_check(srv->port >= 1 && srv->port <= 65535 && srv->priority <= 65535);
        fuzz_check(len > 0 && len < sizeof srv->target && srv->target[len - 1] != '.');
        for (size_t k = 0; k < len; k++)
            fuzz_check(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                              srv->target[k]) != NULL);
        fuzz_check(i == 0 || list.records[i - 1].priority <= srv->priority);
    }
    return 0;
}
