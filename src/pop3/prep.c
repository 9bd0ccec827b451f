/* SPDX-License-Identifier: ISC */
#include "pop3/prep.h"

#include <string.h>

#ifdef HAVE_STRINGPREP
#include <stringprep.h>
#endif

#include "base/utf8.h"

size_t prep_sasl(struct str text, char *out)
{
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
#ifdef HAVE_STRINGPREP
    bool fits = !utf8_is_ascii(text) && memchr(text.ptr, '\0', text.len) == NULL;
    if (fits &&
        stringprep(out, PREP_GROWTH * text.len + 1, 0, stringprep_saslprep) == STRINGPREP_OK)
        return strlen(out);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
#endif
    return text.len;
}
