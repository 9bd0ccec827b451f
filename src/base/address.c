/* SPDX-License-Identifier: ISC */
#include "base/address.h"

/* The length of the comment or quoted string at the front of text: it ends at `close`, a backslash
 * takes the next byte with it, and comments nest. 0 if nothing ends it. */
static size_t span(struct str text, char open, char close)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\') {
            i++;
        } else if (i > 0 && text.ptr[i] == close) {
            if (--depth == 0)
                return i + 1;
        } else if (text.ptr[i] == open) {
            depth++;
        }
    }
    return 0;
}

/* The same of a domain literal, in which no other begins (RFC 5322, section 3.4.1): brackets that
 * nothing ends are each looked at once, however many there are. */
static size_t literal(struct str text)
{
    for (size_t i = 1; i < text.len && text.ptr[i] != '['; i++) {
        if (text.ptr[i] == ']')
            return i + 1;
        i += text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] != '[';
    }
    return 0;
}

/* What stands between < and >, without the route of RFC 5322, section 4.4; empty if no > comes.
 * *rest goes on behind it. */
static struct str take_brackets(struct str *rest)
{
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != '>') {
        struct str here = str_behind(*rest, end);
        size_t used = here.ptr[0] == '"' ? span(here, '"', '"') : 1;
        end = used > 0 ? end + used : rest->len;
    }
    struct str inside = str_trim(str_of(rest->ptr, end < rest->len ? end : 0));
    *rest = str_behind(*rest, end);
    if (str_has_prefix(inside, "@"))
        str_until(&inside, ':');
    return str_trim(inside);
}

/* The length of the comment, quoted string or domain literal here, or of one octet; 0: a quoted
 * string that does not end. */
static size_t take_span(struct str text)
{
    char c = text.ptr[0];
    size_t used = 1;
    if (c == '(')
        used = span(text, '(', ')');
    else if (c == '"')
        used = span(text, '"', '"');
    else if (c == '[')
        used = literal(text);
    if (used == 0 && c == '(')
        return text.len;
    return used == 0 && c == '[' ? 1 : used; /* a lone bracket in a display name */
}

/* Behind the comma or semicolon that ends this address. */
static void skip_address(struct str *rest)
{
    bool over = false;
    while (rest->len > 0 && !over) {
        size_t used = take_span(*rest);
        over = rest->ptr[0] == ',' || rest->ptr[0] == ';';
        *rest = str_behind(*rest, used > 0 ? used : rest->len);
    }
}

struct str address_take(struct str *rest, char *scratch, bool *ended)
{
    size_t len = 0;
    *ended = false;
    while (rest->len > 0) {
        char c = rest->ptr[0];
        size_t used = take_span(*rest);
        struct str part = str_of(rest->ptr, used);
        *rest = str_behind(*rest, used > 0 ? used : rest->len);
        if (used == 0)
            return part;
        *ended = (c == ',' || c == ';') && str_trim(str_of(scratch, len)).len > 0;
        if (*ended)
            break;
        if (c == '<') {
            struct str bare = take_brackets(rest);
            skip_address(rest);
            *ended = true;
            return bare;
        }
        if (c == ':') {
            len = 0; /* that was the name of a group */
        } else if (c != ',' && c != ';' && c != '(') {
            memcpy(scratch + len, part.ptr, part.len);
            len += part.len;
        }
    }
    return str_trim(str_of(scratch, len));
}
