/* SPDX-License-Identifier: ISC */
#include "net/dns.h"

#include <sys/types.h>

#include <netinet/in.h>

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define ANSWER_MAX 65535 /* RFC 1035, 4.2.2: over TCP */

/* The length of the answer, or -1 and *code as h_errno. Where the resolver keeps no state of its
 * own (musl), there is no res_nquery. */
static int ask(const char *name, unsigned char *answer, int cap, int *code)
{
#ifdef HAVE_RES_NQUERY
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) < 0) {
        *code = NO_RECOVERY;
        return -1;
    }
    int len = res_nquery(&state, name, SRV_CLASS, SRV_TYPE, answer, cap);
    *code = state.res_h_errno;
    res_nclose(&state);
#else
    int len = res_query(name, SRV_CLASS, SRV_TYPE, answer, cap);
    *code = h_errno;
#endif
    return len;
}

int dns_srv(const char *name, struct srv_list *list, struct err *err)
{
    unsigned char *answer = xmalloc(ANSWER_MAX);
    int code, rc = 0;
    int len = ask(name, answer, ANSWER_MAX, &code);
    *list = (struct srv_list){.count = 0};
    if (len > ANSWER_MAX) /* a longer answer is cut, but len is its whole length */
        len = ANSWER_MAX;
    if (len >= 0 && srv_parse(answer, (size_t)len, list) < 0)
        rc = err_set(err, ERR_AGAIN, "%s: the name server's answer is broken; try again later",
                     name);
    else if (len < 0 && code != HOST_NOT_FOUND && code != NO_DATA)
        rc = err_set(err, ERR_AGAIN, "%s: no answer from the name servers: %s; try again later",
                     name, hstrerror(code));
    free(answer);
    return rc;
}
