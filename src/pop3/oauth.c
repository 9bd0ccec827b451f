/* SPDX-License-Identifier: ISC */
#include "pop3/oauth.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"

#define SEPARATOR "\1"

static void make_room(struct buf *message, struct str user, const char *server, struct str token)
{
    size_t most = 3 * user.len + str_from(server).len + token.len + 100;
    secret_buf_init(message, most);
}

static void add(struct buf *message, struct str bytes)
{
    (void)buf_add(message, bytes.ptr, bytes.len); /* make_room has counted it */
}

static void add_text(struct buf *message, const char *text)
{
    add(message, str_from(text));
}

/* RFC 5801 section 4: in a user name, "," and "=" are escaped. */
static void add_name(struct buf *message, struct str user)
{
    for (size_t i = 0; i < user.len; i++) {
        char c = user.ptr[i];
        if (c == ',' || c == '=')
            add_text(message, c == ',' ? "=2C" : "=3D");
        else
            add(message, str_of(&c, 1));
    }
}

void oauth_bearer(struct buf *message, struct str user, const char *server, unsigned port,
                  struct str token)
{
    make_room(message, user, server, token);
    add_text(message, "n,a=");
    add_name(message, user);
    add_text(message, "," SEPARATOR);
    if (server != NULL) {
        add_text(message, "host=");
        add_text(message, server);
        add_text(message, SEPARATOR);
    }
    if (port != 0) {
        char field[32];
        snprintf(field, sizeof field, "port=%u" SEPARATOR, port);
        add_text(message, field);
    }
    add_text(message, "auth=Bearer ");
    add(message, token);
    add_text(message, SEPARATOR SEPARATOR);
}

void oauth_xoauth2(struct buf *message, struct str user, struct str token)
{
    make_room(message, user, NULL, token);
    add_text(message, "user=");
    add(message, user);
    add_text(message, SEPARATOR "auth=Bearer ");
    add(message, token);
    add_text(message, SEPARATOR SEPARATOR);
}

bool oauth_is_token(struct str token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] < 0x21 || token.ptr[i] > 0x7e)
            return false;
    return token.len > 0;
}

static void skip_space(struct str *rest)
{
    while (rest->len > 0 && memchr(" \t\r\n", rest->ptr[0], 4) != NULL)
        *rest = str_behind(*rest, 1);
}

/* Takes a JSON string, quotes included, off the front; *inside is what stands between them. */
static bool take_string(struct str *rest, struct str *inside)
{
    if (rest->len == 0 || rest->ptr[0] != '"')
        return false;
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] == '\\') {
            i++;
        } else if (rest->ptr[i] == '"') {
            *inside = str_of(rest->ptr + 1, i - 1);
            *rest = str_of(rest->ptr + i + 1, rest->len - i - 1);
            return true;
        }
    }
    return false;
}

struct str oauth_field(struct str json, const char *name)
{
    struct str key, value;
    while (json.len > 0) {
        if (json.ptr[0] != '"') {
            json = str_behind(json, 1);
            continue;
        }
        if (!take_string(&json, &key))
            break;
        skip_space(&json);
        if (json.len == 0 || json.ptr[0] != ':')
            continue; /* it was a value */
        json = str_behind(json, 1);
        skip_space(&json);
        if (str_is_nocase(key, name) && take_string(&json, &value))
            return value;
    }
    return str_of(NULL, 0);
}
