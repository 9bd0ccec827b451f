/* SPDX-License-Identifier: ISC */
/*
 * buf: grows, and never past its maximum.
 */
#include "base/buf.h"

#include "tap.h"

static void test_limits(void)
{
    struct buf buf;
    buf_init(&buf, 10);
    is_int((long long)buf_str(&buf).len, 0, "a new buffer is empty");
    is_int(buf_add(&buf, "12345", 5), 0, "five bytes fit into ten");
    is_int(buf_add(&buf, "123456", 6), -1, "six more bytes are one too many");
    is_mem(buf.data, buf.len, "12345", 5, "what does not fit is not added in part");
    is_int(buf_addf(&buf, "%s", "abcdef"), -1, "what does not fit is refused by format too");
    is_int(buf_addf(&buf, "%s", "abcde"), 0, "what fits exactly is added by format");
    is_mem(buf.data, buf.len, "12345abcde", 10, "both pieces are there");
    is_int(buf_add(&buf, "", 0), 0, "no bytes fit into a full buffer");
    ok(buf_reserve(&buf, 1) == NULL, "a full buffer has no room for a byte");
    ok(buf_reserve(&buf, 0) != NULL, "a full buffer has room for no bytes");
    ok(buf_reserve(&buf, (size_t)-1) == NULL, "no room for a sum that wraps");
    is_int(buf_add(&buf, "x", (size_t)-3), -1, "a length near the end of size_t is refused");
    buf_clear(&buf);
    is_int((long long)buf.len, 0, "a cleared buffer is empty");
    char *room = buf_reserve(&buf, 10);
    ok(room != NULL && room == buf.data, "a cleared buffer uses its memory again");
    buf_free(&buf);
    ok(buf.data == NULL && buf.len == 0 && buf.cap == 0, "a freed buffer has nothing left");
    is_int(buf_add(&buf, "1234567890", 10), 0, "a freed buffer is usable again");
    buf_free(&buf);
    buf_init(&buf, 0);
    is_int(buf_add(&buf, "x", 1), -1, "a buffer with a maximum of 0 takes no byte");
    ok(buf_reserve(&buf, 0) != NULL, "a buffer with a maximum of 0 has room for no bytes");
    buf_free(&buf);
}

static void test_growth(void)
{
    struct buf buf;
    bool good = true;
    buf_init(&buf, 100000);
    for (int i = 0; i < 100000; i++) {
        char byte = (char)(i % 251);
        good = good && buf_add(&buf, &byte, 1) == 0;
    }
    for (int i = 0; i < 100000; i++)
        good = good && buf.data[i] == (char)(i % 251);
    ok(good, "100000 bytes are added one by one");
    ok(buf.cap <= 100001, "and no more memory than the maximum");
    is_int(buf_add(&buf, "x", 1), -1, "after the maximum a byte is refused");
    buf_free(&buf);
}

int main(void)
{
    test_limits();
    test_growth();
    return tap_done();
}
