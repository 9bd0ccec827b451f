/* SPDX-License-Identifier: ISC */
#include "state/mailbox.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/words.h"
#include "base/xalloc.h"

#define NAME_PART 60

void mailbox_id(const char *server, const char *user, char out[MAILBOX_ID + 1])
{
    unsigned char sum[DIGEST_SIZE];
    struct digest *digest = digest_new();
    for (const char *p = server; *p != '\0'; p++) {
        char c = (char)tolower((unsigned char)*p);
        digest_add(digest, &c, 1);
    }
    digest_add(digest, "", 1);
    digest_add(digest, user, strlen(user));
    digest_end(digest, sum);
    words_hex(sum, MAILBOX_ID / 2, out);
}

char *mailbox_stem(const char *server, const char *user)
{
    char id[MAILBOX_ID + 1];
    char *name = xasprintf("%.*s@%.*s", NAME_PART, user, NAME_PART, server);
    for (char *p = strrchr(name, '@'); *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (char *p = name; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("@._+-", *p) == NULL)
            *p = '_';
    if (name[0] == '.')
        name[0] = '_';
    mailbox_id(server, user, id);
    char *stem = xasprintf("%s-%s", name, id);
    free(name);
    return stem;
}
