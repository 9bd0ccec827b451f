/* SPDX-License-Identifier: ISC */
#include "net/idn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <idn2.h>

#include "base/xalloc.h"

static bool is_ascii(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name > 0x7e)
            return false;
    return true;
}

char *idn_ascii(const char *name, struct err *err)
{
    if (is_ascii(name))
        return xstrdup(name);
    char *found = NULL;
    int rc = idn2_to_ascii_8z(name, &found,
                              IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
    if (rc != IDN2_OK) {
        err_set(err, ERR_CONFIG, "%s", idn2_strerror(rc));
        return NULL;
    }
    char *copy = xstrdup(found);
    idn2_free(found);
    return copy;
}
