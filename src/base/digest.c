/* SPDX-License-Identifier: ISC */
#include "base/digest.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* of SHA256_Init and the like */
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/xalloc.h"

static void need(int ok)
{
    if (ok != 1)
        xdie("OpenSSL has no SHA-256, or out of memory");
}

#ifdef OPENSSL_NO_DEPRECATED_3_0 /* an OpenSSL that was built without the old ways */

/* An EVP_MD_CTX by another name: struct digest is never defined. */
static EVP_MD_CTX *context(struct digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

struct digest *digest_new(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    need(ctx != NULL);
    need(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL));
    return (struct digest *)ctx;
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
    need(EVP_DigestUpdate(context(digest), bytes, len));
}

void digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE])
{
    need(EVP_DigestFinal_ex(context(digest), out, NULL));
    digest_free(digest);
}

void digest_free(struct digest *digest)
{
    EVP_MD_CTX_free(context(digest));
}

#else

/* Not EVP: its first use reads OpenSSL's configuration and makes all providers' algorithms, a
 * millisecond before it is known whether the server is there at all. */
struct digest {
    SHA256_CTX context;
};

struct digest *digest_new(void)
{
    struct digest *digest = xmalloc(sizeof *digest);
    need(SHA256_Init(&digest->context));
    return digest;
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
    need(SHA256_Update(&digest->context, bytes, len));
}

void digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE])
{
    need(SHA256_Final(out, &digest->context));
    digest_free(digest);
}

void digest_free(struct digest *digest)
{
    free(digest);
}

#endif

void digest_bytes(struct str bytes, unsigned char out[DIGEST_SIZE])
{
    struct digest *digest = digest_new();
    digest_add(digest, bytes.ptr, bytes.len);
    digest_end(digest, out);
}

/* Not from the default set of algorithms, which leaves MD5 out where FIPS is asked for. */
int digest_md5(struct str first, struct str second, unsigned char out[DIGEST_MD5_SIZE])
{
    EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = md5 != NULL && ctx != NULL && EVP_DigestInit_ex(ctx, md5, NULL) == 1 &&
                EVP_DigestUpdate(ctx, first.ptr, first.len) == 1 &&
                EVP_DigestUpdate(ctx, second.ptr, second.len) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md5);
    return done ? 0 : -1;
}

/* crc_after[n][byte]: what the byte makes of the CRC n bytes later (polynomial 0xedb88320). */
static uint32_t crc_after[8][256];

static void fill_crc_table(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
        crc_after[0][byte] = crc;
    }
    for (unsigned n = 1; n < 8; n++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t before = crc_after[n - 1][byte];
            crc_after[n][byte] = before >> 8 ^ crc_after[0][before & 255];
        }
}

static uint32_t four_bytes(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t sum_of_four(uint32_t word, uint32_t (*after)[256])
{
    return after[3][word & 255] ^ after[2][word >> 8 & 255] ^ after[1][word >> 16 & 255] ^
           after[0][word >> 24];
}

/* Eight bytes at a time: their sums do not wait for each other. The table is made at first use. */
uint32_t digest_crc32(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    if (crc_after[0][1] == 0)
        fill_crc_table();
    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8)
        crc = sum_of_four(crc ^ four_bytes(at), crc_after + 4) ^
              sum_of_four(four_bytes(at + 4), crc_after);
    for (; len > 0; at++, len--)
        crc = crc >> 8 ^ crc_after[0][(crc ^ *at) & 255];
    return ~crc;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

struct sip {
    uint64_t a, b, c, d;
};

static inline struct sip sip_round(struct sip v)
{
    v.a += v.b;
    v.c += v.d;
    v.b = rotate(v.b, 13) ^ v.a;
    v.d = rotate(v.d, 16) ^ v.c;
    v.a = rotate(v.a, 32) + v.d;
    v.c += v.b;
    v.d = rotate(v.d, 21) ^ v.a;
    v.b = rotate(v.b, 17) ^ v.c;
    v.c = rotate(v.c, 32);
    return v;
}

static inline struct sip sip_word(struct sip v, uint64_t word)
{
    v.d ^= word;
    v = sip_round(v);
    v.a ^= word;
    return v;
}

/* SipHash (Aumasson and Bernstein, 2012), one round for eight bytes and three at the end. */
uint64_t digest_keyed(const struct digest_key *key, struct str bytes)
{
    struct sip v = {.a = key->word[0] ^ 0x736f6d6570736575,
                    .b = key->word[1] ^ 0x646f72616e646f6d,
                    .c = key->word[0] ^ 0x6c7967656e657261,
                    .d = key->word[1] ^ 0x7465646279746573};
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    uint64_t last = (uint64_t)bytes.len << 56;
    size_t left = bytes.len;
    for (; left >= 8; at += 8, left -= 8)
        v = sip_word(v, four_bytes(at) | (uint64_t)four_bytes(at + 4) << 32);
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << 8 * i;
    v = sip_word(v, last);
    v.c ^= 0xff;
    v = sip_round(sip_round(sip_round(v)));
    return v.a ^ v.b ^ v.c ^ v.d;
}

void digest_make_key(struct digest_key *key)
{
    if (random_bytes(key, sizeof *key) < 0) /* then at least one that a server cannot see */
        key->word[0] = (uint64_t)clock_wall() * 2654435761u ^ (uint64_t)getpid();
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digest_base64_digit(unsigned value)
{
    return alphabet[value & 63];
}

int digest_base64_value(char digit)
{
    const char *found = memchr(alphabet, digit, 64);
    return found != NULL ? (int)(found - alphabet) : -1;
}

size_t digest_base64(struct str in, char *out)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)in.ptr,
                                   (int)in.len);
}

/* The value of four digits of which the last `pads` are '='; -1 if they are not base64, or if bits
 * that belong to no byte are set (RFC 4648, section 3.5). */
static long group_value(const char *digits, size_t pads)
{
    unsigned group = 0;
    for (size_t k = 0; k < 4 - pads; k++) {
        int value = digest_base64_value(digits[k]);
        if (value < 0)
            return -1;
        group |= (unsigned)value << (18 - 6 * k);
    }
    unsigned unused = pads == 0 ? 0 : pads == 1 ? 0xff : 0xffff;
    return (group & unused) == 0 ? (long)group : -1;
}

long digest_unbase64(struct str in, void *out, size_t cap)
{
    unsigned char *bytes = out;
    size_t at = 0;
    if (in.len % 4 != 0)
        return -1;
    for (size_t i = 0; i < in.len; i += 4) {
        size_t pads = 0;
        while (i + 4 == in.len && pads < 2 && in.ptr[i + 3 - pads] == '=')
            pads++;
        long group = group_value(in.ptr + i, pads);
        if (group < 0 || 3 - pads > cap - at)
            return -1;
        for (size_t k = 0; k < 3 - pads; k++)
            bytes[at++] = (unsigned char)(group >> (16 - 8 * k) & 0xff);
    }
    return (long)at;
}
