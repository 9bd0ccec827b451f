/* SPDX-License-Identifier: ISC */
/*
 * What a server says in lines: status lines, listings, capabilities, the stamp of a greeting.
 */
#include "fuzz/fuzz.h"
#include "pop3/reply.h"

#define COUNT 1000

static void check_line(struct str line)
{
    struct reply reply = reply_parse(line);
    uint32_t number = 0;
    uint64_t size = 0;
    struct str uidl = {0};
    fuzz_check(fuzz_is_within(reply.text, line));
    fuzz_check(reply.kind == REPLY_ERR || reply.code == REPLY_CODE_NONE);
    if (reply_list_line(line, COUNT, &number, &size) == 0)
        fuzz_check(number >= 1 && number <= COUNT && size <= INT64_MAX);
    if (reply_uidl_line(line, COUNT, &number, &uidl) == 0)
        fuzz_check(number >= 1 && number <= COUNT && uidl.len <= REPLY_UIDL_MAX &&
                   fuzz_is_within(uidl, line));
    if (reply_stat(line, &number, &size) == 0)
        fuzz_check(number <= REPLY_MESSAGES_MAX);
    struct str stamp = reply_stamp(line);
    fuzz_check(fuzz_is_within(stamp, line));
    if (stamp.len > 0) {
        fuzz_check(stamp.ptr[0] == '<' && stamp.ptr[stamp.len - 1] == '>');
        fuzz_check(memchr(stamp.ptr, '@', stamp.len) != NULL);
        for (size_t i = 0; i < stamp.len; i++)
            fuzz_check(stamp.ptr[i] > 0x20 && stamp.ptr[i] < 0x7f);
    }
}

static void check_capa(const struct reply_capa *capa)
{
    fuzz_check(memchr(capa->mechanisms, '\0', sizeof capa->mechanisms) != NULL);
    fuzz_check(memchr(capa->implementation, '\0', sizeof capa->implementation) != NULL);
    for (const char *c = capa->implementation; *c != '\0'; c++)
        fuzz_check(*c >= 0x20 && *c <= 0x7e);
    fuzz_check(capa->expire_days >= -1 && capa->login_delay >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct str rest = str_of(copy, size);
    struct reply_capa capa;
    reply_capa_init(&capa);
    while (rest.len > 0) {
        struct str line;
        size_t used = 0;
        bool bare_lf;
        int found = reply_line(rest, REPLY_LINE_MAX, &line, &used, &bare_lf);
        if (found <= 0) {
            fuzz_check(found == 0 || rest.len > REPLY_LINE_MAX);
            break;
        }
        fuzz_check(used > line.len && used <= rest.len && line.len <= REPLY_LINE_MAX);
        fuzz_check(used == line.len + (bare_lf ? 1 : 2));
        fuzz_check(memchr(line.ptr, '\n', line.len) == NULL);
        char *alone = fuzz_copy(line.ptr, line.len);
        check_line(str_of(alone, line.len));
        reply_capa_line(&capa, str_of(alone, line.len));
        check_capa(&capa);
        free(alone);
        rest = str_behind(rest, used);
    }
    free(copy);
    return 0;
}
