#include "pop3/apop.h"

#include <stdint.h>
#include <string.h>

#include "base/secret.h"

#define BLOCK 64

struct md5 {
    uint32_t state[4];
    uint64_t length;
    unsigned char block[BLOCK];
};

/* RFC 1321 section 3.4: 4294967296 times abs(sin(i)), i in radians. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const unsigned turns[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t word_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The function of a round, and which word of the block its i-th step takes. */
static uint32_t mix(unsigned i, const uint32_t s[4], unsigned *word)
{
    switch (i / 16) {
    case 0:
        *word = i;
        return (s[1] & s[2]) | (~s[1] & s[3]);
    case 1:
        *word = (5 * i + 1) % 16;
        return (s[1] & s[3]) | (s[2] & ~s[3]);
    case 2:
        *word = (3 * i + 5) % 16;
        return s[1] ^ s[2] ^ s[3];
    default:
        *word = 7 * i % 16;
        return s[2] ^ (s[1] | ~s[3]);
    }
}

static void md5_block(struct md5 *md5)
{
    uint32_t s[4];
    memcpy(s, md5->state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        unsigned word, turn = turns[i / 16][i % 4];
        uint32_t sum = mix(i, s, &word) + s[0] + sines[i];
        sum += word_at(md5->block + (size_t)4 * word);
        s[0] = s[3];
        s[3] = s[2];
        s[2] = s[1];
        s[1] += sum << turn | sum >> (32 - turn);
    }
    for (int i = 0; i < 4; i++)
        md5->state[i] += s[i];
}

static void md5_add(struct md5 *md5, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        md5->block[md5->length++ % BLOCK] = (unsigned char)bytes.ptr[i];
        if (md5->length % BLOCK == 0)
            md5_block(md5);
    }
}

static void md5_end(struct md5 *md5)
{
    uint64_t bits = md5->length * 8;
    md5_add(md5, str_of("\x80", 1));
    while (md5->length % BLOCK != BLOCK - 8)
        md5_add(md5, str_of("", 1));
    for (unsigned i = 0; i < 8; i++) {
        char byte = (char)(bits >> (8 * i) & 0xff);
        md5_add(md5, str_of(&byte, 1));
    }
}

void apop_digest(struct str stamp, struct str secret, char out[APOP_HEX])
{
    struct md5 md5 = {.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    md5_add(&md5, stamp);
    md5_add(&md5, secret);
    md5_end(&md5);
    for (unsigned i = 0; i < 32; i++) {
        unsigned byte = md5.state[i / 8] >> (8 * (i / 2 % 4)) & 0xff;
        out[i] = "0123456789abcdef"[i % 2 == 0 ? byte >> 4 : byte & 15];
    }
    out[32] = '\0';
    secret_wipe_bytes(&md5, sizeof md5);
}
