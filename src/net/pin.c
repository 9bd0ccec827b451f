/* SPDX-License-Identifier: ISC */
#include "net/pin.h"

#include "base/str.h"

int pin_read(const char *text, unsigned char pin[DIGEST_SIZE])
{
    if (digest_unbase64(str_from(text), pin, DIGEST_SIZE) == DIGEST_SIZE)
        return 0;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        text += i > 0 && *text == ':';
        int high = str_hex_digit(text[0]);
        int low = high >= 0 ? str_hex_digit(text[1]) : -1;
        if (low < 0)
            return -1;
        pin[i] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    return *text == '\0' ? 0 : -1;
}
