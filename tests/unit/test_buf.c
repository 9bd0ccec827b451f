/*
 * buf: grows, and never past its maximum.
 */
#include "base/buf.h"

#include "tap.h"

static void test_limits(void)
{
    struct buf buf;
    buf_init(&buf, 10);
    is_int((long long)buf_str(&buf).len, 0, "empty at birth");
    is_int(buf_add(&buf, "12345", 5), 0, "five of ten");
    is_int(buf_add(&buf, "123456", 6), -1, "six more are one too many");
    is_mem(buf.data, buf.len, "12345", 5, "and nothing was added");
    is_int(buf_addf(&buf, "%s", "abcdef"), -1, "nor by format");
    is_int(buf_addf(&buf, "%s", "abcde"), 0, "full to the brim");
    is_mem(buf.data, buf.len, "12345abcde", 10, "all is there");
    is_int(buf_add(&buf, "", 0), 0, "nothing fits always");
    ok(buf_reserve(&buf, 1) == NULL, "no room for one");
    ok(buf_reserve(&buf, 0) != NULL, "room for none");
    ok(buf_reserve(&buf, (size_t)-1) == NULL, "no room for a sum that wraps");
    is_int(buf_add(&buf, "x", (size_t)-3), -1, "nor for such an addition");
    buf_clear(&buf);
    is_int((long long)buf.len, 0, "cleared");
    char *room = buf_reserve(&buf, 10);
    ok(room != NULL && room == buf.data, "the memory is used again");
    buf_free(&buf);
    ok(buf.data == NULL && buf.len == 0 && buf.cap == 0, "freed");
    is_int(buf_add(&buf, "1234567890", 10), 0, "and usable again");
    buf_free(&buf);
    buf_init(&buf, 0);
    is_int(buf_add(&buf, "x", 1), -1, "a maximum of nothing");
    ok(buf_reserve(&buf, 0) != NULL, "has room for nothing");
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
    ok(good, "100000 single bytes");
    ok(buf.cap <= 100001, "and no more memory than the maximum");
    is_int(buf_add(&buf, "x", 1), -1, "then it is full");
    buf_free(&buf);
}

int main(void)
{
    test_limits();
    test_growth();
    return tap_done();
}
