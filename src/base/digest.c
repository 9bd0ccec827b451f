#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* of SHA256_Init and its kin */
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/xalloc.h"

static void need(int ok)
{
    if (ok != 1) {
        xdie("SHA-256 is not to be had from OpenSSL, or out of memory");
    }
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

void digest_hex(const unsigned char *digest, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * n] = '\0';
}

/* Half a byte at a time: a table of 16 words, each what four steps of the polynomial 0xedb88320
 * make of its index. */
uint32_t digest_crc32(uint32_t crc, const void *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const unsigned char *at = bytes;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digest_base64_digit(unsigned value)
{
    return alphabet[value & 63];
}

size_t digest_base64(struct str in, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = in.len - i < 3 ? in.len - i : 3;
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < have ? (unsigned char)in.ptr[i + k] : 0);
        }
        for (size_t k = 0; k < 4; k++) {
            out[at++] = k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    out[at] = '\0';
    return at;
}

/* The value of four digits of which the last `pads` are '='; -1 if they are none, or if bits that
 * no byte takes are set (RFC 4648, section 3.5). */
static long group_value(const char *digits, size_t pads)
{
    unsigned group = 0;
    for (size_t k = 0; k < 4 - pads; k++) {
        const char *found = memchr(alphabet, digits[k], 64);
        if (found == NULL) {
            return -1;
        }
        group |= (unsigned)(found - alphabet) << (18 - 6 * k);
    }
    unsigned unused = pads == 0 ? 0 : pads == 1 ? 0xff : 0xffff;
    return (group & unused) == 0 ? (long)group : -1;
}

long digest_unbase64(struct str in, void *out, size_t cap)
{
    unsigned char *bytes = out;
    size_t at = 0;
    if (in.len % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < in.len; i += 4) {
        size_t pads = 0;
        while (i + 4 == in.len && pads < 2 && in.ptr[i + 3 - pads] == '=') {
            pads++;
        }
        long group = group_value(in.ptr + i, pads);
        if (group < 0 || 3 - pads > cap - at) {
            return -1;
        }
        for (size_t k = 0; k < 3 - pads; k++) {
            bytes[at++] = (unsigned char)(group >> (16 - 8 * k) & 0xff);
        }
    }
    return (long)at;
}
