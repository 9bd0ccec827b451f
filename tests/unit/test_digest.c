/* SPDX-License-Identifier: ISC */
/*
 * digest: published vectors, and every split.
 */
#include "base/digest.h"
#include "base/words.h"

#include <stdlib.h>

#include "tap.h"

static void test_sha256(void)
{
    /* FIPS 180-4 examples. */
    static const char *const table[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    unsigned char out[DIGEST_SIZE];
    char hex[DIGEST_HEX];
    for (size_t i = 0; i < 3; i++) {
        struct str text = str_from(table[i][0]);
        digest_bytes(text, out);
        words_hex(out, DIGEST_SIZE, hex);
        is_str(hex, table[i][1], "SHA-256 of a text in one piece");
        for (size_t split = 0; split <= text.len; split++) {
            struct digest *digest = digest_new();
            digest_add(digest, text.ptr, split);
            digest_add(digest, text.ptr + split, text.len - split);
            digest_end(digest, out);
            words_hex(out, DIGEST_SIZE, hex);
            if (strcmp(hex, table[i][1]) != 0)
                ok(false, "SHA-256 split at %zu", split);
        }
    }
    words_hex(out, 2, hex);
    is_str(hex, "248d", "the first bytes alone");
    digest_free(digest_new());
    digest_free(NULL);
}

/* As CPython's hash() of bytes says, where it is SipHash-1-3 and PYTHONHASHSEED is 0. */
static void test_keyed(void)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } table[] = {
        {"a", UINT64_C(0x407448d2b89b1813)},
        {"abcdefgh", UINT64_C(0x3f7b849c0b8e35ea)},
        {"00000001655d2f01", UINT64_C(0xb65d7799d35af5b0)},
        {"aaaaaaaaaaaaaaaaaaaaaaa", UINT64_C(0xc6b2872714c982d1)},
    };
    struct digest_key zero = {{0, 0}}, one, other;
    for (size_t i = 0; i < 4; i++)
        ok(digest_keyed(&zero, str_from(table[i].text)) == table[i].hash, "SipHash-1-3 of %s",
           table[i].text);
    digest_make_key(&one);
    digest_make_key(&other);
    ok(digest_keyed(&one, str_from("a")) != digest_keyed(&other, str_from("a")),
       "another key, another hash");
}

static void test_crc32(void)
{
    const char *text = "123456789";
    ok(digest_crc32(0, text, 9) == UINT32_C(0xcbf43926), "the check value of CRC-32");
    ok(digest_crc32(0, text, 0) == 0, "the CRC of nothing is 0");
    for (size_t split = 0; split <= 9; split++) {
        uint32_t crc = digest_crc32(0, text, split);
        ok(digest_crc32(crc, text + split, 9 - split) == UINT32_C(0xcbf43926),
           "a CRC over two parts is that of the whole");
    }
    unsigned char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (size_t len = 0; len <= 9; len++) { /* at once, and a byte after the other */
        uint32_t crc = 0;
        for (size_t i = 0; i < len; i++)
            crc = digest_crc32(crc, text + i, 1);
        ok(digest_crc32(0, text, len) == crc, "of %zu bytes", len);
    }
    /* As Python's zlib.crc32(bytes(range(256))) says. */
    ok(digest_crc32(0, all, 256) == UINT32_C(0x29058c73), "the CRC of all 256 bytes is zlib's");
}

static void test_base64(void)
{
    /* RFC 4648, section 10. */
    static const char *const table[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    static const char *const bad[] = {
        "Z",    "Zg",       "Zg=",  "Zg==\n", "Zg== ", "Zh==", "Zm9=", "Z===",
        "====", "Zg==Zg==", "Zm=v", "Zm8-",   "Zm8_",  "=Zm9", " Zm9"};
    char text[20];
    unsigned char back[20];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = digest_base64(str_from(table[i][0]), text);
        is_str(text, table[i][1], "a row of RFC 4648 is encoded so");
        is_int((long long)len, (long long)strlen(text), "its length is returned");
        size_t want = strlen(table[i][0]);
        long got = digest_unbase64(str_from(text), back, want);
        is_mem(back, (size_t)got, table[i][0], want, "decoding gives the bytes again");
        if (want > 0)
            is_int(digest_unbase64(str_from(text), back, want - 1), -1,
                   "decoding fails if out is one byte too small");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(digest_unbase64(str_from(bad[i]), back, sizeof back) == -1, "refused: no. %zu", i);
    ok(digest_base64_value('A') == 0 && digest_base64_value('/') == 63, "the value of a digit");
    ok(digest_base64_value('=') < 0 && digest_base64_value('\0') < 0, "and of what is none");
    is_int(digest_unbase64(str_of("Zg\0=", 4), back, sizeof back), -1, "a NUL is no digit");
}

static void test_base64_all(void)
{
    unsigned char all[256];
    unsigned char back[256];
    char text[400];
    bool good = true;
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)(i * 7 + 3);
    for (size_t len = 0; len <= 256; len++) {
        size_t n = digest_base64(str_of(all, len), text);
        good = good && digest_unbase64(str_of(text, n), back, 256) == (long)len &&
               memcmp(all, back, len) == 0;
    }
    ok(good, "all bytes in all lengths come back");
    is_int(digest_base64_digit(63), '/', "the digit of 63 is a slash");
    is_int(digest_base64_digit(64), 'A', "only six bits count");
}

static void test_md5(void)
{
    static const struct {
        const char *first, *second, *want;
    } rows[] = {
        /* RFC 1939, section 7 */
        {"<1896.697170952@dbc.mtview.ca.us>", "tanstaaf", "c4c9334bac560ecc979e58001b3e22fb"},
        /* RFC 1321, appendix A.5 */
        {"", "", "d41d8cd98f00b204e9800998ecf8427e"},
        {"", "a", "0cc175b9c0f1b6a831c399e269772661"},
        {"message ", "digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char digest[DIGEST_MD5_SIZE];
        char hex[2 * DIGEST_MD5_SIZE + 1] = "";
        is_int(digest_md5(str_from(rows[i].first), str_from(rows[i].second), digest), 0,
               "OpenSSL has MD5");
        words_hex(digest, sizeof digest, hex);
        is_str(hex, rows[i].want, "the MD5 of two pieces is that of both, one behind the other");
    }
}

int main(void)
{
    test_md5();
    test_sha256();
    test_crc32();
    test_keyed();
    test_base64();
    test_base64_all();
    return tap_done();
}
